"""Numbers by themselves: signs, ranges, ratios, fractions, decimals, ordinals, years."""

import re

from agent.speech_text.measures import UNIT, said_unit
from agent.speech_text.numbers import (
    AMOUNT,
    WHOLE,
    amount,
    cardinal,
    decimal,
    digits,
    ordinal,
    split_amount,
    year,
)
from agent.speech_text.rule import Rule, after
from agent.speech_text.telephone import is_code

_VULGAR = {
    "½": "a half",
    "¼": "a quarter",
    "¾": "three quarters",
    "⅓": "a third",
    "⅔": "two thirds",
    "⅛": "an eighth",
    "⅜": "three eighths",
    "⅝": "five eighths",
    "⅞": "seven eighths",
}
_FIXED = {
    "24/7": "twenty-four seven",
    "9/11": "nine eleven",
    "50/50": "fifty fifty",
    "20/20": "twenty twenty",
}
_SCALES = {"k": "thousand", "K": "thousand", "M": "million", "B": "billion", "bn": "billion"}
_SIGN = r"(?<![\w.)])[-−–]"
_AND_UNIT = rf"(?:\s(?P<unit>{UNIT}))?"


def _fraction(match: re.Match[str]) -> str:
    if match[0] in _FIXED:
        return _FIXED[match[0]]
    top, bottom = int(match["top"]), int(match["bottom"])
    if bottom in {10, 100} or match["tenths"] or re.match(r"\sstars?\b", after(match)):
        return f"{amount(match['top'] + (match['tenths'] or ''))} out of {cardinal(bottom)}"
    said = (
        _said_fraction(top, bottom) if _is_part(top, bottom) else f"{cardinal(top)} over {cardinal(bottom)}"
    )
    return said + _unit_after(match, is_single=True)


def _mixed_fraction(match: re.Match[str]) -> str:
    top, bottom = int(match["top"]), int(match["bottom"])
    if not _is_part(top, bottom):
        return f"{cardinal(match['whole'])} {cardinal(top)} over {cardinal(bottom)}"
    return (
        f"{cardinal(match['whole'])} and {_said_fraction(top, bottom)}{_unit_after(match, is_single=False)}"
    )


def _is_part(top: int, bottom: int) -> bool:
    return 2 <= bottom <= 20 and 0 < top < bottom


def _unit_after(match: re.Match[str], is_single: bool) -> str:
    return f" {said_unit(match['unit'], is_single)}" if match["unit"] else ""


def _said_fraction(top: int, bottom: int) -> str:
    if bottom == 2:
        return f"{cardinal(top)} half"
    part = "quarter" if bottom == 4 else ordinal(bottom)
    return f"{cardinal(top)} {part}{'' if top == 1 else 's'}"


def _vulgar_fraction(match: re.Match[str]) -> str:
    said = _VULGAR[match["vulgar"]]
    if not match["whole"]:
        return said + _unit_after(match, is_single=True)
    return f"{cardinal(match['whole'])} and {said}{_unit_after(match, is_single=False)}"


def _range(match: re.Match[str]) -> str:
    """ "pages 10-20" is a range, "10 - 3" and "5 - 8 =" are subtractions."""
    low, high = match["low"], match["high"]
    is_spaced = match[0][len(low)] == " "
    is_equation = bool(re.match(r"\s?=", after(match)))
    falls = float(".".join(split_amount(low))) > float(".".join(split_amount(high)))
    return f"{_said(low)} {'minus' if is_equation or (is_spaced and falls) else 'to'} {_said(high)}"


def _ratio(match: re.Match[str]) -> str:
    return f"{cardinal(match['left'])} to {cardinal(match['right'])}"


def _scaled(match: re.Match[str]) -> str:
    return f"{amount(match['number'])} {_SCALES[match['scale']]}"


def _scientific(match: re.Match[str]) -> str:
    minus = "minus " if match["power_sign"] == "-" else ""
    return f"{amount(match['number'])} times ten to the power of {minus}{cardinal(match['power'])}"


def _number(match: re.Match[str]) -> str:
    written = match["number"]
    if match["minus"]:
        return f"minus {_said(written)}"
    return digits(written) if is_code(match) else _said(written)


def _said(written: str) -> str:
    if len(written) > 1 and written.isdecimal() and written.startswith("0"):
        return digits(written)
    # Four figures without a comma are a year more often than a count.
    if re.fullmatch(r"1[1-9]\d\d|20\d\d", written):
        return year(int(written))
    return decimal(*split_amount(written))


FRACTIONS = (
    Rule(
        r"(?<![\w/.,-])(?P<whole>\d{1,4})(?:[ ]|-|[ ]and[ ])"
        rf"(?P<top>\d{{1,2}})[/⁄](?P<bottom>\d{{1,2}})(?![\w/]|\.\d){_AND_UNIT}",
        _mixed_fraction,
    ),
    Rule(
        r"(?<![\w/.,])(?P<top>\d{1,3})(?P<tenths>\.\d)?[/⁄](?P<bottom>\d{1,3})(?![\w/]|\.\d)" + _AND_UNIT,
        _fraction,
    ),
    Rule(
        rf"(?:(?<![\w.,])(?P<whole>\d{{1,9}})\s?)?(?P<vulgar>[{''.join(_VULGAR)}]){_AND_UNIT}",
        _vulgar_fraction,
    ),
)
FIGURES = (
    Rule(
        rf"(?<![\w.,])(?P<ordinal>{WHOLE})(?:st|nd|rd|th)\b",
        lambda match: ordinal(split_amount(match["ordinal"])[0]),
    ),
    Rule(rf"(?<![\w.,-])(?P<low>{AMOUNT})\s?[-–—]\s?(?P<high>{AMOUNT})(?!\w|[.-]\d)", _range),
    Rule(r"(?<![\w.,:])(?P<left>\d{1,3}):(?P<right>\d{1,3})(?![\w:]|\.\d)", _ratio),
    Rule(rf"(?<![\w.,])(?P<number>{AMOUNT})(?P<scale>(?<!\b\d)K|[kMB]|bn)(?!\w|\s[A-Z])", _scaled),
    Rule(
        r"(?<![\w.,])(?P<number>\d{1,4}(?:\.\d{1,20})?)[eE](?P<power_sign>[+-])?(?P<power>\d{1,3})(?!\w)",
        _scientific,
    ),
    Rule(rf"(?P<minus>{_SIGN})?(?P<number>(?<![\w]){AMOUNT}|{WHOLE})", _number),
)
