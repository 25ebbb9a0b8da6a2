"""Written text -> what is said: markup goes, figures and symbols become words. Pure.

Every piece remembers how far into the text it reaches, so that "what has been spoken" can be told
in characters of the text that the user reads.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from agent.speech_text.numbers import cardinal, decimal, digits, ordinal, year


@dataclass(frozen=True, slots=True)
class Piece:
    """spoken: words to say, or one of the pauses `, . ? ! ; :`. end: where its source ends in the text.

    Of a source that becomes several words ("$3"), only the last one reaches its end.
    """

    spoken: str
    end: int

    @property
    def is_pause(self) -> bool:
        return self.spoken in PAUSES


PAUSES = frozenset(",.?!;:")


def pieces(text: str) -> list[Piece]:
    """What is said for the text, in order; [] when there is nothing to say."""
    said: list[Piece] = []
    reached = 0
    for match in _WRITTEN.finditer(text):
        start = match.start()
        words = _SPELLED[match.lastgroup or ""](match).split()
        for number, word in enumerate(words, start=1):
            said.append(Piece(word, match.end() if number == len(words) else max(start, reached)))
        reached = match.end()
    return _without_double_pauses(said)


def speakable(text: str) -> str:
    """The same as one string, for synthesisers that take text."""
    return re.sub(r" (?=[,.?!;:])", "", " ".join(piece.spoken for piece in pieces(text)))


def _without_double_pauses(said: list[Piece]) -> list[Piece]:
    """One pause between words, the strongest; none before the first word."""
    kept: list[Piece] = []
    for piece in said:
        if not piece.is_pause or (kept and not kept[-1].is_pause):
            kept.append(piece)
        elif kept:
            stronger = max(kept[-1].spoken, piece.spoken, key=_STRENGTH.index)
            kept[-1] = Piece(stronger, piece.end)
    return kept


_STRENGTH = ",;:.!?"


# What is written, and how it is said ----------------------------------------------------

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
}
_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"),
    "m/s": ("meter per second", "meters per second"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "lbs": ("pound", "pounds"),
    "lb": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ft": ("foot", "feet"),
    "ml": ("milliliter", "milliliters"),
    "mL": ("milliliter", "milliliters"),
    "ms": ("millisecond", "milliseconds"),
    "GB": ("gigabyte", "gigabytes"),
    "MB": ("megabyte", "megabytes"),
    "kB": ("kilobyte", "kilobytes"),
    "KB": ("kilobyte", "kilobytes"),
    "TB": ("terabyte", "terabytes"),
    "GHz": ("gigahertz", "gigahertz"),
    "MHz": ("megahertz", "megahertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "Hz": ("hertz", "hertz"),
    "kW": ("kilowatt", "kilowatts"),
    "W": ("watt", "watts"),
    "V": ("volt", "volts"),
    "m": ("meter", "meters"),
    "g": ("gram", "grams"),
    "L": ("liter", "liters"),
    "l": ("liter", "liters"),
    "s": ("second", "seconds"),
    "h": ("hour", "hours"),
    "%": ("percent", "percent"),
}
ABBREVIATIONS = {
    "Dr.": "doctor",
    "Mr.": "mister",
    "Mrs.": "missus",
    "Ms.": "miz",
    "Prof.": "professor",
    "St.": "saint",
    "Jr.": "junior",
    "Sr.": "senior",
    "vs.": "versus",
    "etc.": "et cetera",
    "e.g.": "for example",
    "i.e.": "that is",
    "approx.": "approximately",
    "No.": "number",
    "Inc.": "incorporated",
    "Ltd.": "limited",
    "Mt.": "mount",
    "Ave.": "avenue",
}
"""Abbreviations whose full stop ends no sentence."""
_SYMBOLS = {
    "&": "and",
    "+": "plus",
    "=": "equals",
    "×": "times",
    "÷": "divided by",
    "@": "at",
    "%": "percent",
    "<": "less than",
    ">": "greater than",
    "→": "to",
    "≈": "about",
    "≤": "at most",
    "≥": "at least",
    "°": "degrees",
    "²": "squared",
    "³": "cubed",
    "½": "a half",
    "¼": "a quarter",
    "¾": "three quarters",
    "$": "dollars",
    "€": "euros",
    "£": "pounds",
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NUMBER = r"\d{1,3}(?:,\d{3})+|\d+"


def _integer(written: str) -> int:
    return int(written.replace(",", ""))


def _link(match: re.Match[str]) -> str:
    return speakable(match["link_text"])


def _address(match: re.Match[str]) -> str:
    written = re.sub(r"^https?://(www\.)?", "", match["address"]).rstrip("/")
    for symbol, word in (
        (".", " dot "),
        ("/", " slash "),
        ("@", " at "),
        ("-", " dash "),
        ("_", " underscore "),
    ):
        written = written.replace(symbol, word)
    return re.sub(r"[^\w ]+", " ", re.sub(r"\d+", lambda figure: f" {digits(figure[0])} ", written))


def _money(match: re.Match[str]) -> str:
    one, many, small_one, small_many = _CURRENCIES[match["sign"]]
    whole, cents, scale = _integer(match["whole"]), match["cents"], match["scale"]
    if scale:
        amount = decimal(str(whole), cents) if cents else cardinal(whole)
        return f"{amount} {scale} {many}"
    said = f"{cardinal(whole)} {one if whole == 1 else many}"
    if not cents or int(cents) == 0:
        return said
    small = int(cents.ljust(2, "0")[:2])
    return f"{said} and {cardinal(small)} {small_one if small == 1 else small_many}"


def _clock(match: re.Match[str]) -> str:
    hour, minute, half = int(match["hour"]), int(match["minute"]), match["half"]
    if minute == 0:
        said = cardinal(hour) + ("" if half else " o'clock")
    else:
        said = f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    return said + (f" {half[0].upper()} M" if half else "")


def _iso_date(match: re.Match[str]) -> str:
    month, day = int(match["month"]), int(match["day"])
    if not 1 <= month <= 12:
        return " ".join(cardinal(int(part)) for part in match[0].split("-"))
    return f"{_MONTHS[month - 1]} {ordinal(day)} , {year(int(match['year']))}"


def _day_of_month(match: re.Match[str]) -> str:
    return f"{match['month_name']} {ordinal(int(match['month_day']))}"


def _measure(match: re.Match[str]) -> str:
    whole, fraction = _integer(match["amount"]), match["amount_fraction"]
    one, many = _UNITS[match["unit"]]
    amount = decimal(str(whole), fraction) if fraction else cardinal(whole)
    return f"{_sign(match['measure_sign'])}{amount} {one if whole == 1 and not fraction else many}"


def _range(match: re.Match[str]) -> str:
    return f"{_said_number(match['low'])} to {_said_number(match['high'])}"


def _decimal(match: re.Match[str]) -> str:
    return _sign(match["decimal_sign"]) + decimal((match["before"] or "0").replace(",", ""), match["after"])


def _number(match: re.Match[str]) -> str:
    return _sign(match["number_sign"]) + _said_number(match["number"])


def _said_number(written: str) -> str:
    if "," in written:
        return cardinal(_integer(written))
    if len(written) > 1 and written.startswith("0"):
        return digits(written)
    # Four figures without a comma are a year more often than a count.
    return year(int(written)) if re.fullmatch(r"1[1-9]\d\d|20\d\d", written) else cardinal(int(written))


def _sign(written: str | None) -> str:
    return "minus " if written else ""


def _decade(match: re.Match[str]) -> str:
    said = year(int(match["decade"]))
    return (said[:-1] + "ies" if said.endswith("y") else said + "s") if said else said


def _ordinal(match: re.Match[str]) -> str:
    return ordinal(_integer(match["ordinal"]))


def _fraction(match: re.Match[str]) -> str:
    top, bottom = int(match["top"]), int(match["bottom"])
    if bottom == 2:
        return "one half" if top == 1 else f"{cardinal(top)} halves"
    if not 3 <= bottom <= 20 or top == 0:
        return f"{cardinal(top)} slash {cardinal(bottom)}"
    return f"{cardinal(top)} {ordinal(bottom)}{'' if top == 1 else 's'}"


def _abbreviation(match: re.Match[str]) -> str:
    return ABBREVIATIONS[match["abbreviation"]]


def _initials(match: re.Match[str]) -> str:
    letters = " ".join(match["initials"].replace(".", " ").split()).upper()
    return letters


def _verbatim(match: re.Match[str]) -> str:
    # Roman or circled figures count as letters of a word for `re`; no voice can say them.
    return "".join(sign for sign in match[0].replace("’", "'") if sign.isalpha() or sign in "'-").strip("'-")


def _symbol(match: re.Match[str]) -> str:
    return _SYMBOLS[match[0]]


def _pause(match: re.Match[str]) -> str:
    return match[0][0]


def _comma(_: re.Match[str]) -> str:
    return ","


def _stop(_: re.Match[str]) -> str:
    return "."


def _nothing(_: re.Match[str]) -> str:
    return ""


def _any_of(written: dict[str, object]) -> str:
    """Longest first, so that "km/h" is not read as "km"."""
    return "|".join(re.escape(one) for one in sorted(written, key=len, reverse=True))


# In order: the first that matches at a place decides.
_RULES: tuple[tuple[str, str, Callable[[re.Match[str]], str]], ...] = (
    ("fence", r"```\w*|~~~", _nothing),
    ("image", r"!(?=\[)", _nothing),
    ("link", r"\[(?P<link_text>[^\[\]\n]*)\]\([^)\s]*\)", _link),
    ("heading", r"(?m:^[ ]{0,3}(?:\#{1,6}[ ]|>[ ]?|[-*+•][ ]+|\d{1,2}[.)][ ]+))", _nothing),
    (
        "address_",
        r"(?P<address>(?:https?://[^\s<>()]*[\w/]|(?:[\w-]+\.)+(?:com|org|net|io|dev|edu|gov)\b(?:/[\w/-]*)?"
        r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+))",
        _address,
    ),
    ("iso_date", r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\b", _iso_date),
    (
        "clock",
        r"\b(?P<hour>\d|[01]\d|2[0-4]):(?P<minute>[0-5]\d)\b(?:\s?(?P<half>[AaPp]\.?[Mm]\b\.?))?",
        _clock,
    ),
    (
        "money",
        rf"(?P<sign>[$€£¥])\s?(?P<whole>{_NUMBER})(?:\.(?P<cents>\d+))?"
        r"(?:\s(?P<scale>thousand|million|billion|trillion)\b)?",
        _money,
    ),
    (
        "day_of_month",
        rf"\b(?P<month_name>{'|'.join(_MONTHS)})\s(?P<month_day>[12]\d|3[01]|[1-9])(?:st|nd|rd|th)?\b(?![:.]\d)",
        _day_of_month,
    ),
    ("decade_", r"\b(?P<decade>1[1-9]\d0|20\d0)s\b", _decade),
    ("ordinal_", rf"\b(?P<ordinal>{_NUMBER})(?:st|nd|rd|th)\b", _ordinal),
    (
        "measure",
        rf"(?<![\w.])(?P<measure_sign>[-−])?(?P<amount>{_NUMBER})(?:\.(?P<amount_fraction>\d+))?"
        rf"\s?(?P<unit>{_any_of(dict(_UNITS))})(?![\w/])",
        _measure,
    ),
    ("range_", rf"\b(?P<low>{_NUMBER})\s?[-–]\s?(?P<high>{_NUMBER})\b(?!\.\d)", _range),
    ("fraction_", r"(?<![\w/])(?P<top>\d{1,2})/(?P<bottom>\d{1,2})(?![\w/])", _fraction),
    (
        "decimal_",
        rf"(?<![\w.])(?P<decimal_sign>[-−])?(?P<before>{_NUMBER})?\.(?P<after>\d+)(?!\.\d)",
        _decimal,
    ),
    ("number_", rf"(?:(?<![\w.])(?P<number_sign>[-−]))?(?P<number>{_NUMBER})", _number),
    ("abbreviation_", rf"(?<!\w)(?P<abbreviation>{_any_of(dict(ABBREVIATIONS))})", _abbreviation),
    ("initials_", r"(?<!\w)(?P<initials>(?:[A-Za-z]\.){2,})", _initials),
    ("word", r"[^\W\d_²³½¼¾]+(?:['’-][^\W\d_²³½¼¾]+)*", _verbatim),
    ("ellipsis", r"\.{2,}|…", _stop),
    ("pause", r"[,.?!;:]+", _pause),
    ("dash", r"[ ][-–—]+[ ]|[–—]+|[()\[\]]", _comma),
    ("line", r"\n\s*", _stop),
    ("times", r"(?<=\d)\s?\*\s?(?=\d)", lambda _: "times"),
    ("symbol", rf"[{re.escape(''.join(_SYMBOLS))}]", _symbol),
)
_WRITTEN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern, _ in _RULES))
_SPELLED = {name: spell for name, _, spell in _RULES}
