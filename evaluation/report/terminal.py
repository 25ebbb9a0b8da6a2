"""The scores and the comparison as a terminal shows them."""

from collections.abc import Iterator, Sequence

from evaluation.report.model import Comparison, Report, SourceComparison, SourceScores
from evaluation.report.units import (
    difference_text,
    figure_text,
    interval_text,
    measure_text,
    published_text,
    signed_measure_text,
    time_interval_text,
)


def scores_table(report: Report) -> str:
    """A line for each metric of each source; warnings below."""
    head = ("source", "metric", "figure", "95 % interval", "published", "verdict", "answered", "cut")
    rows = [head, *(row for scores in report.sources for row in _rows(scores))]
    told = [*report.warnings, *(f"{one.source}: {w}" for one in report.sources for w in one.warnings)]
    return "\n".join([_aligned(rows, right=(2, 4, 6, 7)), *told])


def _rows(scores: SourceScores) -> Iterator[tuple[str, ...]]:
    answered = f"{scores.n_answered:,}/{scores.n:,}"
    if not scores.figures:
        yield (scores.source, "–", "–", "–", "–", "–", answered, f"{scores.n_cut:,}")
    for at, figure in enumerate(scores.figures):
        interval = interval_text(figure.intervals[0], figure.unit) if figure.intervals else "–"
        text = figure_text(figure.value, figure.unit) + ("" if scores.is_headline else " (in part)")
        if at > 0:
            yield ("", figure.metric, text, interval, "", "", "", "")
            continue
        compared = scores.compared
        published = published_text(compared.value, compared.last_digit) if compared else "–"
        verdict = scores.verdict or "–"
        yield (
            scores.source,
            figure.metric,
            text,
            interval,
            published,
            verdict,
            answered,
            f"{scores.n_cut:,}",
        )


def comparison_table(comparison: Comparison) -> str:
    head = ("source", "metric", "n", "A", "B", "B − A", "95 % interval", "better/worse/same")
    rows = [head, *map(_compared, comparison.sources)]
    blocks = [f"A: {comparison.run_a}\nB: {comparison.run_b}", _aligned(rows, right=(2, 3, 4, 5))]
    if any(source.times for source in comparison.sources):
        blocks.append(_aligned(list(_times(comparison)), right=(2, 3, 4, 5)))
    told = [*comparison.warnings, *(f"{one.source}: {w}" for one in comparison.sources for w in one.warnings)]
    if told:
        blocks.append("\n".join(told))
    blocks += [_regressions(comparison)] if any(one.regressions for one in comparison.sources) else []
    return "\n\n".join(blocks)


def _compared(source: SourceComparison) -> tuple[str, ...]:
    return (
        source.source,
        source.metric,
        f"{source.n_common:,}",
        figure_text(source.value_a, source.unit),
        figure_text(source.value_b, source.unit),
        difference_text(source.difference, source.unit),
        interval_text(source.interval, source.unit),
        f"{source.wins:,}/{source.losses:,}/{source.ties:,}",
    )


def _times(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    yield ("source", "measure", "n", "median A", "median B", "B − A", "95 % interval")
    for source in comparison.sources:
        for time in source.times:
            yield (
                source.source,
                time.name,
                f"{time.n:,}",
                measure_text(time.p50_a, time.unit),
                measure_text(time.p50_b, time.unit),
                signed_measure_text(time.median, time.unit),
                time_interval_text(time.interval),
            )


def _regressions(comparison: Comparison, n_max: int = 5) -> str:
    """By id alone: `parlour eval score RUN --texts ID` shows the texts of one."""
    rows = [
        (source.source, printable(changed.sample_id), difference_text(changed.change, source.unit))
        for source in comparison.sources
        for changed in source.regressions[:n_max]
    ]
    return _aligned([("worst regressions", "id", "of the figure"), *rows], right=(2,))


def _aligned(rows: Sequence[Sequence[str]], right: tuple[int, ...]) -> str:
    """Columns of equal width, two spaces between. right: which are set to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(widths[at]) if at in right else cell.ljust(widths[at]) for at, cell in enumerate(row)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def printable(text: str) -> str:
    """What a terminal would obey (escapes, control characters) as codes: answers are text of strangers."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)
