"""The catalogue of the known benchmarks: their metrics, labels and published figures."""

from collections.abc import Sequence
from functools import lru_cache

from evaluation.benchmarks import BENCHMARKS, Benchmark
from evaluation.errors import EvaluationError
from evaluation.published import comparator, rows
from evaluation.report.catalogue import Catalogue, SourceFacts
from evaluation.report.model import Published
from evaluation.report.units import unit_of
from evaluation.scoring.metric import Metric
from evaluation.scoring.metrics import metric, second_opinions


def catalogue(metric_names: Sequence[str] = ()) -> Catalogue:
    """metric_names: score every source by these, the first as its own; (): as its benchmark says."""
    chosen = tuple(metric(name) for name in metric_names)

    @lru_cache(maxsize=1_024)
    def facts(benchmark: str, source: str) -> SourceFacts:
        known = _benchmark(benchmark, source)
        if known is None:
            return SourceFacts(metrics=chosen)
        name = known.metric(source)
        if chosen and chosen[0].name != name:
            return SourceFacts(metrics=chosen, task=known.task)
        part = known.part(source)
        return SourceFacts(
            metrics=chosen or _metrics(name),
            task=known.task,
            published=_published(known, source, name),
            labels=frozenset(known.labels),
            n_in_set=part.n_clips,
        )

    return facts


def _benchmark(name: str, source: str) -> Benchmark | None:
    """By its name; by its source where that is all there is, as in upstream's result files."""
    if name:
        return BENCHMARKS.get(name) if _has(BENCHMARKS.get(name), source) else None
    return next((one for one in BENCHMARKS.values() if one.dataset and _has(one, source)), None)


def _has(benchmark: Benchmark | None, source: str) -> bool:
    if benchmark is None:
        return False
    try:
        benchmark.part(source)
    except EvaluationError:
        return False
    return True


def _metrics(name: str) -> tuple[Metric, ...]:
    """Upstream's, then those beside it; () for a judge's, which is no function of the texts."""
    if not unit_of(name):
        return ()
    return tuple(metric(one) for one in (name, *second_opinions(name)))


def _published(benchmark: Benchmark, source: str, metric_name: str) -> tuple[Published, ...]:
    """Other judges and prompts make other scales: a chat's figures are shown, and never compared."""
    if not unit_of(metric_name):
        return ()
    return tuple(
        Published(
            system=row.model,
            value=row.value,
            last_digit=row.last_digit,
            metric=row.metric,
            table=row.table,
            note=row.note,
            command=comparator(row.model).run_by(benchmark.name),
            is_compared=row.is_compared and benchmark.task != "chat",
        )
        for row in rows(benchmark.name, source)
        if row.value is not None
    )
