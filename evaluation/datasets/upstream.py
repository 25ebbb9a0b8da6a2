"""The lists that Qwen2-Audio's authors made: one JSON object a line.

`audio` (a path or an http address), `source`, `prompt`, `gt`; for AIR-Bench `audio`, `id`, `query`. The files
lie beside each other or in folders by task (asr/, st/, ser/, vsc/, chat/). Sources and prompts may be missing
(somebody found no prompt in meld_eval.jsonl); then the benchmark's own stand in.
"""

import re
from pathlib import Path, PurePosixPath

import msgspec

from evaluation.benchmarks import Part
from evaluation.datasets.airbench import Entry, descriptions, note_unjudgeable
from evaluation.datasets.lines import first_of, json_lines
from evaluation.datasets.problems import Kind, Place
from evaluation.datasets.reading import Reading

# Whoever asks puts the clip before the prompt: a query that keeps the checkpoint's own mark would hold two.
_CLIP_MARKS = re.compile(
    r"^(?:Audio \d+:\s*)?(?:<\|audio_bos\|>)?<\|AUDIO\|>(?:<\|audio_eos\|>)?\s*", re.IGNORECASE
)


class _Line(msgspec.Struct):
    audio: str
    gt: str
    source: str = ""
    prompt: str | None = None


class _ChatLine(msgspec.Struct):
    """Fields after `query` are in no list that is known, and taken where they are."""

    audio: str
    id: str | int
    query: str
    source: str = ""
    task_name: str = ""
    meta_info: str = ""
    answer_gt: str = ""


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where no such list lies there."""
    if folder.is_file():
        found = [folder] if folder.suffix == ".jsonl" else []
    else:
        names = reading.benchmark.jsonl
        found = first_of(
            folder, *(pattern for name in names for pattern in (name, f"*/{name}", f"*/*/{name}"))
        )
    if not found or not reading.benchmark.jsonl:
        return False
    path = found[0]
    reading.begin("upstream's jsonl", [str(path)])
    if reading.benchmark.task == "chat":
        _read_chat(path, folder, reading)
    else:
        _read_scored(path, reading)
    return True


def _read_scored(path: Path, reading: Reading) -> None:
    for place, line in json_lines(path, _Line, reading):
        part = reading.part(line.source, place)
        if part is None:
            continue
        reading.add(
            place,
            part,
            PurePosixPath(line.audio).stem,
            line.audio,
            line.gt,
            source=line.source,
            prompt=line.prompt or None,
        )


def _read_chat(path: Path, folder: Path, reading: Reading) -> None:
    """Joined with AIR-Bench's own list, where that lies there too: what a judge reads is only in that."""
    described = descriptions(folder if folder.is_dir() else folder.parent)
    for place, line in json_lines(path, _ChatLine, reading):
        entry = described.get(str(line.id))
        part = _chat_part(line, entry, reading, place)
        if part is None:
            continue
        question = _CLIP_MARKS.sub("", line.query)
        details = {
            "question": question,
            "meta_info": line.meta_info or (entry.meta_info if entry else ""),
            "task_name": line.task_name or (entry.task_name if entry else ""),
        }
        reference = line.answer_gt or (entry.answer_gt if entry else "")
        reading.add(place, part, str(line.id), line.audio, reference, prompt=question, details=details)
        note_unjudgeable(reading, place, details["meta_info"], reference)


def _chat_part(line: _ChatLine, entry: Entry | None, reading: Reading, place: Place) -> Part | None:
    """By its task, which is at least in the name of the clip's folder ({task_name}_{dataset_name})."""
    task = (
        line.source
        or line.task_name
        or (entry.task_name if entry else "")
        or PurePosixPath(line.audio).parent.name
    )
    if not task:
        reading.note(
            Kind.LINE, place, "expected a source, a task_name, or the task in the name of the clip's folder"
        )
        return None
    return reading.part(task, place)
