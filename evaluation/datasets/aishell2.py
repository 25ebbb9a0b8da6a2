"""AISHELL-2's test sets as its makers publish them: for each channel `iOS/test/wav.scp` and `trans.txt`.

Both hold an utterance's id, a tab or space, and the clip's path or its words.
"""

from collections.abc import Iterator
from pathlib import Path

from evaluation.benchmarks import Part
from evaluation.datasets.lines import text_lines
from evaluation.datasets.problems import Kind, Place
from evaluation.datasets.reading import Reading


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where no channel's test set lies there."""
    found = [(part, tests) for part in reading.benchmark.parts if (tests := _tests(folder, part.subset))]
    if not found:
        return False
    reading.begin("as AISHELL-2 publishes it", [str(tests / "wav.scp") for _, tests in found])
    for part, tests in found:
        _read_channel(tests, part, reading)
    return True


def _read_channel(tests: Path, part: Part, reading: Reading) -> None:
    words_of = dict[str, tuple[Place, str]]()
    for place, name, words in _pairs(tests / "trans.txt", reading):
        before, _ = words_of.setdefault(name, (place, words))
        if before is not place:
            reading.note(Kind.DOUBLE, place, f"{name} comes twice, first at {before}")
    with_clips = set[str]()
    for place, name, audio in _pairs(tests / "wav.scp", reading):
        with_clips.add(name)
        if name not in words_of:
            reading.note(Kind.LINE, place, f"{name} has no words in trans.txt")
            continue
        path = tests / audio
        reading.add(place, part, name, str(path), words_of[name][1], speaker=path.parent.name)
    for name, (place, _) in words_of.items():
        if name not in with_clips:
            reading.note(Kind.LINE, place, f"{name} has no clip in wav.scp")


def _pairs(path: Path, reading: Reading) -> Iterator[tuple[Place, str, str]]:
    for place, line in text_lines(path, reading):
        columns = line.split(maxsplit=1)
        if len(columns) == 2:
            yield place, columns[0], columns[1].strip()
        else:
            reading.note(Kind.LINE, place, "expected an id and what belongs to it")


def _tests(folder: Path, channel: str) -> Path | None:
    """The folder of a channel's test set, however its name is spelt: iOS, Android, Mic."""
    for root in (folder, *sorted(path for path in folder.glob("*") if path.is_dir())):
        for place in sorted(root.glob("*")):
            if place.name.lower() == channel:
                for tests in (place / "test", place):
                    if (tests / "wav.scp").is_file():
                        return tests
    return None
