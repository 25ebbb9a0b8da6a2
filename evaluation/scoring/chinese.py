"""Chinese as upstream compares it: numbers are written as they are read, punctuation goes.

The rules are those of speechio/chinese_text_normalization with all its switches off, as upstream calls them;
the lists in chinese_lists.json are its own (NOTICE). Each rule finds all its
places in the text as it was before that rule, and then each finding is replaced where its text occurs
*first* in the text as it is by then, which may be elsewhere: 59分59秒 becomes 五十九分五九秒. That is kept.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from evaluation.scoring.chinese_numbers import cardinal, digit_by_digit
from evaluation.scoring.code_points import CharacterTable
from evaluation.scoring.transcript import tidy_without_spaces

SIGNATURE: Final = "speechio-cn_tn|switches:off"

_ANY_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SEVEN_DIGITS = re.compile(r"\d{7}")  # the least that a telephone number has


class ChineseCharacters:
    """Texts as their characters, normalised, one code point each."""

    signature = SIGNATURE

    def units(self, text: str) -> list[str]:
        return list(self.encoded([text])[0])

    def encoded(self, texts: Sequence[str]) -> list[str]:
        """Pieces between spaces that are punctuation alone are no units; punctuation inside a piece is."""
        if not texts:
            return []
        lines = "\n".join([_with_numbers_read(tidy_without_spaces(text)) for text in texts])
        lines = _spaced(lines).lower()
        return ["".join(map(_unless_punctuation, line.split())) for line in lines.split("\n")]


def normalised(text: str) -> str:
    """Numbers as read, and a space for each character of the punctuation list."""
    # The sentinels go together with any ^ and $ beside them, as upstream's do.
    return _spaced(_with_numbers_read(text).lstrip("^").rstrip("$"))


def _with_numbers_read(text: str) -> str:
    """As `normalised`, but with its punctuation, and between ^ and $ where there were numbers."""
    if _ANY_DIGIT.search(text):
        text = f"^{text}$".replace("％", "%")
        for rule in rules():
            if rule.may_apply(text):
                text = rule.applied(text)
    if "二" in text:
        text = LETTERS_TWO_LETTERS.applied(text)
    return text


class Rule(NamedTuple):
    """What it finds, how that is read, and a test that holds wherever it finds something, and is quicker."""

    finds: re.Pattern[str]
    read: Callable[[str], str]
    may_apply: Callable[[str], bool]

    def applied(self, text: str) -> str:
        for found in self.finds.findall(text):
            text = text.replace(found, self.read(found), 1)
        return text


@cache
def rules() -> tuple[Rule, ...]:
    """The number rules in their order, for a text between ^ and $, whose percent signs are those of ASCII.

    Upstream takes all that stands before a date or sum along; one character that is no digit finds the same.
    """
    lists = _lists()
    magnitude = "|".join(lists["currency_magnitudes"])
    after_magnitude = [f"(?:{magnitude})?{unit}" for unit in lists["currency_units_after_a_magnitude"]]
    unit = f"(?:{'|'.join([magnitude, *after_magnitude, *lists['currency_units']])})"
    # Which measure word stands there does not matter, only whether one does.
    short = "".join(word for word in lists["measure_words"] if len(word) == 1)
    measure_word = "|".join([f"[{short}]", *(word for word in lists["measure_words"] if len(word) > 1)])
    month = r"\d{1,2}月(?:\d{1,2}[日号])?"
    date = rf"\D((?:[089]\d|(?:19|20)\d{{2}})年(?:{month})?|{month})"
    money = rf"\D(\d+(?:\.\d+)?[多余几]?{unit}(?:\d{unit}?)?)"
    mobile = r"\D((?:\+?86 ?)?1(?:[38]\d|5[0-35-9]|7[678]|9[89])\d{8})\D"
    landline = r"\D((?:0(?:10|2[1-3]|[3-9]\d{2})-?)?[1-9]\d{6,7})\D"
    counted = rf"(\d+(?:\.\d+)?)[多余几]?(?:{measure_word})"
    return (
        Rule(re.compile(date), _date, lambda text: "年" in text or "月" in text),
        Rule(re.compile(money), _money, lambda text: True),
        Rule(re.compile(mobile), _mobile, _has_seven_digits),
        Rule(re.compile(landline), _landline, _has_seven_digits),
        Rule(re.compile(r"\d+/\d+"), _fraction, lambda text: "/" in text),
        Rule(re.compile(r"\d+(?:\.\d+)?%"), _percentage, lambda text: "%" in text),
        Rule(re.compile(counted), cardinal, lambda text: True),
        Rule(re.compile(r"\d{4,32}"), digit_by_digit, lambda text: True),
        Rule(_NUMBER, cardinal, lambda text: True),
    )


LETTERS_TWO_LETTERS: Final = Rule(
    re.compile(r"[a-zA-Z]+二[a-zA-Z]+"), lambda found: found.replace("二", "2"), lambda text: "二" in text
)
"""After the numbers: O2O and its like, which became O二O."""


def _has_seven_digits(text: str) -> bool:
    return _SEVEN_DIGITS.search(text) is not None


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


@cache
def _lists() -> dict[str, Any]:
    """Alternatives are tried in the order of the lists."""
    return dict(json.loads(files("evaluation.scoring").joinpath("chinese_lists.json").read_text("utf-8")))


@cache
def punctuation() -> frozenset[str]:
    """Each of these becomes a space."""
    return frozenset(_lists()["punctuation"])


_spaced = CharacterTable(lambda character: " " if character in punctuation() else character)


def _unless_punctuation(piece: str) -> str:
    return "" if _is_punctuation(piece[0]) and all(map(_is_punctuation, piece)) else piece


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] == "P"
