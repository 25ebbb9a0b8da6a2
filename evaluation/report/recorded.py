"""What there is to score: the records of a run, or a result file of upstream's scripts read as such."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from evaluation.errors import EvaluationError
from evaluation.record import Answer, Record

Group = tuple[str, str]
"""Benchmark and source: what is scored together."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one run left. name: its folder's or file's. records: one for each sample, in their order.

    manifest: all that influenced the answers, by name; {} where nobody wrote it down.
    """

    name: str
    records: tuple[Record, ...]
    manifest: Mapping[str, object] = {}

    def groups(self) -> dict[Group, list[Record]]:
        """In the order in which the sources first come."""
        grouped: dict[Group, list[Record]] = {}
        for record in self.records:
            grouped.setdefault((record.benchmark, record.source), []).append(record)
        return grouped


class _Result(msgspec.Struct):
    """An element of upstream's result files (QwenLM/Qwen2-Audio, eval_audio/evaluate_*.py)."""

    gt: str
    response: str
    source: str
    audio_path: str = ""


def is_result_file(path: Path) -> bool:
    """Whether it holds a JSON list, not a record a line. Raises EvaluationError for what cannot be read."""
    return _read_bytes(path).lstrip()[:1] == b"["


def read_results(path: Path) -> list[Record]:
    """Upstream's results as records without benchmark, length or speaker: the file does not tell them.

    Raises EvaluationError, which names the file and the element.
    """
    try:
        results = msgspec.json.decode(_read_bytes(path), type=list[_Result])
    except msgspec.MsgspecError as error:
        raise EvaluationError(
            f"{path}: expected a list of objects with gt, response, source and audio_path: {error}"
        ) from None
    seen: Counter[tuple[str, str]] = Counter()
    records = []
    for result in results:
        name = result.audio_path or hashlib.sha256(result.gt.encode()).hexdigest()[:12]
        seen[result.source, name] += 1
        nth = seen[result.source, name]
        records.append(
            Record(
                key="",
                sample_id=name if nth == 1 else f"{name}#{nth}",
                benchmark="",
                source=result.source,
                audio=result.audio_path,
                audio_sha256="",
                audio_s=0.0,
                prompt="",
                reference=result.gt,
                answer=Answer(response=result.response),
            )
        )
    return records


def was_not_asked(record: Record) -> bool:
    """Whether the run has not come to it yet: its key is made when it is asked."""
    return record.answer is None and not record.key


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise EvaluationError(f"{path} is missing: expected a run's folder or its records") from None
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read ({error.strerror})") from None
