"""LibriSpeech as its makers publish it (openslr.org/12).

`test-clean/1089/134686/1089-134686.trans.txt`: an utterance's id and its words a line, clips beside it.
"""

from pathlib import Path

from evaluation.datasets.lines import text_lines
from evaluation.datasets.problems import Kind
from evaluation.datasets.reading import Reading


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where none of the benchmark's four splits lies there."""
    splits = [(part, split) for part in reading.benchmark.parts for split in _splits(folder, part.subset)]
    if not splits:
        return False
    reading.begin("as LibriSpeech publishes it", [str(split) for _, split in splits])
    for part, split in splits:
        for path in sorted(split.glob("**/*.trans.txt")):
            beside = path.parent
            for place, line in text_lines(path, reading):
                name, _, text = line.partition(" ")
                if not text:
                    reading.note(Kind.LINE, place, "expected an id, a space and the words")
                    continue
                audio = str(beside / f"{name}.flac")
                reading.add(place, part, name, audio, text.strip(), speaker=name.split("-")[0])
    return True


def _splits(folder: Path, split: str) -> list[Path]:
    if folder.name == split:
        return [folder]
    places = (folder / split, folder / "LibriSpeech" / split)
    return [place for place in places if place.is_dir()][:1]
