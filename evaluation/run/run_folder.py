"""A run on disk: what was to be asked, what was answered, and how.

    RUN/manifest.json   all that influenced the answers
    RUN/samples.jsonl   the samples, benchmark by benchmark, in their order
    RUN/records.jsonl   what came back, in the order in which it came: only appended to
    RUN/judge.jsonl     replies of a judge, where there is one (judging.py)
    RUN/lock            held by the process that writes

A run is resumed by asking for it again. A sample may have several lines in `records.jsonl`: its newest answer
counts, and an error only where there is no answer of the same key.
"""

from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from evaluation.errors import EvaluationError
from evaluation.record import Record
from evaluation.run.appended_lines import AppendedLines, decoded_lines, write_whole
from evaluation.run.folder_lock import FolderLock
from evaluation.sample import Sample

MANIFEST, SAMPLES, RECORDS = "manifest.json", "samples.jsonl", "records.jsonl"
NOT_ASKED = "it has not been asked yet"

Identity = tuple[str, str]
"""Benchmark and sample_id."""


class Completeness(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a benchmark has been answered. A figure of less than all samples is no headline.

    failed: asked, without an answer. missing: never asked.
    """

    samples: int
    answered: int
    failed: int
    missing: int

    @property
    def is_complete(self) -> bool:
        return self.answered == self.samples


class RunFolder:
    """A run's folder, opened to be written to by this process alone. A context manager.

    Raises EvaluationError for a folder that is in use, is no run, or holds a damaged line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(path)
        except OSError as error:
            raise EvaluationError(f"{path} cannot be made or written ({error.strerror})") from None
        try:
            self._newest = _newest(path / RECORDS)
            self._lines = AppendedLines(path / RECORDS)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._lock.release()

    def put_samples(self, samples: Sequence[Sample]) -> None:
        """Replace what was to be asked of their benchmarks; other benchmarks stay."""
        benchmarks = {sample.benchmark for sample in samples}
        kept = [one for one in _samples(self.path) if one.benchmark not in benchmarks]
        content = b"".join(msgspec.json.encode(one) + b"\n" for one in (*kept, *samples))
        path = self.path / SAMPLES
        if not path.is_file() or path.read_bytes() != content:
            write_whole(path, content)

    def record(self, sample: Sample) -> Record | None:
        """What counts of a sample so far."""
        return self._newest.get((sample.benchmark, sample.sample_id))

    def append(self, record: Record) -> Awaitable[None]:
        """Write it at once; what is returned waits for the disk. Both may raise EvaluationError."""
        synced = self._lines.append(msgspec.json.encode(record))
        _keep(self._newest, record)
        return synced


# Reading ------------------------------------------------------------------------------


def records(path: Path) -> list[Record]:
    """One record for each sample of a run, in the order of the samples. Also while the run goes on.

    path: the run's folder, or its records alone, which are then in the order in which they first came.
    A sample that was not asked yet has a record too, with an error: it is scored as empty. References and
    groups are those of `samples.jsonl`: who corrects one need not ask again.
    Raises EvaluationError for what is no run, and for a damaged line.
    """
    if not path.is_dir():
        if not path.is_file():
            raise EvaluationError(f"{path} is missing: expected the folder of a run")
        return list(_newest(path).values())
    newest = _newest(path / RECORDS)
    samples = list(_samples(path))
    if not samples and not newest:
        raise EvaluationError(f"{path} holds no run: expected {SAMPLES} and {RECORDS}")
    if not samples:
        return list(newest.values())
    return [_record_of(sample, newest.get((sample.benchmark, sample.sample_id))) for sample in samples]


def summary(path: Path) -> dict[str, Completeness]:
    """By benchmark, how much has been answered. Raises as `records` does."""
    return completeness(records(path))


def completeness(found: Iterable[Record]) -> dict[str, Completeness]:
    counts: dict[str, list[int]] = {}
    for record in found:
        of_benchmark = counts.setdefault(record.benchmark, [0, 0, 0])
        place = 0 if record.answer is not None else 2 if record.error == NOT_ASKED else 1
        of_benchmark[place] += 1
    return {
        name: Completeness(samples=sum(each), answered=each[0], failed=each[1], missing=each[2])
        for name, each in counts.items()
    }


def manifest(path: Path) -> Mapping[str, object]:
    """The manifest of a run's folder; empty where it has none. Raises EvaluationError for a damaged one."""
    try:
        return msgspec.json.decode((path / MANIFEST).read_bytes(), type=dict[str, object])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise EvaluationError(f"{path / MANIFEST} cannot be read ({error.strerror})") from None
    except msgspec.MsgspecError as error:
        raise EvaluationError(f"{path / MANIFEST} is damaged: {error}") from None


def _record_of(sample: Sample, record: Record | None) -> Record:
    if record is None or record.prompt != sample.prompt:
        record = Record(
            key="",
            sample_id=sample.sample_id,
            benchmark=sample.benchmark,
            source=sample.source,
            audio=sample.audio,
            audio_sha256="",
            audio_s=0.0,
            prompt=sample.prompt,
            reference=sample.reference,
            error=NOT_ASKED,
        )
    return msgspec.structs.replace(
        record,
        source=sample.source,
        reference=sample.reference,
        language=sample.language,
        speaker=sample.speaker,
        details=sample.details,
    )


def _samples(path: Path) -> Iterator[Sample]:
    return decoded_lines(path / SAMPLES, Sample, "a sample")


def _newest(path: Path) -> dict[Identity, Record]:
    newest: dict[Identity, Record] = {}
    for record in decoded_lines(path, Record, "a record (delete the line, and it is asked again)"):
        _keep(newest, record)
    return newest


def _keep(newest: dict[Identity, Record], record: Record) -> None:
    identity = record.benchmark, record.sample_id
    before = newest.get(identity)
    if record.answer is not None or before is None or before.answer is None or before.key != record.key:
        newest[identity] = record
