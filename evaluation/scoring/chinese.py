"""Chinese as upstream compares it: numbers in digits are written as read, punctuation goes, characters remain.

The rules are those of speechio/chinese_text_normalization (MIT, Copyright (c) 2020 SpeechIO) with all its
switches off, as upstream calls them; the lists in chinese_lists.json are its own. Each rule finds all its places in
the text as it was before that rule, and then each finding is replaced where its text occurs *first* in the text
as it is by then, which may be elsewhere: 59分59秒 becomes 五十九分五九秒. That is kept.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from evaluation.scoring.chinese_numbers import cardinal, digit_by_digit
from evaluation.scoring.transcript import tidy_without_spaces

SIGNATURE: Final = "speechio-cn_tn|switches:off"

_ANY_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DATE = re.compile(r"\D+((?:(?:[089]\d|(?:19|20)\d{2})年)?(?:\d{1,2}月(?:\d{1,2}[日号])?)?)")
_MOBILE = re.compile(r"\D((?:\+?86 ?)?1(?:[38]\d|5[0-35-9]|7[678]|9[89])\d{8})\D")
_LANDLINE = re.compile(r"\D((?:0(?:10|2[1-3]|[3-9]\d{2})-?)?[1-9]\d{6,7})\D")
_FRACTION = re.compile(r"\d+/\d+")
_PERCENTAGE = re.compile(r"\d+(?:\.\d+)?%")
_LONG_NUMBER = re.compile(r"\d{4,32}")
_LETTERS_TWO_LETTERS = re.compile(r"[a-zA-Z]+二[a-zA-Z]+")


class ChineseCharacters:
    """Texts as their characters, normalised, one code point each."""

    signature = SIGNATURE

    def units(self, text: str) -> list[str]:
        return list(self._of(text))

    def encoded(self, texts: Sequence[str]) -> list[str]:
        return [self._of(text) for text in texts]

    def _of(self, text: str) -> str:
        """Pieces between spaces that are punctuation alone are no units; punctuation inside a piece is."""
        pieces = normalised(tidy_without_spaces(text)).lower().split()
        return "".join([piece for piece in pieces if not _is_punctuation(piece)])


def normalised(text: str) -> str:
    """Numbers as read, and a space for each character of the punctuation list."""
    if _ANY_DIGIT.search(text):
        text = _numbers_read(text)
    if "二" in text:  # O2O and its like, which became O二O
        text = _replaced(text, _LETTERS_TWO_LETTERS.findall(text), lambda found: found.replace("二", "2"))
    return text.lstrip("^").rstrip("$").translate(_lists().spaces_for_punctuation)


def _numbers_read(text: str) -> str:
    """The rules in their order. Each is left out where its text cannot be there: the result is the same."""
    text = f"^{text}$"
    if "年" in text or "月" in text:
        text = _replaced(text, _DATE.findall(text), _date)
    text = _replaced(text, _lists().money.findall(text), _money)
    text = _replaced(text, _MOBILE.findall(text), _mobile)
    text = _replaced(text, _LANDLINE.findall(text), _landline)
    if "/" in text:
        text = _replaced(text, _FRACTION.findall(text), _fraction)
    text = text.replace("％", "%")
    if "%" in text:
        text = _replaced(text, _PERCENTAGE.findall(text), _percentage)
    text = _replaced(text, _lists().number_before_measure_word.findall(text), cardinal)
    text = _replaced(text, _LONG_NUMBER.findall(text), digit_by_digit)
    text = _replaced(text, _NUMBER.findall(text), cardinal)
    # The sentinels go as upstream's do, together with any ^ and $ beside them (`normalised`).
    return text


def _replaced(text: str, findings: Sequence[str], read: Callable[[str], str]) -> str:
    for found in findings:
        text = text.replace(found, read(found), 1)
    return text


def _date(found: str) -> str:
    year, has_year, month_and_day = found.partition("年")
    if not has_year:
        year, month_and_day = "", found
    month, has_month, day = month_and_day.partition("月")
    if not has_month:
        month, day = "", month_and_day
    read_day = cardinal(day[:-1]) + day[-1] if day else ""
    return digit_by_digit(year) + has_year + (cardinal(month) + has_month if has_month else "") + read_day


def _money(found: str) -> str:
    return _NUMBER.sub(lambda number: cardinal(number[0]), found)


def _mobile(found: str) -> str:
    return digit_by_digit(found.lstrip("+").replace(" ", ""))


def _landline(found: str) -> str:
    return digit_by_digit(found.replace("-", ""))


def _fraction(found: str) -> str:
    numerator, _, denominator = found.partition("/")
    return f"{cardinal(denominator)}分之{cardinal(numerator)}"


def _percentage(found: str) -> str:
    return f"百分之{cardinal(found.removesuffix('%'))}"


class _Lists:
    """What chinese_lists.json says, as expressions. Alternatives are tried in the order of the list."""

    def __init__(self) -> None:
        lists = json.loads(files("evaluation.scoring").joinpath("chinese_lists.json").read_text("utf-8"))
        magnitude = "|".join(lists["currency_magnitudes"])
        units = "|".join(f"(?:{magnitude})?{unit}" for unit in lists["currency_units_after_a_magnitude"])
        unit = f"(?:{magnitude}|{units}|{'|'.join(lists['currency_units'])})"
        self.money = re.compile(rf"\D+(\d+(?:\.\d+)?[多余几]?{unit}(?:\d{unit}?)?)")
        measure_words = "|".join(lists["measure_words"])
        self.number_before_measure_word = re.compile(rf"(\d+(?:\.\d+)?)[多余几]?(?:{measure_words})")
        self.spaces_for_punctuation = str.maketrans(dict.fromkeys(lists["punctuation"], " "))


@cache
def _lists() -> _Lists:
    return _Lists()


def _is_punctuation(piece: str) -> bool:
    return all(unicodedata.category(character)[0] == "P" for character in piece)
