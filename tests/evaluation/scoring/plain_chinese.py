"""The Chinese number rules a second time, from their description: by scanning, and by arithmetic.

No expression of evaluation/scoring/chinese.py is used, nor its lists: those that the scanner needs are read
from chinese_lists.json anew. Digits are those of ASCII.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import evaluation.scoring

_LISTS = json.loads((Path(evaluation.scoring.__file__).parent / "chinese_lists.json").read_text("utf-8"))
_UNIT_OF_POWER = {1: "十", 2: "百", 3: "千", 4: "万", 8: "亿", 12: "兆", 16: "京", 20: "垓", 24: "秭"}
_UNIT_OF_POWER |= {28: "穰", 32: "沟", 36: "涧", 40: "正", 44: "载"}
_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

_Finder = Callable[[str, int], str]
"""What begins at a place of a text and is to be replaced; "" for nothing."""


def normalise_chinese(text: str) -> str:
    text = "^" + text + "$"
    for finder, read, n_taken_behind in _RULES:
        if finder is _percentage:
            text = text.replace("％", "%")
        anywhere = n_taken_behind is None
        found = list(_anywhere(text, finder) if anywhere else _after_gaps(text, finder, n_taken_behind))
        for one in found:
            before, _, after = text.partition(one)
            text = before + read(one) + after
    while text.startswith("^"):
        text = text[1:]
    while text.endswith("$"):
        text = text[:-1]
    return "".join(" " if character in _LISTS["punctuation"] else character for character in text)


def _after_gaps(text: str, finder: _Finder, n_taken_behind: int) -> Iterator[str]:
    """Where something that is no digit stands before, which is taken with the finding.

    So the next finding needs another one, beyond this finding and what was taken behind it.
    """
    at = 1
    while at < len(text):
        found = finder(text, at) if text[at - 1] not in _DIGITS else ""
        if found:
            yield found
            at += len(found) + n_taken_behind
        at += 1


def _anywhere(text: str, finder: _Finder) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = finder(text, at)
        if found:
            yield found
        at += max(len(found), 1)


def _run(text: str, at: int, of: str, longest: int = 10**9) -> str:
    end = at
    while end < len(text) and text[end] in of and end - at < longest:
        end += 1
    return text[at:end]


def _first_of(text: str, at: int, candidates: list[str]) -> str | None:
    return next((candidate for candidate in candidates if text.startswith(candidate, at)), None)


def _number(text: str, at: int) -> str:
    whole = _run(text, at, _DIGITS)
    if whole and text[at + len(whole) : at + len(whole) + 1] == ".":
        decimals = _run(text, at + len(whole) + 1, _DIGITS)
        if decimals:
            return f"{whole}.{decimals}"
    return whole


def _date(text: str, at: int) -> str:
    year = ""
    two, four = text[at : at + 2], text[at : at + 4]
    if two[:1] in ("0", "8", "9") and len(_run(text, at, _DIGITS, 2)) == 2 and text[at + 2 : at + 3] == "年":
        year = two + "年"
    elif two in ("19", "20") and len(_run(text, at, _DIGITS, 4)) == 4 and text[at + 4 : at + 5] == "年":
        year = four + "年"
    at += len(year)
    month = _run(text, at, _DIGITS, 2)
    if not month or text[at + len(month) : at + len(month) + 1] != "月":
        return year
    at += len(month) + 1
    day = _run(text, at, _DIGITS, 2)
    mark = text[at + len(day) : at + len(day) + 1]
    return year + month + "月" + (day + mark if day and mark in ("日", "号") and mark else "")


def _currency_unit(text: str, at: int) -> str:
    magnitudes = _LISTS["currency_magnitudes"]
    followed = [
        f"{one}{unit}" for unit in _LISTS["currency_units_after_a_magnitude"] for one in [*magnitudes, ""]
    ]
    return _first_of(text, at, [*magnitudes, *followed, *_LISTS["currency_units"]]) or ""


def _money(text: str, at: int) -> str:
    number = _number(text, at)
    for candidate in (number, number.partition(".")[0]):
        end = at + len(candidate)
        if candidate and text[end : end + 1] in ("多", "余", "几"):
            end += 1
        unit = _currency_unit(text, end)
        if candidate and unit:
            end += len(unit)
            if text[end : end + 1] and text[end] in _DIGITS:
                end += 1
                end += len(_currency_unit(text, end))
            return text[at:end]
    return ""


def _mobile(text: str, at: int) -> str:
    start = at
    if text.startswith("+", at) and text.startswith("86", at + 1):
        at += 1
    with_code = at
    if text.startswith("86", at):
        with_code = at + 2 + (text[at + 2 : at + 3] == " ")
    for begin in (with_code, start):
        digits = _run(text, begin, _DIGITS)
        if len(digits) != 11 or digits[0] != "1":
            continue
        second, third = digits[1], digits[2]
        if second in "38" or (second == "5" and third in "012356789") or (second, third) in _OTHER_PREFIXES:
            return text[start : begin + 11]
    return ""


_OTHER_PREFIXES = {("7", "6"), ("7", "7"), ("7", "8"), ("9", "8"), ("9", "9")}


def _area(text: str, at: int) -> str:
    three, four = text[at : at + 3], text[at : at + 4]
    if three in ("010", "021", "022", "023"):
        return three
    is_other = len(_run(text, at, _DIGITS, 4)) == 4 and four[0] == "0" and four[1] in "3456789"
    return four if is_other else ""


def _landline(text: str, at: int) -> str:
    area = _area(text, at)
    if area:
        begin = at + len(area)
        begin += text[begin : begin + 1] == "-"
        if _is_local(_run(text, begin, _DIGITS)):
            return text[at:begin] + _run(text, begin, _DIGITS)
    local = _run(text, at, _DIGITS)
    return local if _is_local(local) else ""


def _is_local(digits: str) -> bool:
    return len(digits) in (7, 8) and digits[0] != "0"


def _fraction(text: str, at: int) -> str:
    over = _run(text, at, _DIGITS)
    under = (
        _run(text, at + len(over) + 1, _DIGITS) if text[at + len(over) : at + len(over) + 1] == "/" else ""
    )
    return f"{over}/{under}" if over and under else ""


def _percentage(text: str, at: int) -> str:
    number = _number(text, at)
    return number + "%" if number and text[at + len(number) : at + len(number) + 1] == "%" else ""


def _counted(text: str, at: int) -> str:
    number = _number(text, at)
    for candidate in (number, number.partition(".")[0]):
        end = at + len(candidate)
        ends = [end + 1, end] if text[end : end + 1] in ("多", "余", "几") else [end]
        if candidate and any(
            _first_of(text, place, _LISTS["measure_words"]) for place in ends if text[place:]
        ):
            return candidate
    return ""


def _long(text: str, at: int) -> str:
    digits = _run(text, at, _DIGITS, 32)
    return digits if len(digits) >= 4 else ""


def _with_two_between_letters(text: str, at: int) -> str:
    before = _run(text, at, _LETTERS)
    two = text[at + len(before) : at + len(before) + 1]
    after = _run(text, at + len(before) + 1, _LETTERS)
    return before + two + after if before and two == "二" and after else ""


def read_integer(value: int, width: int) -> str:
    """A number of that many digits, zeros in front included."""
    if value == 0:
        return ""
    if value < 10:
        return ("零" if width > 1 else "") + read_digits(str(value))
    power = max(power for power in _UNIT_OF_POWER if 10**power <= value)
    high, low = divmod(value, 10**power)
    return read_integer(high, width - power) + _UNIT_OF_POWER[power] + read_integer(low, power)


def read_digits(digits: str) -> str:
    return "".join("零一二三四五六七八九"[int(digit)] for digit in digits if digit in _DIGITS)


def read_number(number: str) -> str:
    whole, point, decimals = number.partition(".")
    read = read_integer(int(whole), len(whole)) if len(whole) > 1 else read_digits(whole)
    for power, unit in _UNIT_OF_POWER.items():
        if power == 1:
            continue
        if read.startswith("二" + unit):
            read = "两" + read[1:]
        for before in (unit for power, unit in _UNIT_OF_POWER.items() if power > 1):
            read = read.replace(f"{before}二{unit}", f"{before}两{unit}")
    if point and not read:
        read = "零"
    elif read.startswith("一十"):
        read = read[1:]
    return read + ("点" + read_digits(decimals) if point else "")


def read_date(date: str) -> str:
    read = ""
    for mark in "年月日号":
        if mark in date:
            number, _, date = date.partition(mark)
            read += (read_digits(number) if mark == "年" else read_number(number)) + mark
    return read


def read_money(money: str) -> str:
    read, at = "", 0
    while at < len(money):
        number = _number(money, at)
        read += read_number(number) if number else money[at]
        at += max(len(number), 1)
    return read


def read_fraction(fraction: str) -> str:
    over, _, under = fraction.partition("/")
    return read_number(under) + "分之" + read_number(over)


# The last: how many characters behind it a finding takes with it, where it takes the gap before it; or None.
_RULES: list[tuple[_Finder, Callable[[str], str], int | None]] = [
    (_date, read_date, 0),
    (_money, read_money, 0),
    (_mobile, read_digits, 1),
    (_landline, read_digits, 1),
    (_fraction, read_fraction, None),
    (_percentage, lambda found: "百分之" + read_number(found[:-1]), None),
    (_counted, read_number, None),
    (_long, read_digits, None),
    (_number, read_number, None),
    (_with_two_between_letters, lambda found: found.replace("二", "2"), None),
]
