"""Which of the letters A to D an answer in prose chooses.

VoiceBench (MatthewCYM/VoiceBench, src/evaluator/mcq.py) looks for some 150 phrases one after another; what
they have in common is written here as three rules, the first of which that finds a letter decides:

    1. said     "the answer is B", "I would choose option (c)", "it is likely **D**", "答案是B"
    2. marked   a letter by itself with a mark after it or round it: "B.", "(b)", "**b)", "\"b\""
    3. alone    the answer is the letter and nothing else

Of several letters by one rule, the first in the text counts. A small "a" before another word is the article.
"""

import re

_AFTER = r"""(?=\s*(?:$|[.,:;!?)\]}"'’*\\。，：]|\s\())"""
_OPENING = r"""[\s:*"'‘“(\[{}\\$\-]*(?:\\?(?:boxed|text|textbf|mathbf)\{\s*)*"""
_LETTER = r"(?<![a-z])([a-d])(?![a-z0-9]|['’][a-z])"
_HEDGES = (
    r"(?:therefore|likely|most likely|typically|often|probably|clearly|definitely|the|to|letter|answer|option"
    r"|choice|选项)"
)
_NO_ARTICLE = r"(?-i:(?<=[A-Db-d])(?=\s|$))"
_SAID = re.compile(
    r"(?:\b(?:answer|option|choice|is|be|was|as|with|say|select|choose|suggests|pick|to)\b|答案[是选]|选项?|是)"
    rf"(?:{_OPENING}{_HEDGES}\b)*{_OPENING}{_LETTER}(?:{_AFTER}|{_NO_ARTICLE})",
    re.IGNORECASE,
)
_CALLED_RIGHT = re.compile(
    rf"{_LETTER}\W{{0,3}}\s*(?:is (?:the )?(?:best|correct|right)|would be|是正确|是最合适)", re.IGNORECASE
)
_MARKED = re.compile(rf"""(?:(?<=[\s*"'(\[])|^){_LETTER}(?=\)|\.|,|:|"|\*\*|\])""", re.IGNORECASE)
_TURN_MARK = re.compile(r"^<[123]>\s*")


def chosen_letter(response: str) -> str | None:
    """Return A to D, or None where none of the rules finds one."""
    text = without_turn_marks(response)
    for rule in (_SAID, _CALLED_RIGHT, _MARKED):
        if found := rule.search(text):
            return found[1].upper()
    alone = text.strip(".*()\"' \n").upper()
    return alone if alone in {"A", "B", "C", "D"} else None


def without_turn_marks(response: str) -> str:
    """Some speech models leave the marks of their chat template in an answer; VoiceBench takes these away."""
    return _TURN_MARK.sub("", response).replace("<|turn_end|>", "").removesuffix("<|user|>").strip()
