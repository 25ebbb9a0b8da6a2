"""Sums of money."""

import re

from agent.speech_text.numbers import AMOUNT, amount, cardinal, is_one, split_amount
from agent.speech_text.rule import Rule, after, any_of, before

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "CHF": ("franc", "francs", "centime", "centimes"),
}
_CODES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion"}
_SCALE_WORDS = ("thousand", "million", "billion", "trillion")

_SIGN = r"(?:(?:US|CA|AU|NZ|HK|[CAS])?\$|[€£¥₹])"
_NUMBER = rf"(?:\d{{1,9}},\d\d(?!\d)|{AMOUNT})"
_SCALE = rf"(?:\s?{any_of(_SCALE_WORDS)}\b|(?:bn|mn|[kKmMbBT])\b)"
_TO = r"\s?[-–—]\s?"
_MINUS = r"(?<![\w)])[-−–]"
_AFTER_ARTICLE = re.compile(r"\b[Aa]n?\s$")
_SCALED = re.compile(rf"(?P<number>{_NUMBER})\s?(?P<scale>[A-Za-z]+)?")


def _sum(match: re.Match[str]) -> str:
    minus = "minus " if match["minus"] or match["late_minus"] else ""
    said = _said(match["number"], match["scale"], match["sign"], _is_adjective(match))
    return minus + said + (f" per {match['per']}" if match["per"] else "")


def _sum_with_code(match: re.Match[str]) -> str:
    return _said(match["number"], match["scale"], match["sign"], is_adjective=False)


def _range(match: re.Match[str]) -> str:
    low, high = (_SCALED.match(match[part].lstrip("$€£¥₹USCANZHK ")) for part in ("low", "high"))
    assert low is not None
    assert high is not None
    said = _said(high["number"], high["scale"], match["sign"], is_adjective=False)
    if split_amount(low["number"])[1] and not low["scale"]:
        return f"{_said(low['number'], None, match['sign'], is_adjective=False)} to {said}"
    return f"{amount(low['number'])}{_scale(low['scale'])} to {said}"


def _is_adjective(match: re.Match[str]) -> bool:
    """ "a £5 note": then the currency stays in the singular."""
    return bool(_AFTER_ARTICLE.search(before(match)) and re.match(r"[ -][a-z]", after(match)))


def _said(number: str, scale: str | None, sign: str, is_adjective: bool) -> str:
    one, many, small_one, small_many = _CURRENCIES[
        _CODES.get(sign, sign[-1] if sign[-1] in "$€£¥₹" else sign)
    ]
    if is_adjective:
        many, small_many = one, small_one
    whole, fraction = split_amount(number)
    if scale or len(fraction) > 2:
        return f"{amount(number)}{_scale(scale)} {many}"
    small = int(fraction.ljust(2, "0")[:2]) if fraction else 0
    cents = f"{cardinal(small)} {small_one if small == 1 else small_many}"
    if small and not int(whole[:20]):
        return cents
    said = f"{cardinal(whole)} {one if is_one(whole) else many}"
    return f"{said} and {cents}" if small else said


def _scale(written: str | None) -> str:
    return f" {_SCALES.get(written.strip().lower(), written.strip())}" if written else ""


MONEY = (
    Rule(
        rf"(?P<low>(?P<sign>{_SIGN})\s?{_NUMBER}{_SCALE}?){_TO}(?P<high>{_SIGN}?\s?{_NUMBER}{_SCALE}?)(?!\w)",
        _range,
    ),
    Rule(
        rf"(?P<minus>{_MINUS})?(?P<sign>{_SIGN})(?P<late_minus>[-−])?\s?(?P<number>{_NUMBER})(?P<scale>{_SCALE})?"
        r"(?:/(?P<per>[a-z]{1,12})\b)?",
        _sum,
    ),
    Rule(
        rf"(?<![\w.,])(?P<number>{_NUMBER})(?P<scale>{_SCALE})?\s?"
        rf"(?P<sign>[€£¥₹]|{any_of([*_CODES, 'CHF'])}\b)",
        _sum_with_code,
    ),
)
