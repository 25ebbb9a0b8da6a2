"""How a test waits: for what it is about, however long a slow machine takes.

No wait has a limit of its own. What never comes fails the test all the same: pytest-timeout ends each test
after the `timeout` of pyproject.toml, and a wait that knows what it waits for says so after HANGS_S.
"""

import asyncio
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

HANGS_S = 300.0
"""No machine is so slow: what has not come by then never comes. Below pytest's own `timeout`, which cannot
say what was waited for."""

_LOOK_EVERY_S = 0.01

T = TypeVar("T")


@asynccontextmanager
async def unless_it_hangs(what: str | Callable[[], str]) -> AsyncIterator[None]:
    """Raises AssertionError, with `what` did not come, where the block takes longer than HANGS_S."""
    try:
        async with asyncio.timeout(HANGS_S) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise  # of the block itself
        raise AssertionError(f"never came: {what if isinstance(what, str) else what()}") from None


class News:
    """Wakes those who wait for a condition, each time that something has happened."""

    def __init__(self) -> None:
        self._has_come = asyncio.Event()

    def __call__(self) -> None:
        """Something has happened: whoever waits looks again."""
        self._has_come.set()

    async def until(self, is_so: Callable[[], T], what: str | Callable[[], str]) -> T:
        """Wait until `is_so` returns something true; return that. Raises AssertionError where it hangs."""
        async with unless_it_hangs(what):
            while not (found := is_so()):
                self._has_come.clear()
                await self._has_come.wait()
        return found


async def polled(is_so: Callable[[], T], what: str | Callable[[], str]) -> T:
    """Look again and again until `is_so` returns something true, and return that.

    Only for what tells nobody when it changes: a port that opens, the kernel's list of sockets, a file that
    another process writes, a count inside the product that no event of the protocol follows. Everything else
    is `News`, an event of the protocol or a future. Raises AssertionError where it hangs.
    """
    async with unless_it_hangs(what):
        while not (found := is_so()):
            await asyncio.sleep(_LOOK_EVERY_S)
    return found


async def port_opens(server: Process, port: int, host: str = "127.0.0.1") -> None:
    """Wait until this process listens at a TCP port. Raises AssertionError where it has ended instead."""

    def listens() -> bool:
        assert server.returncode is None, "the server has ended: is its configuration right?"
        with socket.socket() as knocking:
            return knocking.connect_ex((host, port)) == 0

    await polled(listens, f"a server at port {port}")


class Lateness:
    """How far an event loop is behind its clock: what a busy machine takes from a promise in real time.

    A test that compares what two sides made of the same moment allows what is promised, and what was measured
    beside it in the same run. worst_ms: the longest that a timer was late.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self.worst_ms = 0.0

    def allowed_ms(self, promised_ms: float) -> float:
        """Twice, for a stall may hold up what is heard on its way, and what is told of it on its way back."""
        return promised_ms + 2 * self.worst_ms

    async def __aenter__(self) -> "Lateness":
        self._task = asyncio.create_task(self._measure(), name="lateness")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_EVERY_S
            await asyncio.sleep(_LOOK_EVERY_S)
            self.worst_ms = max(self.worst_ms, (loop.time() - due) * 1000)
