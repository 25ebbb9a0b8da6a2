"""A load of users who talk at real-time pace, and how late they get what they are waiting for.

Lateness is measured from the moment at which the frame that triggers a signal was written to the
socket (which frame that is, is known beforehand: see `Trigger`) until the signal arrives; and as the
round trip of a small event that goes through the same queues as the audio.
"""

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

from tests.bench.frames import CLOSE, PING, PONG, FrameReader, client_frame, upgrade_request
from tests.bench.tracks import FRAME_MS, Track

FRAME_S = FRAME_MS / 1000
_ASK_EVERY_FRAMES = 1000 // FRAME_MS
_GOLDEN = 0.618_034  # multiples of it, modulo 1, lie evenly spread however many there are
_CONNECT_WITHIN_S = 10.0
_SLEEP_S = 0.001

Kind = Literal["ready", "started", "stopped", "answered"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """The frame of a track (its number) with which the server can know of `kind`."""

    frame: int
    kind: Literal["started", "stopped"]


class Wire(Protocol):
    """What is particular to a server: its path, its client messages, its answers."""

    path: str
    ask: bytes
    """A whole frame: a small message that is answered at once, in its turn."""

    def audio(self, pcm: bytes) -> bytes:
        """A whole frame that carries 20 ms of s16le mono at 24 kHz."""
        ...

    def read(self, payload: bytes) -> Kind | None:
        """What a message of the server says, as far as it matters here."""
        ...


@dataclass(slots=True)
class Measured:
    """In ms. signals: lateness of speech_started and speech_stopped; answers: round trips; sending:
    how late the load itself was; wrong: signals that came without their trigger having been sent."""

    signals: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    sending: list[float] = field(default_factory=list)
    wrong: int = 0
    lost: int = 0


class Talker(asyncio.Protocol):
    """One user on one connection."""

    def __init__(self, wire: Wire, host: str, frames: Sequence[bytes], triggers: Sequence[Trigger]) -> None:
        """frames: whole WebSocket frames, shared by all who play the same track."""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_lost = False
        self.measured = Measured()
        self.phase_s = 0.0
        self._wire = wire
        self._host = host
        self._frames = frames
        self._triggers = deque(triggers)
        self._sent_at = array("d")
        self._asked_at: deque[float] = deque()
        self._ask_at = 0
        self._reader: FrameReader | None = None
        self._head = b""

    # asyncio.Protocol -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but not by descent
        self._transport.write(upgrade_request(self._host, self._wire.path))

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            head, end, rest = (self._head + data).partition(b"\r\n\r\n")
            if not end:
                self._head = head
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self._lose(ConnectionError(head.partition(b"\r\n")[0].decode(errors="replace")))
                return
            self._reader, data = FrameReader(), rest
        now = time.perf_counter()
        for opcode, payload in self._reader.feed(data):
            if opcode == CLOSE:
                self._lose(ConnectionError(f"closed by the server: {payload[2:].decode(errors='replace')}"))
            elif opcode == PING:
                self._transport.write(client_frame(payload, PONG))
            else:
                self._take(self._wire.read(payload), now)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(exc or ConnectionError("the server closed the connection"))

    # Talking --------------------------------------------------------------------------

    def begin(self, phase_s: float, number: int) -> None:
        """phase_s: where in each 20 ms its frames are due. number: spreads the questions."""
        self.phase_s = phase_s
        self._ask_at = number % _ASK_EVERY_FRAMES

    def talk(self, due: float) -> None:
        """Send the next frame, and now and then the question; due: when it ought to be sent."""
        if self.is_lost or len(self._sent_at) == len(self._frames):
            return
        now = time.perf_counter()
        number = len(self._sent_at)
        self._sent_at.append(now)
        self._transport.write(self._frames[number])
        self.measured.sending.append((now - due) * 1000)
        if number % _ASK_EVERY_FRAMES == self._ask_at:
            self._asked_at.append(now)
            self._transport.write(self._wire.ask)

    def leave(self) -> None:
        self.is_lost = True
        self._transport.abort()

    def _take(self, kind: Kind | None, now: float) -> None:
        match kind:
            case "ready":
                if not self.ready.done():
                    self.ready.set_result(None)
            case "answered":
                if self._asked_at:
                    self.measured.answers.append((now - self._asked_at.popleft()) * 1000)
            case "started" | "stopped":
                trigger = self._triggers.popleft() if self._triggers else None
                if trigger is None or trigger.kind != kind or trigger.frame >= len(self._sent_at):
                    self.measured.wrong += 1
                else:
                    self.measured.signals.append((now - self._sent_at[trigger.frame]) * 1000)
            case None:
                pass

    def _lose(self, why: Exception) -> None:
        if not self.is_lost:
            self.is_lost = True
            self.measured.lost += 1
        if not self.ready.done():
            self.ready.set_exception(why)


class Crowd:
    """All the users of one run, and the one task that keeps their pace."""

    def __init__(
        self, wire: Wire, port: int, tracks: Sequence[Track], triggers: Sequence[Sequence[Trigger]]
    ) -> None:
        self._wire = wire
        self._port = port
        made: dict[bytes, bytes] = {}  # what is said twice is held once
        self._frames = [
            tuple(made.setdefault(pcm, wire.audio(pcm)) for pcm in track.frames) for track in tracks
        ]
        self._triggers = triggers
        self._talkers: list[Talker] = []

    @property
    def size(self) -> int:
        return len(self._talkers)

    async def grow(self, size: int, over_s: float) -> None:
        """Connect users, evenly over a time, until there are `size`. Raises ConnectionError, OSError."""
        pause_s = over_s / max(1, size - self.size)
        while self.size < size:
            number = self.size
            track = number % len(self._frames)
            begun = time.perf_counter()
            talker = await self._connect(self._frames[track], self._triggers[track])
            talker.begin(number * _GOLDEN % 1.0 * FRAME_S, number)
            self._talkers.append(talker)
            self._talkers.sort(key=lambda one: one.phase_s)
            await asyncio.sleep(max(0.0, pause_s - (time.perf_counter() - begun)))

    async def keep_pace(self) -> None:
        """Let everybody talk, until cancelled."""
        start = time.perf_counter()
        while True:
            for talker in list(self._talkers):
                due = start + talker.phase_s
                await _sleep_until(due)
                talker.talk(due)
            start += FRAME_S
            await _sleep_until(start)

    def take_measured(self) -> Measured:
        """What was measured since the last call."""
        total = Measured()
        for talker in self._talkers:
            total.signals += talker.measured.signals
            total.answers += talker.measured.answers
            total.sending += talker.measured.sending
            total.wrong += talker.measured.wrong
            total.lost += talker.measured.lost
            talker.measured = Measured()
        return total

    def leave(self) -> None:
        for talker in self._talkers:
            talker.leave()

    async def _connect(self, frames: Sequence[bytes], triggers: Sequence[Trigger]) -> Talker:
        host = f"127.0.0.1:{self._port}"
        make: Callable[[], Talker] = lambda: Talker(self._wire, host, frames, triggers)  # noqa: E731
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            _, talker = await loop.create_connection(make, "127.0.0.1", self._port)
            await talker.ready
        return talker


async def _sleep_until(due: float) -> None:
    """To the millisecond, which is all that the loop's timers know; who is due sooner goes together."""
    wait_s = due - time.perf_counter()
    while wait_s > 0:
        await asyncio.sleep(max(wait_s, _SLEEP_S))
        wait_s = due - time.perf_counter()
