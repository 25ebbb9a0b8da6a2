"""Where bars and intervals lie, in percent of their chart's width. Text stands beside a chart, not in it."""

from collections.abc import Iterable, Sequence

import msgspec

from evaluation.report.model import DurationBin, Interval, Published, SourceScores, Unit
from evaluation.report.units import duration_text, figure_text, interval_text, published_text

_HEADROOM = 1.04


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One row. kind: "own", "compared" or "other". length, low, high: 0 to 100; None for no interval."""

    label: str
    text: str
    kind: str
    length: float
    low: float | None = None
    high: float | None = None
    note: str = ""
    second: str = ""


def systems(scores: SourceScores, run: str) -> tuple[Bar, ...]:
    """This run's first figure among all published ones, best first; () where nothing was published."""
    if not scores.figures or not scores.published:
        return ()
    figure, value = scores.figures[0], scores.figures[0].value
    if value is None:
        return ()
    interval = figure.intervals[0] if figure.intervals else None
    top = _top([value, *(one.value for one in scores.published)], [interval])
    rows = [
        (
            value,
            Bar(
                label=run,
                text=figure_text(figure.value, figure.unit),
                kind="own",
                length=_at(value, top),
                low=_low(interval, top),
                high=_high(interval, top),
                second=interval_text(interval, figure.unit),
            ),
        )
    ]
    rows += [(one.value, _published_bar(one, figure.unit, top)) for one in scores.published]
    rows.sort(key=lambda row: -row[0] if figure.higher_is_better else row[0])
    return tuple(bar for _, bar in rows)


def _published_bar(published: Published, unit: Unit, top: float) -> Bar:
    text = published_text(published.value, published.last_digit)
    return Bar(
        label=published.system,
        text=f"{text} %" if unit == "percent" else text,
        kind="compared" if published.is_compared else "other",
        length=_at(published.value, top),
        note=published.note,
        second=published.command,
    )


def durations(scores: SourceScores) -> tuple[Bar, ...]:
    """The first figure by the clips' length. second: how many samples."""
    unit = scores.figures[0].unit if scores.figures else ""
    known = [one for one in scores.durations if one.value is not None]
    top = _top([one.value for one in known if one.value is not None], [one.interval for one in known])
    return tuple(
        Bar(
            label=duration_text(one.from_s, one.to_s),
            text=figure_text(one.value, unit),
            kind="own",
            length=_at(one.value or 0.0, top),
            low=_low(one.interval, top),
            high=_high(one.interval, top),
            second=f"{one.n:,}",
        )
        for one in known
    )


def latencies(bins: Sequence[DurationBin]) -> tuple[Bar, ...]:
    """Seconds to the whole answer by the clips' length: the bar is the median, its line ends at p95."""
    known = [one for one in bins if one.total_p50_s is not None and one.total_p95_s is not None]
    top = max((one.total_p95_s or 0.0 for one in known), default=0.0) * _HEADROOM
    return tuple(
        Bar(
            label=duration_text(one.from_s, one.to_s),
            text=f"{one.total_p50_s:.2f} s",
            kind="own",
            length=_at(one.total_p50_s or 0.0, top),
            low=_at(one.total_p50_s or 0.0, top),
            high=_at(one.total_p95_s or 0.0, top),
            second=f"{one.total_p95_s:.2f} s",
        )
        for one in known
    )


def _top(values: Iterable[float], intervals: Iterable[Interval | None]) -> float:
    ends = [interval.high for interval in intervals if interval is not None and interval.high is not None]
    return max([*values, *ends], default=0.0) * _HEADROOM


def _at(value: float, top: float) -> float:
    return round(100 * min(1.0, max(0.0, value / top)), 2) if top > 0 else 0.0


def _low(interval: Interval | None, top: float) -> float | None:
    return _at(interval.low, top) if interval is not None and interval.low is not None else None


def _high(interval: Interval | None, top: float) -> float | None:
    return _at(interval.high, top) if interval is not None and interval.high is not None else None
