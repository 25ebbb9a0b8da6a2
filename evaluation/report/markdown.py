"""The report as Markdown, for a pull request or a wiki: figures, verdicts, and the worst samples."""

import re
from collections.abc import Iterator, Sequence

from evaluation.report import cells
from evaluation.report.comparison import flat
from evaluation.report.model import Comparison, Example, Percentiles, Report, SourceScores
from evaluation.report.units import figure_text, interval_text, measure_text

N_WORST = 5
TEXT_MAX = 300
"""Characters of an answer in a cell."""


def to_markdown(report: Report) -> str:
    blocks = [f"# {escaped(report.run)}", f"Scored {report.made_at}.", *report.warnings, _overview(report)]
    if report.comparison is not None:
        blocks.append(comparison_to_markdown(report.comparison))
    for scores in report.sources:
        blocks += _source(scores)
    blocks += ["## What influenced the figures", *_settings(report)]
    blocks += [f"- {escaped(note)}" for note in report.notes]
    return "\n\n".join(block for block in blocks if block) + "\n"


def comparison_to_markdown(comparison: Comparison) -> str:
    rows = [cells.compared(source) for source in comparison.sources]
    times = [cells.times(source, time) for source in comparison.sources for time in source.times]
    told = [*comparison.warnings, *(w for source in comparison.sources for w in source.warnings)]
    blocks = [
        f"## {escaped(comparison.title)}",
        f"A is {escaped(comparison.run_a)}, B is {escaped(comparison.run_b)}.",
        _table(cells.COMPARED, rows),
        _table(cells.TIMES, times),
        "\n".join(f"- {escaped(one)}" for one in told),
    ]
    return "\n\n".join(block for block in blocks if block)


def _overview(report: Report) -> str:
    rows = []
    for scores in report.sources:
        first = scores.figures[0] if scores.figures else None
        rows.append(
            [
                scores.source,
                first.metric if first else "–",
                cells.figure(scores, first) if first else "–",
                cells.interval(first) if first else "–",
                cells.published(scores),
                scores.verdict or "–",
                f"{scores.n_answered:,} / {scores.n:,}",
                f"{scores.n_cut:,}",
            ]
        )
    head = ["Source", "Metric", "Figure", "95 % interval", "Published", "Verdict", "answered / n", "cut"]
    return _table(head, rows)


def _source(scores: SourceScores) -> Iterator[str]:
    yield f"## {escaped(scores.source)}"
    yield "\n".join(f"- {escaped(warning)}" for warning in scores.warnings)
    yield _table(
        ["Metric", "Figure", "95 % interval", "Signature"],
        [
            [
                figure.metric,
                figure_text(figure.value, figure.unit),
                "; ".join(f"{interval_text(one, figure.unit)} ({one.method})" for one in figure.intervals),
                figure.signature,
            ]
            for figure in scores.figures
        ],
    )
    if scores.measures:
        yield _measures(scores.measures)
    if scores.failures.categories:
        yield "\n".join(f"- {one.name}: {one.n:,} ({one.meaning})" for one in scores.failures.categories)
    if scores.failures.worst:
        yield _worst(scores.failures.worst[:N_WORST])


def _measures(measures: Sequence[Percentiles]) -> str:
    rows = [
        [one.name, f"{one.n:,}", *(measure_text(value, one.unit) for value in (one.p50, one.p95, one.p99))]
        for one in measures
    ]
    return _table(["Measure", "n", "p50", "p95", "p99"], rows)


def _worst(examples: Sequence[Example]) -> str:
    rows = [
        [one.sample_id, one.reference[:TEXT_MAX], one.response[:TEXT_MAX] or one.error] for one in examples
    ]
    return _table(["Worst samples", "Expected", "Answered"], rows)


def _settings(report: Report) -> Iterator[str]:
    rows = [[name, value] for name, value in {**flat(report.manifest), **flat(report.scoring)}.items()]
    yield _table(["Setting", "Value"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Nothing in it is read as Markdown or HTML, and it stays on its line."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", " ".join(text.split()))
