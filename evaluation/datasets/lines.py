"""Lists as text: lines, tables, JSON lines. What cannot be read is noted by file and line, the rest read."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from evaluation.datasets.problems import Kind, Place
from evaluation.datasets.reading import Reading
from evaluation.errors import EvaluationError

T = TypeVar("T")

csv.field_size_limit(1 << 24)


def first_of(folder: Path, *patterns: str) -> list[Path]:
    """The paths of the first pattern that matches inside `folder`, sorted.

    patterns: as of Path.glob. Where a user names the list itself, that is the one, if it is called so.
    """
    if folder.is_file():
        return [folder] if any(folder.match(Path(pattern).name) for pattern in patterns) else []
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if found:
            return found
    return []


def text_lines(path: Path, reading: Reading) -> Iterator[tuple[Place, str]]:
    """Lines that hold anything, without their ends. One that is not UTF-8 is noted and passed over."""
    name = str(path)
    is_empty = True
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                place = Place(name, number)
                try:
                    line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    is_empty = False
                    reading.note(Kind.LINE, place, f"expected UTF-8, got byte {raw[error.start]:#04x}")
                    continue
                if line.strip():
                    is_empty = False
                    yield place, line
    except OSError as error:
        raise EvaluationError(f"{name} cannot be read: {error.strerror}") from None
    if is_empty:
        reading.note(Kind.LINE, Place(name), "the file is empty")


def json_lines(path: Path, kind: type[T], reading: Reading) -> Iterator[tuple[Place, T]]:
    """Each line an object of `kind`; one that lacks a field, or was torn, is noted and passed over."""
    decoder = msgspec.json.Decoder(kind)
    for place, line in text_lines(path, reading):
        try:
            yield place, decoder.decode(line)
        except msgspec.MsgspecError as error:
            reading.note(Kind.LINE, place, _sentence(error))


def json_file(path: Path, kind: type[T]) -> T:
    """Raises EvaluationError, which says where it is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise EvaluationError(f"{path}: {_sentence(error)}") from None


def table(
    path: Path, required: Sequence[str], reading: Reading, *, is_quoted: bool, delimiter: str = "\t"
) -> Iterator[tuple[Place, Mapping[str, str]]]:
    """Rows by the names of the first line. is_quoted: whether " begins a field that may hold delimiters and
    line ends; in Common Voice's tables it is a character like any other.
    """
    rows = _rows(path, reading, delimiter, is_quoted)
    first = next(rows, None)
    if first is None:
        return
    place, header = first
    header = [name.strip() for name in header]
    lacking = [name for name in required if name not in header]
    if lacking:
        reading.note(Kind.LINE, place, f"expected a column {lacking[0]!r}, got {', '.join(header)[:200]}")
        return
    for place, row in rows:
        if len(row) != len(header):
            reading.note(Kind.LINE, place, f"expected {len(header)} columns, got {len(row)}")
            continue
        yield place, dict(zip(header, row, strict=True))


def _rows(path: Path, reading: Reading, delimiter: str, is_quoted: bool) -> Iterator[tuple[Place, list[str]]]:
    if not is_quoted:
        for place, line in text_lines(path, reading):
            yield place, line.split(delimiter)
        return
    started = Place(str(path), 1)

    def texts() -> Iterator[str]:
        nonlocal started
        for place, line in text_lines(path, reading):
            started = place
            yield line + "\n"

    rows = csv.reader(texts(), delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            reading.note(Kind.LINE, started, f"damaged from here on: {error}")
            return
        yield started, row


def _sentence(error: msgspec.MsgspecError) -> str:
    """msgspec's word without its path, where that is the object itself."""
    return str(error).removesuffix(" - at `$`").replace("Object missing required", "it lacks the")
