"""Dates and times of day, as Americans say them."""

import re

from agent.speech_text.numbers import cardinal, digits, ordinal, plural, year
from agent.speech_text.rule import Rule, any_of, before

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MONTH_NAMES = {name: name for name in MONTHS} | {name[:3]: name for name in MONTHS} | {"Sept": "September"}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAY_NAMES = {name[:3]: name for name in _WEEKDAYS} | {
    "Tues": "Tuesday",
    "Thur": "Thursday",
    "Thurs": "Thursday",
    **{name: name for name in _WEEKDAYS},
}

_MONTH = rf"{any_of(_MONTH_NAMES)}\b\.?"
_DAY = r"(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
_WEEKDAY = rf"{any_of(_WEEKDAY_NAMES)}\b\.?"
# The last full stop of "p.m." is a part of it only where the sentence goes on.
_HALF = r"(?:[AaPp]\.[Mm](?:\.(?!\s{0,9}$|\s{1,9}[A-Z]))?|[AaPp][Mm]\b)"
_CLOCK = rf"(?:(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?:\s?{_HALF})?|(?:1[0-2]|0?[1-9])\s?{_HALF})(?![\w:])"
_CLOCK_PARTS = re.compile(r"(?P<hour>\d+)(?::(?P<minute>\d\d))?(?::(?P<second>\d\d))?\s?(?P<half>[AaPp])?")
_TO = r"\s?[-–—]\s?"


def _clock(match: re.Match[str]) -> str:
    return _said_clock(match["clock"])


def _clock_range(match: re.Match[str]) -> str:
    return f"{_said_clock(match['from'])} to {_said_clock(match['until'])}"


def _said_clock(written: str) -> str:
    parts = _CLOCK_PARTS.match(written)
    assert parts is not None
    hour, minute, second, half = parts["hour"], parts["minute"], parts["second"], parts["half"]
    said = [cardinal(hour), *(_said_minute(part) for part in (minute, second) if part)]
    if minute == "00" and second is None:
        # "9:00 AM" is nine A M, "9:00" nine o'clock, "17:00" seventeen hundred.
        said = said[:1] if half else [said[0], "o'clock" if int(hour) <= 12 else "hundred"]
    return " ".join([*said, *([half.upper(), "M"] if half else [])])


def _said_minute(written: str) -> str:
    if written == "00":
        return "zero zero"
    return f"{'oh ' if written < '10' else ''}{cardinal(written)}"


def _date(month: str, day: str, of_year: str) -> str:
    return f"{MONTHS[int(month) - 1]} {ordinal(day)} , {_said_year(of_year)}"


def _said_year(written: str) -> str:
    return (
        year(int(written)) if len(written) == 4 else digits(written) if written < "10" else cardinal(written)
    )


def _iso_date(match: re.Match[str]) -> str:
    if not (1 <= int(match["month"]) <= 12 and 1 <= int(match["day"]) <= 31):
        return " , ".join(digits(part) for part in match[0].split("-"))
    said = _date(match["month"], match["day"], match["year"])
    return f"{said} , {_said_clock(match['at'])}" if match["at"] else said


def _date_of_figures(match: re.Match[str]) -> str:
    """Month first with slashes, day first with points; the other way round where only that is a date."""
    first, second = match["first"], match["second"]
    month, day = (first, second) if "/" in match[0] else (second, first)
    if int(month) > 12:
        month, day = day, month
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return " slash ".join(cardinal(part) for part in (first, second, match["year"]))
    return _date(month, day, match["year"])


def _month_and_day(match: re.Match[str]) -> str:
    last = f" to {_said_day(match['last_day'])}" if match["last_day"] else ""
    return f"{_said_month(match['month'])} {_said_day(match['day'])}{last}"


def _day_and_month(match: re.Match[str]) -> str:
    first = f"{_said_day(match['first_day'])} to the " if match["first_day"] else ""
    return f"the {first}{_said_day(match['day'])} of {_said_month(match['month'])}"


def _month_and_year(match: re.Match[str]) -> str:
    return f"{_said_month(match['month'])} {year(int(match['year']))}"


def _said_day(written: str) -> str:
    return ordinal(re.sub(r"\D", "", written))


def _said_month(written: str) -> str:
    return _MONTH_NAMES[written.rstrip(".")]


def _weekdays(match: re.Match[str]) -> str:
    first, last = (_WEEKDAY_NAMES[match[part].rstrip(".")] for part in ("first", "last"))
    return f"{first} to {last}"


_FOR_A_TIME = re.compile(
    r"(?:\b(?:for|wait|after|every|within|about|took|takes|lasts?|under|in|only)|[:~=<>])\s?$", re.IGNORECASE
)


def _decade(match: re.Match[str]) -> str:
    """ "the 80s", "1980s", "747s"; but "wait 30s" tells seconds."""
    written = match["decade"]
    if len(written) == 4:
        return plural("thousand" if written == "1000" else year(int(written)))
    is_decade = len(written) == 2 and written.endswith("0") and written >= "20"
    if is_decade and not _FOR_A_TIME.search(before(match)):
        return plural(cardinal(written))
    if written in {"10", "100"}:
        return {"10": "tens", "100": "hundreds"}[written]
    if len(written) == 3 and not written.endswith("0"):
        return f"{cardinal(written[0])} {plural(cardinal(written[1:]))}"
    return f"{cardinal(written)} seconds"


DATES = (
    Rule(
        r"(?<![\w-])(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
        r"(?:[T ](?P<at>\d\d:\d\d)(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?(?![\w-])",
        _iso_date,
    ),
    Rule(
        r"(?<![\w/.])(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<year>\d{4}|\d\d)(?![\w/])",
        _date_of_figures,
    ),
    Rule(
        r"(?<![\w/.])(?P<first>0?[1-9]|[12]\d|3[01])\.(?P<second>0?[1-9]|1[0-2])\.(?P<year>(?:19|20)\d\d)(?![\w/]|\.\d)",
        _date_of_figures,
    ),
    Rule(
        rf"\b(?P<month>{_MONTH})\s(?P<day>{_DAY})(?:{_TO}(?P<last_day>{_DAY}))?(?![\w%]|[:.,/-]\d)",
        _month_and_day,
    ),
    Rule(
        rf"(?:\b[Tt]he\s)?(?<![\w.,:/-])(?:(?P<first_day>{_DAY}){_TO})?(?P<day>{_DAY})\s(?:of\s)?(?P<month>{_MONTH})(?!\w)",
        _day_and_month,
    ),
    Rule(rf"\b(?P<month>{_MONTH})\s(?P<year>\d{{4}})(?![\w-])", _month_and_year),
    Rule(rf"\b(?P<first>{_WEEKDAY}){_TO}(?P<last>{_WEEKDAY})(?!\w)", _weekdays),
    Rule(rf"(?<![\w.:])(?P<from>{_CLOCK}|\d{{1,2}}){_TO}(?P<until>{_CLOCK})", _clock_range),
    Rule(rf"(?<![\w.:])(?P<clock>{_CLOCK})", _clock),
    Rule(r"(?<![\w.,])['’‘]?(?P<decade>1[1-9]\d0|20\d0|1000|\d{1,3})['’]?s\b", _decade),
)
