"""Numbers in digits, as they are read out in Chinese.

What is read follows the number rules of speechio/chinese_text_normalization (MIT), with its oddities: they
are part of published figures. Digits may be any that Unicode calls decimal; only "0" itself counts as a
leading zero.
"""

from functools import lru_cache
from itertools import pairwise

DIGITS = "零一二三四五六七八九"
_UNITS = dict(enumerate("十百千万", 1)) | {8 + 4 * at: unit for at, unit in enumerate("亿兆京垓秭穰沟涧正载")}
"""By the power of ten."""
_POWERS_DOWNWARDS = sorted(_UNITS, reverse=True)
_UNITS_THAT_TAKE_TWO = frozenset(_UNITS.values()) - {"十"}


def digit_by_digit(number: str) -> str:
    """ "2024" as 二零二四."""
    return "".join([DIGITS[int(digit)] for digit in number])


@lru_cache(maxsize=65_536)
def cardinal(number: str) -> str:
    """ "12.50" as 十二点五零: an integer, or one with decimals."""
    integer, _, decimals = number.partition(".")
    read = _with_two(_integer(integer) if len(integer) > 1 else digit_by_digit(integer))
    if decimals:
        read += "点" + digit_by_digit(decimals)
    if read.startswith("点"):
        return "零" + read
    return read.removeprefix("一") if read.startswith("一十") else read


def _integer(number: str) -> str:
    """With units. Zeros alone are nothing; a last digit behind zeros has one 零 before it."""
    significant = number.lstrip("0")
    if not significant:
        return ""
    if len(significant) == 1:
        return ("零" if len(number) > 1 else "") + digit_by_digit(significant)
    power = next(power for power in _POWERS_DOWNWARDS if power < len(significant))
    return _integer(number[:-power]) + _UNITS[power] + _integer(significant[-power:])


def _with_two(read: str) -> str:
    """两 instead of 二 before a unit, at the start or after a unit; not before or after 十."""
    characters = list(read)
    for at, (character, after) in enumerate(pairwise(read)):
        before = read[at - 1] if at else "千"
        if character == "二" and before in _UNITS_THAT_TAKE_TWO and after in _UNITS_THAT_TAKE_TWO:
            characters[at] = "两"
    return "".join(characters)
