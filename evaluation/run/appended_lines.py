"""A file of lines that only grows: whatever was acknowledged is on the disk, whenever the process is killed.

A line is handed to the kernel at once, in one write: from then on no kill of this process can lose it. It is
acknowledged when it has been synced, which a thread does for all lines of a moment together: after a loss of
power, too, no acknowledged line is missing.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from evaluation.errors import EvaluationError

T = TypeVar("T")
SYNC_AFTER_S = 0.05
"""From a line to its sync, with all that come meanwhile: a sync for each would keep a disk busy."""


class AppendedLines:
    """Opened for one process alone (see run_folder). A torn last line is dropped. Raises EvaluationError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _told(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            self._size = _drop_torn_line(self._file)
            _sync_folder(path.parent)
        self._waiting: list[asyncio.Future[None]] = []
        self._syncing: asyncio.Task[None] | None = None

    def append(self, line: bytes) -> asyncio.Future[None]:
        """Write a line at once; the future is done when it is on the disk. line: without its end.

        Raises EvaluationError, as for a full disk; so may the future.
        """
        self._write(line + b"\n")
        synced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(synced)
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._sync(), name=f"sync {self.path.name}")
        return synced

    def close(self) -> None:
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        with _told(self.path):
            try:
                written = os.write(self._file, line)
                if written < len(line):  # the disk took a part: what follows would be joined to it
                    os.write(self._file, line[written:])
            except OSError:
                os.ftruncate(self._file, self._size)
                raise
            self._size += len(line)

    async def _sync(self) -> None:
        while self._waiting:
            await asyncio.sleep(SYNC_AFTER_S)
            batch, self._waiting = self._waiting, []
            try:
                with _told(self.path):
                    await asyncio.to_thread(os.fsync, self._file)
            except EvaluationError as error:
                for waiting in batch:
                    if not waiting.done():
                        waiting.set_exception(error)
            else:
                for waiting in batch:
                    if not waiting.done():
                        waiting.set_result(None)


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line that was written to its end, with its number from 1. Of no file, none."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield number, line[:-1]
    except FileNotFoundError:
        return
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read ({error.strerror})") from None


def decoded_lines(path: Path, kind: type[T], called: str) -> Iterator[T]:
    """Each whole line as what it is. called: in words, with its article. Raises EvaluationError."""
    decoder = msgspec.json.Decoder(kind)
    for number, line in whole_lines(path):
        try:
            yield decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise EvaluationError(f"{path}, line {number}: expected {called}: {error}") from None


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file: after a kill at any moment it is the old or the new one. Raises EvaluationError."""
    fresh = path.with_name(f"{path.name}.part")
    with _told(path):
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def _drop_torn_line(file: int) -> int:
    """Return the size of what is left."""
    size = os.lseek(file, 0, os.SEEK_END)
    end = size
    while end > 0:
        start = max(0, end - 65536)
        last = os.pread(file, end - start, start).rfind(b"\n")
        if last >= 0:
            end = start + last + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)
    return end


def _sync_folder(folder: Path) -> None:
    """Where that can be done, so that a new file is found after a loss of power."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be written ({error.strerror}): what is in it is kept; make room, and give the "
            "same command again"
        ) from None
