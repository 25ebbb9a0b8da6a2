"""Metrics that anybody can follow, and records made by hand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.record import Answer, Record
from evaluation.report.catalogue import Catalogue, SourceFacts
from evaluation.report.model import Published
from evaluation.scoring.metric import Counts, Metric


class WordErrors:
    """Words that are not at their place, over words: no alignment, so that a reader can count."""

    name = "wer_fake"
    signature = "wer_fake|place by place"
    higher_is_better = False
    statistics = ("edits", "reference_units")

    def count(self, references: Sequence[str], responses: Sequence[str]) -> Counts:
        return np.array([self._count(*pair) for pair in zip(references, responses, strict=True)], np.int64)

    def _count(self, reference: str, response: str) -> tuple[int, int]:
        expected, got = self.as_compared(reference).split(), self.as_compared(response).split()
        kept = sum(one == other for one, other in zip(expected, got, strict=False))
        return max(len(expected), len(got)) - kept, len(expected)

    def value(self, sums: Counts) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], np.nan)

    def as_compared(self, text: str) -> str:
        return " ".join(text.lower().split())


class Right:
    """An accuracy."""

    name = "acc_fake"
    signature = "acc_fake|exact"
    higher_is_better = True
    statistics = ("right", "pairs")

    def count(self, references: Sequence[str], responses: Sequence[str]) -> Counts:
        return np.array(
            [(one == other.lstrip(), 1) for one, other in zip(references, responses, strict=True)], np.int64
        ).reshape(-1, 2)

    def value(self, sums: Counts) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], np.nan)

    def as_compared(self, text: str) -> str:
        return text.lstrip()


def knows(*metrics: Metric, published: tuple[Published, ...] = (), n_in_set: int | None = None) -> Catalogue:
    facts = SourceFacts(metrics=metrics, task="asr", published=published, n_in_set=n_in_set)
    return lambda benchmark, source: facts


def record(
    sample_id: str,
    reference: str,
    response: str | None,
    *,
    source: str = "talk_test",
    audio: str = "",
    audio_s: float = 4.0,
    speaker: str = "",
    total_s: float | None = None,
    heard_s: float | None = None,
    error: str = "",
    prompt: str = "",
    **measures: float,
) -> Record:
    """response: None where there is no answer."""
    answer = (
        Answer(response=response, total_s=total_s, heard_s=heard_s, measures=measures)
        if response is not None
        else None
    )
    return Record(
        key="k",
        sample_id=sample_id,
        benchmark="talk",
        source=source,
        audio=audio,
        audio_sha256="",
        audio_s=audio_s,
        prompt=prompt,
        reference=reference,
        speaker=speaker,
        answer=answer,
        error=error,
    )
