"""Which verdict an answer to one of VoiceBench's BBH questions gives: yes or no, (a) or (b).

Four tasks of BIG-Bench Hard are spoken: navigate ("do you return to the starting point?"), web_of_lies
("does X tell the truth?"), sports_understanding ("is the sentence plausible?") and hyperbaton ("which
sentence has the right order of adjectives?", two options). What each asks for, its references tell: "yes",
"no", "(a)", "(b)".

VoiceBench (src/evaluator/bbh.py) matches several hundred whole phrases that its models have said. Here the
rules behind them: an explicit "the answer is ..." decides, the last one; else a yes or no that the answer
begins with, then one that it ends with; else the last phrase that means either.
"""

import re

from evaluation.scoring.spoken.choices import chosen_letter, without_turn_marks

_MARKS = re.compile(r"""[:"*,.\-–—!?;()：。，]|\s""")
_EXPLICIT = re.compile(
    r"\b(?:answer|conclusion|verdict)(?: to \w+(?: \w+){0,3})?(?: is| would be)?(?: directly| simply)?"
    r" (yes|no)\b"
)
_NOT = r"(?:not|n t|never|cannot|isn t|doesn t|don t|didn t|haven t|wouldn t|won t)"
_FILLER = r"(?: \w+){0,4}? "
_NO = re.compile(
    rf"\b{_NOT}(?:{_FILLER}| )(?:plausible|realistic|likely|possible|sense|accurate|truth|truthful|honest|"
    r"start(?:ed|ing)?|return|back|origin|true)"
    r"|\bunlikely(?: to be \w+)?"
    r"|\b(?:implausible|nonsensical|unrealistic|impossible|lies?|lying|liar|false)\b"
)
_YES = re.compile(
    r"\b(?:plausible|makes sense|the truth|truthful|honest|true|answer is the starting point"
    r"|(?:return(?:s|ed)?|back|end(?:s|ed)? up|be) (?:\w+ ){0,4}?(?:start(?:ed|ing)?|origin))\b"
)


def verdict(response: str, reference: str) -> str | None:
    """The verdict in the words of the references ("yes", "(a)"), or None where there is none to be read.

    reference: tells which pair of verdicts is asked for, and nothing else.
    """
    if reference.strip().lower() in {"(a)", "(b)"}:
        letter = chosen_letter(response) or _option_said(response)
        return f"({letter.lower()})" if letter in {"A", "B"} else None
    return _yes_or_no(response)


def _yes_or_no(response: str) -> str | None:
    text = " ".join(
        _MARKS.sub(" ", without_turn_marks(response).lower().replace("'", " ").replace("’", " ")).split()
    )
    if stated := _EXPLICIT.findall(text):
        return str(stated[-1])
    words = text.split()
    for word in (words[:1], words[-1:]):
        if word in (["yes"], ["no"]):
            return word[0]
    denied = list(_NO.finditer(text))
    # "not plausible" holds "plausible": what lies within a denial affirms nothing.
    affirmed = [
        one for one in _YES.finditer(text) if not any(no.start() <= one.start() < no.end() for no in denied)
    ]
    if not denied and not affirmed:
        return None
    last_no = denied[-1].start() if denied else -1
    last_yes = affirmed[-1].start() if affirmed else -1
    return "yes" if last_yes > last_no else "no"


def _option_said(response: str) -> str | None:
    """The only option that is named, as in "option b has the right order"."""
    text = response.lower()
    named = set(re.findall(r"\b(?:option|sentence|for) ([ab])\b|\b([ab])\W*$", text))
    letters = {one or other for one, other in named}
    letters |= {letter for letter, word in (("a", "first"), ("b", "second")) if f"the {word} option" in text}
    return letters.pop().upper() if len(letters) == 1 else None
