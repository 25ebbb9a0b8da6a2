"""The scores and the comparison as a terminal shows them."""

from collections.abc import Iterator, Sequence

from evaluation.report import cells
from evaluation.report.model import Comparison, Report, SourceScores
from evaluation.report.units import difference_text


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
        interval, text = cells.interval(figure), cells.figure(scores, figure)
        if at > 0:
            yield ("", figure.metric, text, interval, "", "", "", "")
            continue
        published, verdict = cells.published(scores), scores.verdict or "–"
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
    rows = [cells.COMPARED, *map(cells.compared, comparison.sources)]
    times = [cells.times(source, time) for source in comparison.sources for time in source.times]
    blocks = [f"A: {comparison.run_a}\nB: {comparison.run_b}", _aligned(rows, right=(2, 3, 4, 5))]
    if times:
        blocks.append(_aligned([cells.TIMES, *times], right=(2, 3, 4, 5)))
    told = [*comparison.warnings, *(f"{one.source}: {w}" for one in comparison.sources for w in one.warnings)]
    if told:
        blocks.append("\n".join(told))
    blocks += [_regressions(comparison)] if any(one.regressions for one in comparison.sources) else []
    return "\n\n".join(blocks)


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
