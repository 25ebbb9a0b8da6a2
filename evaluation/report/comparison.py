"""Two runs on the samples that both have: who is better, by how much, and on which samples it was lost.

With a run offline and one through the live wire, B - A is what voice activity detection, the codec and the
gateway cost: in points, and in seconds.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from evaluation.record import Record
from evaluation.report.catalogue import Catalogue
from evaluation.report.counted import Counted, counted, speakers_of
from evaluation.report.measures import only_in_b, time_differences
from evaluation.report.model import ChangedSample, Comparison, Interval, Report, SourceComparison
from evaluation.report.recorded import Group, Run
from evaluation.report.units import difference_text, in_unit, unit_of
from evaluation.scoring import intervals
from evaluation.scoring.intervals import N_RESAMPLES, SEED, Difference
from evaluation.scoring.metric import Metric

N_REGRESSIONS = 20
Pairs = list[tuple[Record, Record]]


def compare(
    run_a: Run,
    run_b: Run,
    catalogue: Catalogue,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
    title: str = "B against A",
) -> Comparison:
    """Raises EvaluationError where no sample is common, or a common one expects different answers."""
    groups_a, groups_b = run_a.groups(), run_b.groups()
    sources = []
    for group, records_a in groups_a.items():
        pairs = _common(group, records_a, groups_b.get(group, []))
        if pairs:
            n_only = (len(records_a) - len(pairs), len(groups_b[group]) - len(pairs))
            metric = _first_metric(group, catalogue)
            sources.append(_compared(group, metric, pairs, n_only, n_resamples, seed))
    if not sources:
        raise EvaluationError(
            f"{run_a.name} and {run_b.name} have no sample in common (by benchmark, source and id)"
        )
    return Comparison(
        run_a=run_a.name,
        run_b=run_b.name,
        title=title,
        sources=tuple(sources),
        settings=_settings(run_a.manifest, run_b.manifest),
        warnings=tuple(_only_in_one(groups_a, groups_b)),
    )


def rescored(stored: Report, comparison: Comparison) -> list[str]:
    """One sentence for each figure that was stored as made in another way than it is compared now.

    A comparison scores both runs anew by one metric, so it holds; a figure that somebody noted does not.
    """
    before = {
        (scores.source, figure.metric): figure.signature
        for scores in stored.sources
        for figure in scores.figures
    }
    return [
        f"{source.source}: {stored.run} was scored before by {old}, here by {source.signature}."
        for source in comparison.sources
        if (old := before.get((source.source, source.metric), source.signature)) != source.signature
    ]


def _first_metric(group: Group, catalogue: Catalogue) -> Metric:
    metrics = catalogue(*group).metrics
    if not metrics:
        raise EvaluationError(f"{group[1]}: no metric is known for this source; name one with --metric")
    return metrics[0]


def _common(group: Group, records_a: Sequence[Record], records_b: Sequence[Record]) -> Pairs:
    """In the order of A."""
    by_id = {record.sample_id: record for record in records_b}
    pairs = [(record, by_id[record.sample_id]) for record in records_a if record.sample_id in by_id]
    for one, other in pairs:
        if one.reference != other.reference:
            raise EvaluationError(
                f"{group[1]}, {one.sample_id}: the two runs expect different answers, so their data differ"
            )
    return pairs


def _compared(
    group: Group, metric: Metric, pairs: Pairs, n_only: tuple[int, int], n_resamples: int, seed: int
) -> SourceComparison:
    one, other = counted(metric, [pair[0] for pair in pairs]), counted(metric, [pair[1] for pair in pairs])
    speakers = speakers_of(one.records)
    found = intervals.paired(metric, one.counts, other.counts, speakers, n_resamples, seed)
    unit = unit_of(metric.name)
    changes = _changes(one, other)
    is_win = changes > 0 if metric.higher_is_better else changes < 0
    drawn = f"{len(set(speakers)):,} speakers" if speakers else f"{len(pairs):,} utterances"
    return SourceComparison(
        benchmark=group[0],
        source=group[1],
        metric=metric.name,
        signature=metric.signature,
        unit=unit,
        higher_is_better=metric.higher_is_better,
        n_common=len(pairs),
        n_only_a=n_only[0],
        n_only_b=n_only[1],
        value_a=one.shown(float(metric.value(one.counts.sum(axis=0)))),
        value_b=other.shown(float(metric.value(other.counts.sum(axis=0)))),
        difference=in_unit(found.difference, unit),
        interval=Interval(
            low=in_unit(found.low, unit),
            high=in_unit(found.high, unit),
            method=f"paired bootstrap over {drawn}",
        ),
        p_value=found.p_value,
        is_shown=found.is_shown,
        wins=int(np.sum(is_win)),
        losses=int(np.sum((changes != 0) & ~is_win)),
        ties=int(np.sum(changes == 0)),
        regressions=_regressions(one, other, changes),
        times=time_differences(pairs),
        measures_only_b=only_in_b(pairs),
        warnings=tuple(_warnings(pairs, found, metric, n_only)),
    )


def _changes(one: Counted, other: Counted) -> NDArray[np.float64]:
    """(n_pairs,): by how much A's figure, as shown, moves when this sample alone is answered as B did."""
    sums = one.counts.sum(axis=0)
    scale = 100.0 if unit_of(one.metric.name) == "percent" else 1.0
    moved = (one.metric.value(sums - one.counts + other.counts) - one.metric.value(sums)) * scale
    return np.nan_to_num(moved)


