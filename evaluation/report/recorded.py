"""What there is to score: a run's folder, a file of records, or a result file of upstream's scripts."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from evaluation.errors import EvaluationError
from evaluation.record import Answer, Record

RECORDS, MANIFEST = "records.jsonl", "manifest.json"

Group = tuple[str, str]
"""Benchmark and source: what is scored together."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one run left. name: its folder's or file's. records: one for each sample, in file order.

    n_expected: how many samples a source has to have, where the manifest tells.
    """

    name: str
    records: tuple[Record, ...]
    manifest: Mapping[str, object] = {}
    n_expected: Mapping[Group, int] = {}
    warnings: tuple[str, ...] = ()

    def groups(self) -> dict[Group, list[Record]]:
        """In the order in which the sources first come; those without any record are there too."""
        grouped: dict[Group, list[Record]] = {}
        for record in self.records:
            grouped.setdefault((record.benchmark, record.source), []).append(record)
        for group in self.n_expected:
            grouped.setdefault(group, [])
        return grouped


class _Result(msgspec.Struct):
    """A line of upstream's result files (QwenLM/Qwen2-Audio, eval_audio/evaluate_*.py)."""

    gt: str
    response: str
    source: str
    audio_path: str = ""


def read_run(path: Path) -> Run:
    """Raises EvaluationError, with file and line, for what cannot be read or holds nothing."""
    if path.is_dir():
        manifest = _read_manifest(path / MANIFEST)
        records, warnings = _read_records(path / RECORDS)
        return _run(path.resolve().name, records, warnings, manifest)
    if _holds_a_list(path):
        return _run(path.stem, *_read_results(path))
    records, warnings = _read_records(path)
    beside = path.with_name(MANIFEST)
    manifest = _read_manifest(beside) if path.name == RECORDS and beside.is_file() else {}
    return _run(path.resolve().parent.name if manifest else path.stem, records, warnings, manifest)


def _run(
    name: str,
    records: Sequence[Record],
    warnings: Sequence[str],
    manifest: Mapping[str, object] | None = None,
) -> Run:
    kept = _one_each(records)
    expected = _n_expected(manifest or {})
    if not kept and not expected:
        raise EvaluationError(f"{name}: there is no record to score")
    return Run(
        name=name,
        records=tuple(kept),
        manifest=manifest or {},
        n_expected=expected,
        warnings=tuple(warnings),
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise EvaluationError(
            f"{path}: there is no such file; expected a run's folder or its records"
        ) from None
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read ({error.strerror})") from None


def _holds_a_list(path: Path) -> bool:
    return _read_bytes(path).lstrip()[:1] == b"["


def _read_records(path: Path) -> tuple[list[Record], list[str]]:
    """A last line without its end was torn when the run was: it is left out, and said."""
    written = _read_bytes(path)
    lines = written.split(b"\n")
    torn = lines.pop()
    decoder = msgspec.json.Decoder(Record)
    records: list[Record] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            records.append(decoder.decode(line))
        except msgspec.MsgspecError as error:
            raise EvaluationError(f"{path}, line {number}: not a record: {error}") from None
    warnings = []
    if torn.strip():
        try:
            records.append(decoder.decode(torn))
        except msgspec.MsgspecError:
            warnings.append(
                f"The last line of {path.name} is torn (the run was ended while it wrote) and left out."
            )
    return records, warnings


def _read_manifest(path: Path) -> dict[str, object]:
    try:
        return msgspec.json.decode(_read_bytes(path), type=dict[str, object])
    except msgspec.MsgspecError as error:
        raise EvaluationError(f"{path}: not a manifest: {error}") from None


def _read_results(path: Path) -> tuple[list[Record], list[str]]:
    try:
        results = msgspec.json.decode(_read_bytes(path), type=list[_Result])
    except msgspec.MsgspecError as error:
        raise EvaluationError(
            f"{path}: not a result file, a list of gt, response, source and audio_path: {error}"
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
    return records, []


def _one_each(records: Iterable[Record]) -> list[Record]:
    """A sample that was asked again counts once: its newest answer, or its newest error where it has none."""
    kept: dict[tuple[str, str, str], Record] = {}
    for record in records:
        place = (record.benchmark, record.source, record.sample_id)
        if record.answer is not None or place not in kept or kept[place].answer is None:
            kept[place] = record
    return list(kept.values())


def _n_expected(manifest: Mapping[str, object]) -> dict[Group, int]:
    """The manifest's "samples": by benchmark, by source, how many."""
    counted: dict[Group, int] = defaultdict(int)
    samples = manifest.get("samples")
    if isinstance(samples, Mapping):
        for benchmark, sources in samples.items():
            if not isinstance(sources, Mapping):
                continue
            for source, n in sources.items():
                if isinstance(n, int):
                    counted[str(benchmark), str(source)] = n
    return dict(counted)
