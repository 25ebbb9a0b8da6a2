"""In which unit a metric's figure is printed, and how."""

import math

from evaluation.report.model import Interval, Unit

_UNITS: dict[str, Unit] = {
    "wer": "percent",
    "cer": "percent",
    "acc": "fraction",
    "ifeval": "fraction",
    "refusal": "fraction",
    "bleu": "BLEU",
    "chrf": "points",
}
_DECIMALS = {"percent": 2, "fraction": 4, "BLEU": 2, "points": 2, "": 4}


def unit_of(metric_name: str) -> Unit:
    """By the first part of its name, as the published tables print such a figure."""
    return _UNITS.get(metric_name.partition("_")[0], "")


def in_unit(value: float, unit: Unit) -> float | None:
    """value: as the metric has it (error rates as fractions). None for what is not a number."""
    if not math.isfinite(value):
        return None
    return value * 100 if unit == "percent" else value


def figure_text(value: float | None, unit: Unit) -> str:
    """ "1.65 %", "0.5350", "33.60"; "–" where there is no figure."""
    if value is None:
        return "–"
    return f"{value:.{_DECIMALS[unit]}f}" + (" %" if unit == "percent" else "")


def difference_text(value: float | None, unit: Unit) -> str:
    """Signed; percentages differ by points."""
    if value is None:
        return "–"
    return _minus(f"{value:+.{_DECIMALS[unit]}f}") + (" points" if unit == "percent" else "")


def interval_text(interval: Interval | None, unit: Unit) -> str:
    if interval is None or interval.low is None or interval.high is None:
        return "–"
    decimals = _DECIMALS[unit]
    return _minus(f"{interval.low:.{decimals}f} to {interval.high:.{decimals}f}")


def published_text(value: float, last_digit: float) -> str:
    """With the digits that were printed: 2.0 stays 2.0."""
    return f"{value:.{max(0, round(-math.log10(last_digit)))}f}"


def seconds_text(seconds: float) -> str:
    """ "9.2 s", "12 min", "5.4 h"."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def measure_text(value: float, unit: str) -> str:
    """Three digits that count; whole numbers as such."""
    return f"{_digits(value)} {unit}".rstrip()


def signed_measure_text(value: float, unit: str) -> str:
    return ("+" if value > 0 else "") + measure_text(value, unit)


def time_interval_text(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "–"
    return f"{_digits(interval.low)} to {_digits(interval.high)}"


def _digits(value: float) -> str:
    if value == round(value):
        return _minus(f"{value:,.0f}")
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return _minus(f"{value:,.{min(decimals, 4)}f}")


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def duration_text(from_s: float, to_s: float | None) -> str:
    """ "5 to 10 s", "over 30 s"."""
    return f"over {from_s:g} s" if to_s is None else f"{from_s:g} to {to_s:g} s"
