"""What is done to a transcript before any normaliser sees it: the model's special tokens and stray spaces go.

Source: upstream's `remove_sp` (eval_audio/evaluate_asr.py:117-124), applied to references and answers alike.
"""

import re

_SPECIAL_TOKEN = re.compile(r"<\|.*?\|>")
_SPACE_BEFORE_MARK = re.compile(r" ([!,.?;:])")

MARKS = "!,.?;:"
"""A space before one of these goes."""


def tidy(text: str) -> str:
    """Without `<|…|>`, one space for any white space, none before a mark, none at either end."""
    if "<|" in text:
        text = _SPECIAL_TOKEN.sub(" ", text)
    text = " ".join(text.split())
    return _SPACE_BEFORE_MARK.sub(r"\1", text) if " " in text else text


def tidy_without_spaces(text: str) -> str:
    """The same for Chinese, which is compared without any white space."""
    if "<|" in text:
        text = _SPECIAL_TOKEN.sub(" ", text)
    return "".join(text.split())
