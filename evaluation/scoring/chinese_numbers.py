"""Numbers in digits, as they are read out in Chinese.

What is read follows the number rules of speechio/chinese_text_normalization (MIT), with its oddities: they are
part of published figures. Digits may be any that Unicode calls decimal; only "0" itself counts as a leading zero.
"""

DIGITS = "零一二三四五六七八九"
_UNITS = ((1, "十"), (2, "百"), (3, "千"), (4, "万"), (8, "亿"), (12, "兆"), (16, "京"), (20, "垓"), (24, "秭"))
_LARGE = ((28, "穰"), (32, "沟"), (36, "涧"), (40, "正"), (44, "载"))
_UNITS_DOWNWARDS = tuple(reversed(_UNITS + _LARGE))
_ALL_UNITS = frozenset(unit for _, unit in _UNITS_DOWNWARDS)


def digit_by_digit(number: str) -> str:
    """ "2024" as 二零二四."""
    return "".join([DIGITS[int(digit)] for digit in number])


def cardinal(number: str) -> str:
    """ "12.50" as 十二点五零: an integer, or one with decimals."""
    integer, _, decimals = number.partition(".")
    read = _with_two(_integer(integer) if len(integer) > 1 else digit_by_digit(integer))
    if decimals:
        read += "点" + digit_by_digit(decimals)
    if read.startswith("点"):
        return "零" + read
    return read[1:] if read.startswith("一十") else read


def _integer(number: str) -> str:
    """With units. Zeros alone are nothing; a last digit behind zeros has one 零 before it."""
    significant = number.lstrip("0")
    if not significant:
        return ""
    if len(significant) == 1:
        return ("零" if len(number) > 1 else "") + digit_by_digit(significant)
    power, unit = next((power, unit) for power, unit in _UNITS_DOWNWARDS if power < len(significant))
    return _integer(number[:-power]) + unit + _integer(significant[-power:])


def _with_two(read: str) -> str:
    """两 instead of 二 before a unit, at the start or after a unit; not before or after 十."""
    characters = list(read)
    for at, (character, after) in enumerate(zip(read, read[1:], strict=False)):
        before = read[at - 1] if at else ""
        if character == "二" and _takes_two(after) and (not before or _takes_two(before)):
            characters[at] = "两"
    return "".join(characters)


def _takes_two(unit: str) -> bool:
    return unit in _ALL_UNITS and unit != "十"
