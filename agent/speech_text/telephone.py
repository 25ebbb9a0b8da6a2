"""Telephone numbers and other numbers that are said digit by digit, in their groups."""

import re

from agent.speech_text.numbers import digits
from agent.speech_text.rule import Rule, before

_NOT_AFTER = r"(?<![\w.,/$€£¥+-])"
_NOT_BEFORE = r"(?![\w/%]|[-.,:]\d)"
_WRITTEN = (
    r"(?:\+?\d{1,3}[-. ]?)?\(\d{2,5}\)[-. ]?\d{3,4}[-. ]\d{3,5}",
    r"\+\d(?:(?:[-. ]| \(|\) ?)?\d){6,14}",
    *(rf"(?:\d{{1,3}}{sign})?\d{{3}}{sign}\d{{3}}{sign}\d{{4}}" for sign in ("-", r"\.", "[ ]")),
    # "200-1500" is a range, "555-0123" is not.
    r"[2-9]\d{2}-(?!\d\d00\b)\d{4}",
    r"(?:(?<=[Cc]all )|(?<=[Dd]ial )|(?<= at ))\d{3} \d{4}",
    r"\(0\)\d{2,4} \d{3,4} \d{3,4}",
    r"0\d{2,4}[- ]\d{3,4}(?:[- ]\d{3,4})?",
    r"\d{4}(?:[ -]\d{4}){2,4}",
    r"\d{1,6}(?:-\d{1,6}){2,6}",
)
# Words after which a number is a name: "dial 911", "the ZIP code is 90210".
_NAMED = re.compile(
    r"\b(?:call|dial|ring|phone|text|press|code|pin|extension|ext\.|zip|postcode|password|passcode|account"
    r"|isbn|serial|flight)(?:\s(?:number|code|is|was|to))*\s?:?\s$",
    re.IGNORECASE,
)
_AFTER_STATE = re.compile(r"\b[A-Z]{2}\s$")
_FREEPHONE = {"800": "eight hundred"}


def _telephone(match: re.Match[str]) -> str:
    groups = re.findall(r"\+|\d+", match[0])
    if all(len(group) == 1 for group in groups):
        return digits("".join(group for group in groups if group != "+"))
    said = [_FREEPHONE.get(group) or ("plus" if group == "+" else digits(group)) for group in groups]
    return " , ".join(said).replace("plus , ", "plus ")


def is_code(match: re.Match[str]) -> bool:
    """Whether the words before a number say that it counts nothing."""
    written = match[0]
    if not written.isdigit():
        return False
    if written.startswith("0") and len(written) > 1:
        return True
    if len(written) >= 8 and not written.endswith("00"):
        return True
    front = before(match)
    return bool(_NAMED.search(front) or (len(written) == 5 and _AFTER_STATE.search(front)))


TELEPHONE = (Rule(rf"{_NOT_AFTER}(?:{'|'.join(_WRITTEN)}){_NOT_BEFORE}", _telephone),)
