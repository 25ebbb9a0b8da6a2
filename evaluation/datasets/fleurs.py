"""Fleurs as Google publishes it: `cmn_hans_cn/test.tsv`, clips in `audio/test/` beside it.

Seven columns without a header: sentence, file, text as written, text normalised, its characters, samples,
gender. The normalised text is the reference; to the scorer, which drops punctuation and spaces, both are
mostly one. Each sentence is read by several people, so the file is the name, not the sentence.
"""

from pathlib import Path, PurePosixPath

from evaluation.datasets.lines import first_of, text_lines
from evaluation.datasets.problems import Kind
from evaluation.datasets.reading import Reading

_N_COLUMNS = 7


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where the benchmark's language does not lie there."""
    (part,) = reading.benchmark.parts
    found = first_of(folder, "cmn_hans_cn/test.tsv", "*/cmn_hans_cn/test.tsv", "test.tsv")
    if not found:
        return False
    path = found[0]
    reading.begin("as Fleurs publishes it", [str(path)])
    clips = next((place for place in ("audio/test", "test") if (path.parent / place).is_dir()), "audio/test")
    for place, line in text_lines(path, reading):
        columns = line.split("\t")
        if len(columns) != _N_COLUMNS:
            reading.note(Kind.LINE, place, f"expected {_N_COLUMNS} columns, got {len(columns)}")
            continue
        name = columns[1]
        reading.add(place, part, PurePosixPath(name).stem, str(path.parent / clips / name), columns[3])
    return True
