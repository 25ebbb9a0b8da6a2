"""One process at a time writes to a run's folder. The lock goes with the process, however that ends."""

import os
import sys
from pathlib import Path

from evaluation.errors import EvaluationError


class FolderLock:
    """Held from its making to `release`. Raises EvaluationError where another process holds it."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(self._file)
        except OSError:
            os.close(self._file)
            raise EvaluationError(
                f"{folder} is in use by another run: wait for it, or choose another folder with --out"
            ) from None

    def release(self) -> None:
        os.close(self._file)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
