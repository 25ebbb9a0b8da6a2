"""CoVoST 2 as its makers publish it, over clips of Common Voice 4.

`covost_v2.en_zh-CN.test.tsv` (path, sentence, translation, client_id), which their script writes, or the
table that it is made from, `covost_v2.en_zh-CN.tsv` (path, translation, split). A backslash stands before a
character that would else mean something. A clip is looked for as `en/clips/NAME.mp3` and by its base name.
"""

import re
from pathlib import Path, PurePosixPath

from evaluation.benchmarks import Part
from evaluation.datasets.common_voice import with_ending
from evaluation.datasets.lines import first_of, table
from evaluation.datasets.reading import Reading

_LOCALES = {"zh": "zh-CN"}


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where no direction lies there."""
    found = [(part, path) for part in reading.benchmark.parts for path in _tables(folder, part)]
    if not found:
        return False
    reading.begin("as CoVoST 2 publishes it", [str(path) for _, path in found])
    for part, path in found:
        _read_direction(path, part, reading)
    return True


def _read_direction(path: Path, part: Part, reading: Reading) -> None:
    spoken = _LOCALES.get(part.language, part.language)
    is_of_all_splits = not path.name.endswith(".test.tsv")
    required = ("path", "translation", *(["split"] if is_of_all_splits else []))
    for place, row in table(path, required, reading, is_quoted=False):
        if is_of_all_splits and row["split"] != "test":
            continue
        name = with_ending(row["path"])
        reference = re.sub(r"\\(.)", r"\1", row["translation"])
        reading.add(
            place,
            part,
            PurePosixPath(name).stem,
            f"{spoken}/clips/{name}",
            reference,
            speaker=row.get("client_id", ""),
        )


def _tables(folder: Path, part: Part) -> list[Path]:
    spoken, written = (_LOCALES.get(tag, tag) for tag in part.subset.split("-"))
    names = [f"covost_v2.{spoken}_{written}{split}.tsv" for split in (".test", "")]
    return first_of(folder, *(pattern for name in names for pattern in (name, f"*/{name}", f"*/*/{name}")))[
        :1
    ]
