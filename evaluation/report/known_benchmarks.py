"""The catalogue of the known benchmarks: their metrics, labels and published figures."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache

from evaluation.benchmarks import BENCHMARKS, Benchmark, benchmark
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
    def facts(benchmark_name: str, source: str) -> SourceFacts:
        known = _benchmark(benchmark_name, source)
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
    named = (BENCHMARKS[name],) if name in BENCHMARKS else ()
    return next((one for one in (named if name else _called_alike(source)) if _has(one, source)), None)


def _called_alike(source: str) -> Iterator[Benchmark]:
    """Those that have this very source, that are called so themselves, or whose name is in it."""
    yield from (one for one in BENCHMARKS.values() if any(part.source == source for part in one.parts))
    with suppress(EvaluationError):
        yield benchmark(source)
    for one in BENCHMARKS.values():
        stem = one.name.partition("_")[0].rstrip("0123456789")
        if one.dataset and len(one.parts) > 1 and stem in source.lower():
            yield one


def _has(found: Benchmark, source: str) -> bool:
    try:
        found.part(source)
    except EvaluationError:
        return False
    return True


def _metrics(name: str) -> tuple[Metric, ...]:
    """Upstream's, then those beside it; () for a judge's, which is no function of the texts."""
    if not unit_of(name):
        return ()
    return tuple(metric(one) for one in (name, *second_opinions(name)))


def _published(known: Benchmark, source: str, metric_name: str) -> tuple[Published, ...]:
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
            command=comparator(row.model).run_by(known.name),
            is_compared=row.is_compared and known.task != "chat",
        )
        for row in rows(known.name, source)
        if row.value is not None
    )
