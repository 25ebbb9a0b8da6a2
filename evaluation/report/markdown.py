"""The report as Markdown, for a pull request or a wiki: figures, verdicts, and the worst samples."""

import re
from collections.abc import Iterator, Sequence

from evaluation.report.comparison import flat
from evaluation.report.model import Comparison, Example, Figure, Percentiles, Report, SourceScores
from evaluation.report.units import (
    difference_text,
    figure_text,
    interval_text,
    measure_text,
    published_text,
    signed_measure_text,
    time_interval_text,
)

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
    rows = [
        [
            source.source,
            source.metric,
            f"{source.n_common:,}",
            figure_text(source.value_a, source.unit),
            figure_text(source.value_b, source.unit),
            difference_text(source.difference, source.unit),
            interval_text(source.interval, source.unit),
            f"{source.wins:,} / {source.losses:,} / {source.ties:,}",
        ]
        for source in comparison.sources
    ]
    head = ["Source", "Metric", "n", "A", "B", "B − A", "95 % interval", "better / worse / same"]
    times = [
        [
            source.source,
            time.name,
            f"{time.n:,}",
            measure_text(time.p50_a, time.unit),
            measure_text(time.p50_b, time.unit),
            signed_measure_text(time.median, time.unit),
            time_interval_text(time.interval),
        ]
        for source in comparison.sources
        for time in source.times
    ]
    told = [*comparison.warnings, *(w for source in comparison.sources for w in source.warnings)]
    blocks = [
        f"## {escaped(comparison.title)}",
        f"A is {escaped(comparison.run_a)}, B is {escaped(comparison.run_b)}.",
        _table(head, rows),
        _table(["Source", "Measure", "n", "Median A", "Median B", "B − A", "95 % interval"], times)
        if times
        else "",
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
                _headline(scores, first),
                interval_text(first.intervals[0], first.unit) if first and first.intervals else "–",
                _published(scores),
                scores.verdict or "–",
                f"{scores.n_answered:,} / {scores.n:,}",
                f"{scores.n_cut:,}",
            ]
        )
    head = ["Source", "Metric", "Figure", "95 % interval", "Published", "Verdict", "answered / n", "cut"]
    return _table(head, rows)


def _headline(scores: SourceScores, figure: Figure | None) -> str:
    if figure is None:
        return "–"
    text = figure_text(figure.value, figure.unit)
    return text if scores.is_headline else f"{text} (in part)"


def _published(scores: SourceScores) -> str:
    compared = scores.compared
    return published_text(compared.value, compared.last_digit) if compared else "–"


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
