"""Amounts with a unit."""

import re

from agent.speech_text.numbers import AMOUNT, amount, cardinal, is_one
from agent.speech_text.rule import Rule, any_of

_UNITS = {
    # Lengths, areas, volumes.
    "km": ("kilometer", "kilometers"),
    "m": ("meter", "meters"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "nm": ("nanometer", "nanometers"),
    "mi": ("mile", "miles"),
    "yd": ("yard", "yards"),
    "ft": ("foot", "feet"),
    "km²": ("square kilometer", "square kilometers"),
    "m²": ("square meter", "square meters"),
    "m2": ("square meter", "square meters"),
    "ft²": ("square foot", "square feet"),
    "sq ft": ("square foot", "square feet"),
    "cm²": ("square centimeter", "square centimeters"),
    "m³": ("cubic meter", "cubic meters"),
    "m3": ("cubic meter", "cubic meters"),
    "cm³": ("cubic centimeter", "cubic centimeters"),
    "ha": ("hectare", "hectares"),
    "L": ("liter", "liters"),
    "l": ("liter", "liters"),
    "dl": ("deciliter", "deciliters"),
    "cl": ("centiliter", "centiliters"),
    "ml": ("milliliter", "milliliters"),
    "mL": ("milliliter", "milliliters"),
    "gal": ("gallon", "gallons"),
    "qt": ("quart", "quarts"),
    "tsp": ("teaspoon", "teaspoons"),
    "tbsp": ("tablespoon", "tablespoons"),
    # Weights.
    "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"),
    "mg": ("milligram", "milligrams"),
    "µg": ("microgram", "micrograms"),
    "lbs": ("pound", "pounds"),
    "lb": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    # Times.
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "secs": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"),
    "µs": ("microsecond", "microseconds"),
    "ns": ("nanosecond", "nanoseconds"),
    "yr": ("year", "years"),
    "yrs": ("year", "years"),
    # Speeds and rates.
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "km/hr": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"),
    "m/s": ("meter per second", "meters per second"),
    "mpg": ("mile per gallon", "miles per gallon"),
    "rpm": ("revolution per minute", "revolutions per minute"),
    "bpm": ("beat per minute", "beats per minute"),
    "fps": ("frame per second", "frames per second"),
    "kbps": ("kilobit per second", "kilobits per second"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "MB/s": ("megabyte per second", "megabytes per second"),
    "GB/s": ("gigabyte per second", "gigabytes per second"),
    # Bytes and waves.
    "kB": ("kilobyte", "kilobytes"),
    "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "KiB": ("kibibyte", "kibibytes"),
    "MiB": ("mebibyte", "mebibytes"),
    "GiB": ("gibibyte", "gibibytes"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "dB": ("decibel", "decibels"),
    "dBFS": ("decibel of full scale", "decibels of full scale"),
    "px": ("pixel", "pixels"),
    # Heat, force, power.
    "°": ("degree", "degrees"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "℃": ("degree Celsius", "degrees Celsius"),
    "℉": ("degree Fahrenheit", "degrees Fahrenheit"),
    "F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "kcal": ("kilocalorie", "kilocalories"),
    "cal": ("calorie", "calories"),
    "kJ": ("kilojoule", "kilojoules"),
    "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"),
    "MW": ("megawatt", "megawatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "V": ("volt", "volts"),
    "mA": ("milliampere", "milliamperes"),
    "mAh": ("milliampere hour", "milliampere hours"),
    "Ω": ("ohm", "ohms"),
    "hPa": ("hectopascal", "hectopascals"),
    "kPa": ("kilopascal", "kilopascals"),
    "psi": ("pound per square inch", "pounds per square inch"),
    "%": ("percent", "percent"),
}
# Words or letters of their own, too: units only where nothing stands between them and the number.
_GLUED = {"C": ("degree Celsius", "degrees Celsius"), "x": ("time", "times"), "X": ("time", "times")}
# "5 in the box": an inch only before these.
_INCHES = r"in\b\.?(?=\s(?:tall|long|wide|high|deep|thick|screen|in\sdiameter)\b)"
# Their own full stop, where the sentence goes on.
_WITH_STOP = (
    r"(?:(?<=min|sec|yrs)|(?<=mins|secs)|(?<=hr|ft|lb|oz)|(?<=hrs|lbs|tsp)|(?<=tbsp))\.(?=,|\s[a-z(])"
)
UNIT = rf"(?:{any_of(_UNITS)}(?![\w/²³])(?:{_WITH_STOP})?|{_INCHES})"
_SIGN = r"(?<![\w.)])[-−–]"
_AMOUNT = rf"(?<![\w.,]){AMOUNT}"


def _measure(match: re.Match[str]) -> str:
    minus = "minus " if match["minus"] else ""
    is_single = is_one(match["amount"]) or match["joint"] == "-"
    return f"{minus}{amount(match['amount'])} {said_unit(match['unit'], is_single)}"


def _glued(match: re.Match[str]) -> str:
    return f"{amount(match['amount'])} {_GLUED[match['unit']][not is_one(match['amount'])]}"


def _range(match: re.Match[str]) -> str:
    low_unit = f" {said_unit(match['low_unit'], is_one(match['low']))}" if match["low_unit"] else ""
    return f"{amount(match['low'])}{low_unit} to {amount(match['high'])} {said_unit(match['unit'], False)}"


def _feet_and_inches(match: re.Match[str]) -> str:
    feet, inches = match["feet"], match["inches"]
    return (
        f"{cardinal(feet)} {'foot' if is_one(feet) else 'feet'} "
        f"{amount(inches)} {'inch' if is_one(inches) else 'inches'}"
    )


def said_unit(written: str, is_single: bool) -> str:
    one, many = _UNITS.get(written.rstrip("."), ("inch", "inches"))
    return one if is_single else many


MEASURES = (
    Rule(
        r"(?<![\w.,])(?P<feet>\d{1,2})(?:\s?(?:ft|feet)\b\.?\s?(?=\d{1,2}\s?(?:in\b|inch|\"))|['′’](?=\d{1,2}[\"″”]))"
        r"(?P<inches>\d{1,2})\s?(?:in\b\.?|inch(?:es)?\b|[\"″”])",
        _feet_and_inches,
    ),
    Rule(
        rf"(?P<low>{_AMOUNT})\s?(?P<low_unit>{UNIT})?\s?[-–—]\s?(?P<high>{AMOUNT})\s?(?P<unit>{UNIT})",
        _range,
    ),
    Rule(
        rf"(?P<minus>{_SIGN})?(?P<amount>{_AMOUNT})(?P<joint>\s|-)?(?P<unit>{UNIT})",
        _measure,
    ),
    Rule(rf"(?P<amount>{_AMOUNT})(?P<unit>{any_of(_GLUED)})(?!\w)", _glued),
)
