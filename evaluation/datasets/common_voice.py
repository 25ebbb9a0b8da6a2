"""Common Voice as Mozilla publishes it: `cv-corpus-15.0-2023-09-08/fr/test.tsv` with `clips/` beside it."""

from pathlib import Path, PurePosixPath

from evaluation.datasets.lines import first_of, table
from evaluation.datasets.reading import Reading

_LOCALES = {"en": "en", "zh": "zh-CN", "yue": "yue", "fr": "fr"}


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where the benchmark's language does not lie there."""
    (part,) = reading.benchmark.parts
    locale = _LOCALES[part.language]
    # Of several releases, the benchmark's: others have other test sets.
    found = first_of(
        folder, f"{locale}/test.tsv", f"cv-corpus-15.*/{locale}/test.tsv", f"*/{locale}/test.tsv"
    )
    if not found and (folder.is_file() or folder.name == locale):
        found = first_of(folder, "test.tsv")
    if not found:
        return False
    path = found[0]
    reading.begin("as Common Voice publishes it", [str(path)])
    for place, row in table(path, ("client_id", "path", "sentence"), reading, is_quoted=False):
        name = PurePosixPath(row["path"]).stem
        audio = str(path.parent / "clips" / with_ending(row["path"]))
        reading.add(place, part, name, audio, row["sentence"], speaker=row["client_id"])
    return True


def with_ending(name: str) -> str:
    """The tables of early releases name clips without their ending."""
    return name if PurePosixPath(name).suffix else f"{name}.mp3"
