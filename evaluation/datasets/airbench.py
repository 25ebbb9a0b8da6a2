"""AIR-Bench's chat part as its makers publish it: `Chat_meta.json`, a list of questions.

Clips lie in `{task_name}_{dataset_name}/{path}` beside it (OFA-Sys/AIR-Bench at 9832476, Inference_Chat.py).
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from evaluation.datasets.lines import first_of, json_file
from evaluation.datasets.problems import Kind, Place
from evaluation.datasets.reading import Reading
from evaluation.errors import EvaluationError

_PATTERNS = ("Chat_meta.json", "*/Chat_meta.json", "*/*/Chat_meta.json")


class Entry(msgspec.Struct):
    """meta_info: the clip in words, all that a judge knows of it. answer_gt: what is measured against."""

    path: str
    question: str
    answer_gt: str
    meta_info: str
    task_name: str
    dataset_name: str
    uniq_id: str | int


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where no such list lies there."""
    found = first_of(folder, *_PATTERNS)
    if not found:
        return False
    path = found[0]
    reading.begin("as AIR-Bench publishes it", [str(path)])
    for number, raw in enumerate(json_file(path, list[msgspec.Raw]), 1):
        place = Place(f"{path}, entry {number}")
        try:
            entry = msgspec.json.decode(raw, type=Entry)
        except msgspec.MsgspecError as error:
            reading.note(Kind.LINE, place, str(error))
            continue
        part = reading.part(entry.task_name, place)
        if part is None:
            continue
        audio = f"{entry.task_name}_{entry.dataset_name}/{entry.path}"
        details = {
            "question": entry.question,
            "meta_info": entry.meta_info,
            "task_name": entry.task_name,
        }
        reading.add(
            place, part, str(entry.uniq_id), audio, entry.answer_gt, prompt=entry.question, details=details
        )
        note_unjudgeable(reading, place, entry.meta_info, entry.answer_gt)
    return True


def descriptions(folder: Path) -> Mapping[str, Entry]:
    """The entries of a list that lies in `folder`, by id; {} where none does."""
    found = first_of(folder, *_PATTERNS)
    if not found:
        return {}
    try:
        return {str(entry.uniq_id): entry for entry in json_file(found[0], list[Entry])}
    except EvaluationError as error:
        raise EvaluationError(f"{error}; it is read for what a judge is told") from None


def note_unjudgeable(reading: Reading, place: Place, meta_info: str, reference: str) -> None:
    """A judge compares with the reference answer, and knows the clip by its description."""
    lacking = [
        name for name, text in (("meta_info", meta_info), ("answer_gt", reference)) if not text.strip()
    ]
    if lacking:
        reading.note(
            Kind.REFERENCE,
            place,
            f"no {' and no '.join(lacking)}, which a judge needs: put AIR-Bench's Chat_meta.json beside it",
        )
