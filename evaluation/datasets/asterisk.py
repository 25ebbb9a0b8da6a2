"""Debian's packages asterisk-core-sounds-*: a speaker's prompts for a telephone exchange, with their words.

Real speech that anybody can install. `core-sounds-xx.txt(.gz)` holds `NAME: words` lines; the clips are raw
G.722 at 64 kbit/s in a folder by voice. Lines with notes in brackets or letters lost to "?" are passed over;
clips count from 2 to 25 s and from four words.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from evaluation.datasets.problems import Kind, Place
from evaluation.datasets.reading import Reading
from evaluation.errors import EvaluationError

_BYTES_PER_S = 8000
_S_MIN, _S_MAX = 2, 25
_WORDS_MIN = 4
_ENTRY = re.compile(r"(?:^|(?<=\s))([\w/.-]+):(?=\s|$)")
_IS_NOTED = re.compile(r"[\[(<?]")


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where the sounds of the benchmark's language do not lie there."""
    (part,) = reading.benchmark.parts
    clips = _clips(folder, part.language)
    if clips is None:
        return False
    words = _words(folder, part.language)
    if words is None:
        name = f"core-sounds-{part.language}.txt.gz"
        package = reading.benchmark.packages[0]
        raise EvaluationError(
            f"{name} lies neither in {folder} nor where Debian keeps it: install {package}, or, where "
            "documentation is left out, unpack it (dpkg-deb -x) and copy the file there"
        )
    reading.begin("Debian's package", [str(words)])
    taken = set[str]()
    for place, name, text in _entries(words, clips):
        if name in taken:  # some entries come twice, word for word
            continue
        taken.add(name)
        clip = clips / f"{name}.g722"
        if _IS_NOTED.search(text) or len(text.split()) < _WORDS_MIN or not clip.is_file():
            continue
        if _S_MIN <= clip.stat().st_size / _BYTES_PER_S <= _S_MAX:
            reading.add(place, part, name, str(clip), text)
    if not reading.samples:
        reading.note(Kind.LINE, Place(str(words)), "no line has a clip of 2 to 25 s and four words")
    return True


def _entries(path: Path, clips: Path) -> Iterator[tuple[Place, str, str]]:
    """Names and words. Some lines hold several entries, some one twice: what has a clip begins an entry."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} is damaged: {error}") from None
    for number, line in enumerate(text.splitlines(), 1):
        starts = [
            found
            for found in _ENTRY.finditer(line)
            if found.start() == 0 or (clips / f"{found[1]}.g722").is_file()
        ]
        for start, after in zip_longest(starts, starts[1:]):
            words = line[start.end() : after.start() if after else len(line)].strip()
            if not line.startswith(";") and words:
                yield Place(str(path), number), start[1], words


def _clips(folder: Path, language: str) -> Path | None:
    """The folder of the language's voice; its short name is a link, which an unpacked package lacks."""
    for place in (*sorted(folder.glob(f"{language}_*")), folder / language, folder):
        if any(place.glob("*.g722")):
            return place
    return None


def _words(folder: Path, language: str) -> Path | None:
    name = f"core-sounds-{language}.txt"
    share = folder.absolute().parent.parent  # of /usr/share/asterisk/sounds
    documentation = share / "doc" / f"asterisk-core-sounds-{language}"
    for place in (folder, folder / language, documentation):
        for path in (place / name, place / f"{name}.gz"):
            if path.is_file():
                return path
    return None
