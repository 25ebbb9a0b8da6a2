"""The records of one source with their counts: counted once, asked many times."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from evaluation.record import Record
from evaluation.report.model import Example, Figure, Interval
from evaluation.report.units import in_unit, unit_of
from evaluation.scoring import intervals
from evaluation.scoring.metric import Counts, Metric

N_SPEAKERS_MIN = 10
"""Of fewer, a bootstrap is unsteady, and too narrow."""


class Counted(msgspec.Struct, frozen=True):
    """counts: (n_records, n_statistics)."""

    metric: Metric
    records: Sequence[Record]
    counts: Counts

    def figure(self, seed: int, n_resamples: int) -> Figure:
        """The source's figure with its intervals; failed records count as empty answers."""
        metric, unit = self.metric, unit_of(self.metric.name)
        sums = self.counts.sum(axis=0, dtype=np.int64)
        answered = np.array([record.answer is not None for record in self.records], bool)
        some_failed = bool(len(answered)) and not answered.all()
        return Figure(
            metric=metric.name,
            signature=metric.signature,
            unit=unit,
            higher_is_better=metric.higher_is_better,
            value=self.shown(float(metric.value(sums))),
            answered_value=self.shown(float(metric.value(self.counts[answered].sum(axis=0))))
            if some_failed
            else None,
            intervals=self.intervals(seed, n_resamples),
            counts={name: int(total) for name, total in zip(metric.statistics, sums, strict=True)},
        )

    def intervals(self, seed: int, n_resamples: int) -> tuple[Interval, ...]:
        """Over speakers first, where they are known; an accuracy has Wilson's first."""
        n = len(self.records)
        if n == 0:
            return ()
        found = []
        speakers = speakers_of(self.records)
        if unit_of(self.metric.name) == "fraction":
            found.append(self._interval(intervals.wilson(int(self.counts[:, 0].sum()), n), "Wilson"))
        if speakers is not None:
            limits = intervals.bootstrap(self.metric, self.counts, speakers, n_resamples, seed)
            found.append(self._interval(limits, f"bootstrap over {len(set(speakers)):,} speakers"))
        if unit_of(self.metric.name) != "fraction":
            limits = intervals.bootstrap(self.metric, self.counts, None, n_resamples, seed)
            found.append(self._interval(limits, f"bootstrap over {n:,} utterances"))
        return tuple(found)

    def _interval(self, limits: tuple[float, float], method: str) -> Interval:
        return Interval(low=self.shown(limits[0]), high=self.shown(limits[1]), method=method)

    def shown(self, value: float) -> float | None:
        return in_unit(value, unit_of(self.metric.name))

    def costs(self) -> NDArray[np.float64]:
        """(n_records,): by how much the figure, as shown, would be better without each; 0 where undefined."""
        sums = self.counts.sum(axis=0)
        scale = 100.0 if unit_of(self.metric.name) == "percent" else 1.0
        gained = (self.metric.value(sums - self.counts) - self.metric.value(sums)) * scale
        return np.nan_to_num(gained if self.metric.higher_is_better else -gained)

    def example(self, at: int, cost: float | None = None) -> Example:
        record = self.records[at]
        return Example(
            sample_id=record.sample_id,
            audio=record.audio,
            audio_s=record.audio_s,
            reference=record.reference,
            response=record.response,
            reference_compared=self.metric.as_compared(record.reference),
            response_compared=self.metric.as_compared(record.response),
            value=self.shown(float(self.metric.value(self.counts[at]))),
            cost=cost,
            is_cut=is_cut(record),
            error=record.error,
        )

    def part(self, at: Sequence[int]) -> "Counted":
        return Counted(self.metric, [self.records[place] for place in at], self.counts[list(at)])


def counted(metric: Metric, records: Sequence[Record]) -> Counted:
    references = [record.reference for record in records]
    responses = [record.response for record in records]
    try:
        return Counted(metric, records, metric.count(references, responses))
    except EvaluationError as error:
        raise EvaluationError(f"{records[0].source}, {metric.name}: {error}") from error


def speakers_of(records: Sequence[Record]) -> list[str] | None:
    """Who spoke each, where that is known of all and they are enough to draw from."""
    speakers = [record.speaker for record in records]
    return speakers if all(speakers) and len(set(speakers)) >= N_SPEAKERS_MIN else None


def is_cut(record: Record) -> bool:
    """Whether less of the clip than there is reached the model (by more than a frame of features)."""
    heard_s = record.answer.heard_s if record.answer is not None else None
    return heard_s is not None and heard_s < record.audio_s - 0.05
