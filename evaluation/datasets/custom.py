"""One's own data: a .jsonl, .csv or .tsv file, a clip a line.

`audio` (relative to the file, or to the audio root, or an http address) and `text`, the right answer.
Optional: `prompt`, `speaker`, `language`, `source` (what is scored together) and `id` (else the clip's path
without its ending). In a .csv file, " begins a field that may hold commas; in a .tsv file it is a character
like any other.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from evaluation.benchmarks import Benchmark, asr_prompt, s2tt_prompt
from evaluation.datasets.lines import json_lines, table
from evaluation.datasets.problems import Kind, Place
from evaluation.datasets.reading import Reading
from evaluation.errors import EvaluationError

_ENDINGS = (".jsonl", ".csv", ".tsv")


class _Line(msgspec.Struct):
    """prompt: None for the benchmark's own; "" asks by the clip alone."""

    audio: str
    text: str
    prompt: str | None = None
    speaker: str = ""
    language: str = ""
    source: str = ""
    id: str | int = ""


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where no such file lies there."""
    path = _list(folder)
    if path is None:
        return False
    reading.begin("your own data", [str(path)])
    for place, line in _lines(path, reading):
        _take(place, line, reading)
    return True


def _list(folder: Path) -> Path | None:
    if folder.is_file():
        return folder if folder.suffix.lower() in _ENDINGS else None
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in _ENDINGS)
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:5])
        raise EvaluationError(f"{folder} holds {len(found)} lists ({names}): name the one that is meant")
    return found[0] if found else None


def _lines(path: Path, reading: Reading) -> Iterator[tuple[Place, _Line]]:
    if path.suffix.lower() == ".jsonl":
        yield from json_lines(path, _Line, reading)
        return
    is_csv = path.suffix.lower() == ".csv"
    rows = table(path, ("audio", "text"), reading, is_quoted=is_csv, delimiter="," if is_csv else "\t")
    for place, row in rows:
        yield (
            place,
            _Line(
                audio=row["audio"],
                text=row["text"],
                prompt=row.get("prompt") or None,
                speaker=row.get("speaker", ""),
                language=row.get("language", ""),
                source=row.get("source", ""),
                id=row.get("id", ""),
            ),
        )


def _take(place: Place, line: _Line, reading: Reading) -> None:
    benchmark = reading.benchmark
    source = line.source
    if len(benchmark.parts) > 1:  # scored by language
        if not any(part.language == line.language for part in benchmark.parts):
            languages = ", ".join(benchmark.languages)
            got = repr(line.language) if line.language else "none"
            what = f"expected a language ({languages}), got {got}; custom_wer_en and its like score any line"
            reading.note(Kind.LINE, place, what)
            return
        source = f"{line.source or 'custom'}_{line.language}"
    part = reading.part(source, place)
    if part is None:
        return
    prompt = _prompt(line, benchmark, part.prompt)
    if not prompt and line.prompt is None:
        reading.note(Kind.LINE, place, "expected a prompt, or the spoken language")
        return
    reading.add(
        place,
        part,
        str(line.id) or str(PurePosixPath(line.audio).with_suffix("")),
        line.audio,
        line.text,
        source=source,
        prompt=prompt,
        language=line.language,
        speaker=line.speaker,
    )


def _prompt(line: _Line, benchmark: Benchmark, otherwise: str) -> str:
    if line.prompt is not None:
        return line.prompt
    if line.language and benchmark.task == "asr":
        return asr_prompt(line.language)
    if line.language and benchmark.task == "s2tt":
        written = benchmark.parts[0].metric.rpartition("_")[2]
        return s2tt_prompt(line.language, written)
    return otherwise
