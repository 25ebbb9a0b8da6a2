"""VoiceBench's files to samples, and its files of answers to pairs.

Published (huggingface.co, hlt-lab/voicebench) as Parquet, a folder a subset, one file a split; columns:

    audio      {"bytes", "path"}: a WAV file     prompt     the words that are spoken
    reference  openbookqa, mmsu: "A" to "D"; bbh: "yes", "no", "(A)", "(B)"
    id         bbh: begins with its task ("navigate_12")
    key, instruction_id_list, kwargs             ifeval

VoiceBench's own runs write the same rows as JSON lines, without audio and with `response`. Here a row may be
either, and of custom data too: `audio` a path, `text` for `reference`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from evaluation.datasets.problems import Kind, Place
from evaluation.datasets.reading import Reading
from evaluation.errors import EvaluationError
from evaluation.scoring.spoken.ifeval.metric import parse_instructions
from evaluation.scoring.spoken.voicebench import TASKS, SpokenTask

Row = Mapping[str, Any]
_REFERENCES = {
    "openbookqa": re.compile(r"[A-D]"),
    "mmsu": re.compile(r"[A-D]"),
    "bbh": re.compile(r"yes|no|\([ab]\)", re.IGNORECASE),
}


def read(folder: Path, reading: Reading) -> bool:
    """The questions of a JSONL file. Returns False where no such file lies there."""
    path = folder / "samples.jsonl" if folder.is_dir() else folder
    if path.suffix != ".jsonl" or not path.is_file():
        return False
    reading.begin("VoiceBench's rows", [str(path)])
    task, part = TASKS[reading.benchmark.name.removeprefix("voicebench_")], reading.benchmark.parts[0]
    for number, row in numbered_rows(path):
        place = Place(str(path), number)
        audio = row.get("audio")
        if isinstance(audio, dict):
            audio = audio.get("path")
        if not isinstance(audio, str) or not audio:
            what = "expected the clip's path in 'audio' (`parlour eval speech convert` makes it of Parquet)"
            reading.note(Kind.LINE, place, what)
            continue
        try:
            expected = reference(task, row)
        except EvaluationError as error:
            reading.note(Kind.LINE, place, str(error))
            continue
        name = str(row.get("id") or row.get("key") or number)
        details = {"spoken": str(row.get("prompt", "")), "split": _split(task, row)}
        reading.add(place, part, name, audio, expected, details=details)
    return True


def answered(task: SpokenTask, path: Path) -> list[tuple[str, str]]:
    """(reference, response) of each row of a file of answers: VoiceBench's own, or a run's records.jsonl.

    Of records, those of other benchmarks are left out. Raises EvaluationError, which names the line.
    """
    pairs = []
    for number, row in numbered_rows(path):
        where = f"{path}:{number}"
        if "sample_id" in row:  # a record: its reference is ready, and without an answer it is an empty one
            if row.get("benchmark") == f"voicebench_{task.name}":
                pairs.append((str(row.get("reference")), str((row.get("answer") or {}).get("response", ""))))
            continue
        response = row.get("response")
        if not isinstance(response, str):
            raise EvaluationError(f"{where}: expected the answer's text in 'response'.")
        try:
            pairs.append((reference(task, row), response))
        except EvaluationError as error:
            raise EvaluationError(f"{where}: {error}") from None
    if not pairs:
        raise EvaluationError(f"{path} holds no answer of {task.name}.")
    return pairs


def reference(task: SpokenTask, row: Row) -> str:
    """What a right answer is, in the form that the task's metrics take. Raises EvaluationError."""
    if task.name == "advbench":
        return ""
    if task.name == "ifeval":
        names, arguments = row.get("instruction_id_list"), row.get("kwargs")
        if not isinstance(names, list) or not isinstance(arguments, list):
            raise EvaluationError("expected the lists 'instruction_id_list' and 'kwargs'")
        text = json.dumps({"instruction_id_list": names, "kwargs": arguments}, ensure_ascii=False)
        parse_instructions(text)
        return text
    given = str(row.get("reference", row.get("text", ""))).strip()
    if not _REFERENCES[task.name].fullmatch(given):
        expected = "yes, no, (A) or (B)" if task.name == "bbh" else "a letter from A to D"
        raise EvaluationError(f"expected {expected} in 'reference', got {given[:20]!r}")
    return given


def numbered_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Each line's number, from 1, and its object. Raises EvaluationError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} cannot be read: {_why(error)}.") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise EvaluationError(f"{path}:{number}: expected one JSON object on a line.")
        yield number, row


def convert(task: SpokenTask, parquet: Path, out: Path) -> int:
    """Parquet to `out`/samples.jsonl and a WAV file a row in `out`/audio. Returns how many rows there were.

    Raises EvaluationError, also where pyarrow is not installed.
    """
    try:
        reader = import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise EvaluationError("Parquet needs a reader: pip install pyarrow") from None
    try:
        table: list[dict[str, Any]] = reader.read_table(parquet).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own errors are these
        raise EvaluationError(f"{parquet} cannot be read as Parquet: {_why(error)}.") from None
    lines = []
    try:
        (out / "audio").mkdir(parents=True, exist_ok=True)
        for number, row in enumerate(table):
            clip = row.get("audio")
            if not isinstance(clip, dict) or not clip.get("bytes"):
                raise EvaluationError(f"{parquet}, row {number}: expected a clip's bytes in 'audio'.")
            name = f"audio/{parquet.stem}_{number:05}.wav"
            (out / name).write_bytes(clip["bytes"])
            try:
                reference(task, row)
            except EvaluationError as error:
                raise EvaluationError(f"{parquet}, row {number}: {error}") from None
            lines.append(
                json.dumps({**row, "audio": name, "split": parquet.stem.split("-")[0]}, ensure_ascii=False)
            )
        (out / "samples.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    except OSError as error:
        raise EvaluationError(f"{out} cannot be written: {_why(error)}.") from None
    return len(lines)


def _split(task: SpokenTask, row: Row) -> str:
    """mmsu's splits are its domains, and bbh's ids begin with the name of the task."""
    if task.name == "bbh":
        return re.sub(r"[_-]?[0-9]+$", "", str(row.get("id", "")))
    return str(row.get("split", ""))


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".").splitlines()[0]
