"""What counts as broken: an exception, a traceback in the log, words in the log, a second of time."""

import asyncio
import gc
import json
import logging
import sys
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from realtime.logs import JsonFormatter, quiet_libraries
from tests.peers.pace import Paced

SLOW_S = 1.0
_WORDS_CHARS = 24
"""So much of an input in a log line is no coincidence."""
_FORMAT = JsonFormatter()


class Broken(Exception):
    """kind: in a few words; where: the place of the code, by which findings are told apart."""

    def __init__(self, kind: str, where: str) -> None:
        super().__init__(f"{kind} at {where}")
        self.kind = kind
        self.where = where


class Watch(logging.Handler):
    """Collects what is logged, and what nobody has caught."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._records: list[logging.LogRecord] = []
        self._loose: list[Broken] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)

    def clear(self) -> None:
        """What a server logs that is stopped after a finding is none."""
        self._records.clear()
        self._loose.clear()

    def record(self, broken: Broken) -> None:
        self._loose.append(broken)

    def on_loop(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        kind = f"nobody caught: {context.get('message') or type(error).__name__}"
        self._loose.append(Broken(kind, where_of(error) if error else "?"))

    def on_unraisable(self, unraisable: Any) -> None:
        self._loose.append(Broken("unraisable", where_of(unraisable.exc_value)))

    def check(self, data: bytes) -> None:
        """Raises Broken for what came since the last look."""
        records, self._records = self._records, []
        loose, self._loose = self._loose, []
        if loose:
            raise loose[0]
        for record in records:
            if record.name == "asyncio" and record.levelno < logging.WARNING:
                continue
            error = record.exc_info[1] if record.exc_info else None
            if error is not None:
                raise Broken(f"logged a traceback ({record.getMessage()})", where_of(error))
            if record.levelno >= logging.ERROR:
                raise Broken(f"logged: {record.getMessage()[:80]}", record.name)
            if "Traceback" in record.getMessage():
                raise Broken("logged a traceback", record.getMessage().strip().splitlines()[-3].strip())
            if record.name.startswith("parlour") and _holds_words(record, data):
                raise Broken(f"logged words ({record.getMessage()[:40]})", record.name)


@contextmanager
def watching() -> Iterator[Watch]:
    watch, root, hook = Watch(), logging.getLogger(), sys.unraisablehook
    level = root.level
    root.addHandler(watch)
    root.setLevel(logging.INFO)
    quiet_libraries()  # as the server does
    sys.unraisablehook = watch.on_unraisable
    try:
        yield watch
    finally:
        gc.collect()  # a task that was dropped tells of its exception now
        sys.unraisablehook = hook
        root.removeHandler(watch)
        root.setLevel(level)


@contextmanager
def timed() -> Iterator[None]:
    """Raises Broken when it took too long, in seconds of this process's own work."""
    began = time.process_time()
    yield
    if time.process_time() - began > SLOW_S:
        raise Broken("took more than a second", "time")


@asynccontextmanager
async def pulse(watch: Watch) -> AsyncIterator[None]:
    """Notes when the loop did nothing else for too long; a machine that is busy with others is no finding."""

    async def beat() -> None:
        heart = Paced(catches_up=False)
        while True:
            began, worked = time.monotonic(), time.thread_time()
            await heart.after(0.05)
            if min(time.monotonic() - began, time.thread_time() - worked) > SLOW_S:
                watch.note(Broken("the loop stood still for more than a second", "time"))

    beating = asyncio.create_task(beat(), name="pulse")
    try:
        yield
    finally:
        beating.cancel()


def where_of(error: BaseException | None) -> str:
    """The innermost place of an exception that is no library's, and the innermost of all."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is None:
        return "?"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    ours = [one for one in frames if "/lib/python" not in one.filename]
    shown = dict.fromkeys(
        f"{one.filename.rpartition('/')[2]}:{one.lineno}" for one in (*ours[-1:], frames[-1])
    )
    return f"{type(error).__name__} in {' > '.join(shown)}"


def _holds_words(record: logging.LogRecord, data: bytes) -> bool:
    line = json.loads(_FORMAT.format(record))
    shown = [value for key, value in line.items() if isinstance(value, str) and key not in ("logger", "time")]
    text = data.decode(errors="ignore")
    return any(
        value[at : at + _WORDS_CHARS] in text
        for value in shown
        for at in range(0, len(value) - _WORDS_CHARS + 1, 4)
    )
