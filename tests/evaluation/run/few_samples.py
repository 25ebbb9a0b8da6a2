"""A benchmark of small clips, and what reads it: stands in for data sets, so that a run is about running.

Fakes: `read_clip` knows nothing but WAV files of 16 bits at 16 kHz; `Right` counts right answers.
"""

import hashlib
import wave
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from evaluation.run import collected
from evaluation.sample import Sample
from evaluation.scoring.metric import Counts

BENCHMARK = "few"


class WavClip(msgspec.Struct, frozen=True):
    pcm: NDArray[np.float32]
    sha256: str

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 16_000


def read_clip(path: str) -> WavClip:
    try:
        content = Path(path).read_bytes()
    except OSError:
        raise EvaluationError(f"{path} is missing") from None
    try:
        with wave.open(path) as file:
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    except (wave.Error, EOFError):
        raise EvaluationError(f"{path} is damaged") from None
    return WavClip(pcm, hashlib.sha256(content).hexdigest())


def make_samples(folder: Path, n: int, benchmark: str = BENCHMARK, source: str = "few_test") -> list[Sample]:
    """Each clip is another one; each prompt names its sample, so that a server can tell them apart."""
    folder.mkdir(exist_ok=True)
    samples = []
    for number in range(n):
        path = folder / f"{benchmark}_{number:04}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(np.full(160, number, "<i2").tobytes())
        samples.append(
            Sample(
                sample_id=f"{number:04}",
                benchmark=benchmark,
                audio=str(path),
                source=source,
                prompt=f"what is {number:04}?",
                reference=f"it is {number:04}",
                language="en",
            )
        )
    return samples


class Few(msgspec.Struct, frozen=True):
    name: str = BENCHMARK
    task: str = "asr"
    dataset: str = ""
    metric_name: str = "right"

    def metric(self, source: str) -> str:
        return self.metric_name


class Right:
    """A Metric: the share of answers that are the reference, character by character."""

    name = "right"
    signature = "right"
    higher_is_better = True
    statistics = ("right", "all")

    def count(self, references: Sequence[str], responses: Sequence[str]) -> Counts:
        pairs = zip(references, responses, strict=True)
        return np.array([[reference == response, 1] for reference, response in pairs], np.int64)

    def value(self, sums: Counts) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            return np.asarray(sums[..., 0] / sums[..., 1], np.float64)

    def as_compared(self, text: str) -> str:
        return text


def stand_in(
    patch: pytest.MonkeyPatch, samples: Sequence[Sample], benchmarks: Sequence[Few] = (Few(),)
) -> None:
    """`parlour eval run` of this process is about these samples, whatever it is told."""
    found = collected.Collected(benchmarks, samples, [])
    patch.setattr(collected, "collect", lambda *_, **__: found)
    patch.setattr(collected, "read_clip", lambda: read_clip)
    patch.setattr(collected, "converter", lambda: "wave")
    patch.setattr(collected, "metric_of", lambda _: lambda benchmark, source: Right())
