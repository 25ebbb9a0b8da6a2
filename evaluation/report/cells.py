"""What tables of figures share, wherever they are drawn: the texts of their cells."""

from evaluation.report.model import Figure, SourceComparison, SourceScores, TimeDifference
from evaluation.report.units import (
    difference_text,
    figure_text,
    interval_text,
    measure_text,
    published_text,
    signed_measure_text,
    time_interval_text,
)

COMPARED = ("source", "metric", "n", "A", "B", "B − A", "95 % interval", "better / worse / same")
TIMES = ("source", "measure", "n", "median A", "median B", "B − A", "95 % interval")


def compared(source: SourceComparison) -> tuple[str, ...]:
    """A row below COMPARED."""
    return (
        source.source,
        source.metric,
        f"{source.n_common:,}",
        figure_text(source.value_a, source.unit),
        figure_text(source.value_b, source.unit),
        difference_text(source.difference, source.unit),
        interval_text(source.interval, source.unit),
        f"{source.wins:,} / {source.losses:,} / {source.ties:,}",
    )


def times(source: SourceComparison, time: TimeDifference) -> tuple[str, ...]:
    """A row below TIMES."""
    return (
        source.source,
        time.name,
        f"{time.n:,}",
        measure_text(time.p50_a, time.unit),
        measure_text(time.p50_b, time.unit),
        signed_measure_text(time.median, time.unit),
        time_interval_text(time.interval),
    )


def figure(scores: SourceScores, of: Figure) -> str:
    """The figure; one of fewer samples than the set has says so."""
    text = figure_text(of.value, of.unit)
    return text if scores.is_headline else f"{text} (in part)"


def interval(of: Figure) -> str:
    return interval_text(of.intervals[0], of.unit) if of.intervals else "–"


def published(scores: SourceScores) -> str:
    row = scores.compared
    return published_text(row.value, row.last_digit) if row else "–"
