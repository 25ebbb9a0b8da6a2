"""From a run's records to its scores: nothing is asked of a model, and nothing is drawn here."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from evaluation.record import Record
from evaluation.report.catalogue import Catalogue, SourceFacts
from evaluation.report.counted import counted, is_cut
from evaluation.report.failures import failures_of
from evaluation.report.measures import by_duration, percentiles
from evaluation.report.model import Comparison, Failures, Figure, Published, Report, SourceScores, Verdict
from evaluation.report.recorded import Run, was_not_asked
from evaluation.scoring.intervals import LEVEL, N_RESAMPLES, SEED

N_SURE = 30
"""Samples under which a figure is worth little, whatever its interval says."""


class Resampling(msgspec.Struct, frozen=True):
    n_resamples: int = N_RESAMPLES
    seed: int = SEED


DEFAULT = Resampling()


def scores_of(
    run: Run,
    catalogue: Catalogue,
    *,
    made_at: str,
    resampling: Resampling = DEFAULT,
    scoring: Mapping[str, object] | None = None,
    comparison: Comparison | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """made_at: ISO 8601, UTC. scoring: versions of what scores, for the report's own manifest."""
    sources = tuple(
        source_scores(benchmark, source, records, catalogue(benchmark, source), resampling)
        for (benchmark, source), records in run.groups().items()
    )
    return Report(
        run=run.name,
        made_at=made_at,
        sources=sources,
        manifest=run.manifest,
        scoring={
            "bootstrap_resamples": resampling.n_resamples,
            "bootstrap_seed": resampling.seed,
            "interval_level": LEVEL,
            **(scoring or {}),
        },
        comparison=comparison,
        notes=tuple(notes),
    )


def source_scores(
    benchmark: str,
    source: str,
    records: Sequence[Record],
    facts: SourceFacts,
    resampling: Resampling,
) -> SourceScores:
    n_answered = sum(record.answer is not None for record in records)
    n_missing = sum(map(was_not_asked, records))
    counts = [counted(metric, records) for metric in facts.metrics]
    figures = tuple(one.figure(resampling.seed, resampling.n_resamples) for one in counts)
    scores = SourceScores(
        benchmark=benchmark,
        source=source,
        task=facts.task,
        n=len(records),
        n_answered=n_answered,
        n_failed=len(records) - n_answered - n_missing,
        n_missing=n_missing,
        n_cut=sum(map(is_cut, records)),
        n_in_set=facts.n_in_set,
        n_speakers=len({record.speaker for record in records if record.speaker}),
        audio_s=sum(record.audio_s for record in records),
        figures=figures,
        published=facts.published,
        durations=by_duration(counts[0], resampling.seed) if counts else (),
        measures=percentiles(records),
        failures=failures_of(counts[0], facts.labels) if counts else Failures(),
    )
    return msgspec.structs.replace(scores, verdict=_verdict(scores), warnings=tuple(_warnings(scores, facts)))


def _verdict(scores: SourceScores) -> Verdict | None:
    """None where there is no row to hold it against, where samples failed or are missing, or are few."""
    if scores.compared is None or scores.n_answered < scores.n or scores.n < N_SURE or not scores.figures:
        return None
    return verdict(scores.figures[0], scores.compared)


def verdict(figure: Figure, published: Published) -> Verdict | None:
    """ "same within noise": the published figure ± half its last digit meets the figure's first interval."""
    interval = figure.intervals[0] if figure.intervals else None
    if figure.value is None or interval is None or interval.low is None or interval.high is None:
        return None
    half = published.last_digit / 2
    # What was printed is rounded: a hundredth of its last digit is given for the floating point.
    give = published.last_digit / 100
    if interval.low <= published.value + half + give and published.value - half - give <= interval.high:
        return "same within noise"
    is_better = (figure.value > published.value) == figure.higher_is_better
    return "better than published" if is_better else "worse than published"


def _warnings(scores: SourceScores, facts: SourceFacts) -> list[str]:
    told = []
    if not facts.metrics:
        told.append("No metric is known for this source: name one with --metric.")
    if scores.n_failed:
        told.append(
            f"{scores.n_failed:,} of {scores.n:,} have no answer and are scored as empty: no headline figure."
        )
    if scores.n_missing:
        told.append(
            f"{scores.n_missing:,} of {scores.n:,} have not been asked: no headline figure; resume the run."
        )
    if facts.n_in_set is not None and scores.n < facts.n_in_set:
        told.append(f"A sample of {scores.n:,} of the {facts.n_in_set:,} of the set: no headline figure.")
    if scores.n_cut:
        told.append(
            f"{scores.n_cut:,} clips did not reach the model whole: what came after the cut counts as missed."
        )
    if 0 < scores.n < N_SURE:
        told.append(f"{scores.n} samples are few: the interval itself is uncertain.")
    if scores.verdict == "same within noise" and (smallest := _smallest_seen(scores.figures[0])) is not None:
        told.append(
            f"These samples cannot show a difference from the published figure smaller than about {smallest}."
        )
    return told


def _smallest_seen(figure: Figure) -> str | None:
    interval = figure.intervals[0]
    if interval.low is None or interval.high is None:
        return None
    half = (interval.high - interval.low) / 2
    if half == 0 or not math.isfinite(half):
        return None
    return f"{half:.2g}" + (" points" if figure.unit == "percent" else "")
