"""Numbers as English words: cardinals, ordinals, years, digits; and the ways to write an amount."""

import re
from collections.abc import Callable

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", "thousand", "million", "billion", "trillion")
_CARDINAL_DIGITS = 3 * len(_SCALES)
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(number: int | str) -> str:
    """42 -> "forty-two"; from a quadrillion on, digit by digit.

    number: not negative; as a string, of any length.
    """
    # Python turns at most 4,300 digits into a number.
    written = str(number).lstrip("0") or "0"
    if len(written) > _CARDINAL_DIGITS:
        return digits(written)
    value = int(written)
    if value == 0:
        return _ONES[0]
    groups = []
    for scale in _SCALES:
        value, group = divmod(value, 1000)
        if group:
            groups.append(f"{_below_thousand(group)} {scale}".rstrip())
    return " ".join(reversed(groups))


def ordinal(number: int | str) -> str:
    """21 -> "twenty-first"."""
    return _with_last_word(cardinal(number), _ordinal_word)


def plural(words: str) -> str:
    """ "nineteen eighty" -> "nineteen eighties"."""
    return _with_last_word(words, _plural_word)


def year(number: int) -> str:
    """1815 -> "eighteen fifteen"; 2007 -> "two thousand seven"."""
    century, rest = divmod(number, 100)
    if not 1000 < number < 10_000 or 2000 <= number < 2010 or number % 1000 == 0:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def decimal(whole: str, fraction: str) -> str:
    """("3", "14") -> "three point one four"; without a fraction, the cardinal."""
    return f"{cardinal(whole)} point {digits(fraction)}" if fraction else cardinal(whole)


def digits(text: str) -> str:
    """ "404" -> "four zero four"."""
    return " ".join(_ONES[int(digit)] for digit in text)


# How amounts are written -------------------------------------------------------------------

_GROUPED = r"\d{1,3}(?:,\d{3})++(?!\d)"
# A plain space may also stand between two numbers: it groups digits where the number is round, or starts a
# series of groups with less than three. A no-break space always groups.
_SPACED = (
    r"(?:\d{1,2}(?:[ \u00a0\u202f]\d{3})+|\d{3}(?:[ \u00a0\u202f]000)+|\d{3}(?:[\u00a0\u202f]\d{3})+)"
    r"(?!\d|[-/:]\d)"
)
_EUROPEAN = r"(?:\d{1,3}(?:\.\d{3})++,\d{1,2}(?!\d)|\d{1,3}(?:\.\d{3}){2,4}(?![.\d]))"
WHOLE = rf"(?:{_GROUPED}|{_SPACED}|\d++)"
AMOUNT = rf"(?:{_EUROPEAN}|{WHOLE}(?:\.\d++)?|\.\d++)"
"""A pattern: "1,234.5", "10 000", "1.234,56", ".5"."""


def split_amount(written: str) -> tuple[str, str]:
    """ "1,234.50" -> ("1234", "50"): the digits of the whole part and of the fraction."""
    if re.search(r"\.\d{3}[,.]|^\d+,\d{1,2}$", written):  # a decimal comma
        written = written.replace(".", "").replace(",", ".")
    whole, _, fraction = re.sub(r"[^\d.]", "", written).partition(".")
    return whole or "0", fraction


def amount(written: str) -> str:
    """ "1,234.5" -> "one thousand two hundred thirty-four point five"."""
    return decimal(*split_amount(written))


def is_one(written: str) -> bool:
    return split_amount(written) == ("1", "")


# Helpers -------------------------------------------------------------------------------------


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest:
        words.append(_below_hundred(rest))
    return " ".join(words)


def _below_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")


def _with_last_word(words: str, change: Callable[[str], str]) -> str:
    place = max(words.rfind(" "), words.rfind("-")) + 1
    return words[:place] + change(words[place:])


def _ordinal_word(word: str) -> str:
    if word in _ORDINALS:
        return _ORDINALS[word]
    return word[:-1] + "ieth" if word.endswith("y") else word + "th"


def _plural_word(word: str) -> str:
    if word.endswith("y"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith("x") else "s")