def _regressions(one: Counted, other: Counted, changes: NDArray[np.float64]) -> tuple[ChangedSample, ...]:
    worse = -changes if one.metric.higher_is_better else changes
    order = [int(at) for at in np.argsort(-worse, kind="stable")[:N_REGRESSIONS] if worse[at] > 0]
    seen = one.metric.as_compared
    return tuple(
        ChangedSample(
            sample_id=one.records[at].sample_id,
            audio=one.records[at].audio,
            audio_s=one.records[at].audio_s,
            reference=one.records[at].reference,
            response_a=one.records[at].response,
            response_b=other.records[at].response,
            reference_compared=seen(one.records[at].reference),
            response_a_compared=seen(one.records[at].response),
            response_b_compared=seen(other.records[at].response),
            change=float(changes[at]),
        )
        for at in order
    )


def _warnings(pairs: Pairs, found: Difference, metric: Metric, n_only: tuple[int, int]) -> list[str]:
    told = []
    unit = unit_of(metric.name)
    if not found.is_shown and found.difference != 0:
        needed = f"; about {found.samples_needed:,} would" if found.samples_needed is not None else ""
        shown = difference_text(in_unit(found.difference, unit), unit)
        told.append(f"{len(pairs):,} samples cannot show a difference of {shown}{needed}.")
    if any(n_only):
        told.append(
            f"Not counted here: {n_only[0]:,} samples that A alone has, and {n_only[1]:,} that B alone has."
        )
    other_audio = sum(
        1
        for one, two in pairs
        if one.audio_sha256 and two.audio_sha256 and one.audio_sha256 != two.audio_sha256
    )
    if other_audio:
        told.append(f"The audio differs between the runs for {other_audio:,} of {len(pairs):,} samples.")
    other_prompt = sum(1 for one, two in pairs if one.prompt != two.prompt)
    if other_prompt:
        told.append(f"The prompt differs between the runs for {other_prompt:,} of {len(pairs):,} samples.")
    failed = sum(1 for one, two in pairs if one.answer is None or two.answer is None)
    if failed:
        told.append(
            f"Without an answer in one of the runs, and scored as empty there: {failed:,} of {len(pairs):,}."
        )
    return told


def _only_in_one(groups_a: Mapping[Group, object], groups_b: Mapping[Group, object]) -> list[str]:
    told = []
    for name, mine, others in (("A", groups_a, groups_b), ("B", groups_b, groups_a)):
        alone = [source for benchmark, source in mine if (benchmark, source) not in others]
        if alone:
            told.append(f"Only {name} has {', '.join(alone)}.")
    return told


def _settings(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[tuple[str, str, str], ...]:
    """What the two manifests say differently, nested names joined by dots."""
    flat_a, flat_b = flat(a), flat(b)
    return tuple(
        (name, flat_a.get(name, "–"), flat_b.get(name, "–"))
        for name in sorted(flat_a.keys() | flat_b.keys())
        if flat_a.get(name) != flat_b.get(name)
    )


def flat(manifest: Mapping[str, object], under: str = "") -> dict[str, str]:
    """A manifest as (dotted name, text): {"model": {"name": "x"}} has "model.name"."""
    found: dict[str, str] = {}
    for name, value in manifest.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{under}{name}.")
        else:
            found[f"{under}{name}"] = _text(value)
    return found


def _text(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(_text(one) for one in value)
        case _:
            return str(value)
