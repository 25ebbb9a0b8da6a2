"""A smart speaker as docs/mqtt.md describes it, on the plain client library: nothing of Parlour's."""

import asyncio
import json
import math
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiomqtt

from tests.peers.pace import Paced
from tests.waiting import News

PREFIX = "parlour/v1"
FRAME_BYTES = 1280  # 40 ms
PLAYED_EVERY_S = 0.1


@dataclass
class Device:
    """Its loudspeaker plays in real time while `plays`; else sound only piles up.

    on_news: called after each message that came and each piece of sound that was played.
    """

    client: aiomqtt.Client
    name: str
    events: list[dict[str, Any]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    server: list[str] = field(default_factory=list)
    frames: list[tuple[int, int, bytes]] = field(default_factory=list)
    cleared: int = 0
    told_ms: int = 0  # the last acknowledgement that the broker has
    played: dict[int, float] = field(default_factory=dict)  # ms of each answer of the session that came out
    on_news: Callable[[], None] = lambda: None
    _waiting: list[tuple[int, bytes]] = field(default_factory=list)
    _n_sessions: int = 0
    _in_frame: bool = False  # a piece of sound is being played, or its end is being told
    _has_sound: asyncio.Event = field(default_factory=asyncio.Event)
    _news: News = field(default_factory=News)

    def up(self, channel: str) -> str:
        return f"{PREFIX}/{self.name}/up/{channel}"

    async def say(self, kind: str, **rest: Any) -> None:
        await self.client.publish(self.up("event"), json.dumps({"type": kind, **rest}), qos=1)

    async def sound(self, pcm16k: bytes) -> None:
        """As fast as it goes: within the ten seconds that a network may have held back."""
        for at in range(0, len(pcm16k), FRAME_BYTES):
            await self.client.publish(self.up("audio"), pcm16k[at : at + FRAME_BYTES])

    async def speak(self, pcm16k: bytes, paced: bool = False) -> None:
        """And be silent for a second. paced: as a microphone does."""
        pcm = pcm16k + bytes(2 * 16_000)
        if not paced:
            await self.sound(pcm)
            return
        microphone = Paced()
        for at in range(0, len(pcm), FRAME_BYTES):
            await self.sound(pcm[at : at + FRAME_BYTES])
            await microphone.after(FRAME_BYTES / 32_000)

    async def until(self, found: Callable[[], Any]) -> Any:
        def missed() -> str:
            told = [event["type"] for event in self.events]
            return f"what {self.name} waited for, but {told}, {self.states}, and {self.played} ms were heard"

        return await self._news.until(found, missed)

    async def event(self, kind: str, n: int = 1) -> dict[str, Any]:
        """The nth event of that type."""
        return dict((await self.until(lambda: self.of(kind)[n - 1 :]))[0])

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def state(self, wanted: str) -> None:
        await self.until(lambda: self.states and self.states[-1] == wanted)

    def spoken(self, answer: int) -> bytes:
        return b"".join(pcm for number, _, pcm in self.frames if number == answer)

    def crash(self) -> None:
        """Its power fails: the connection ends without a word."""
        self.client._client.socket().shutdown(socket.SHUT_RDWR)

    async def read(self) -> None:
        async for message in self.client.messages:
            channel = str(message.topic).rpartition("/")[2]
            payload = message.payload
            assert isinstance(payload, bytes)
            match channel:
                case "event":
                    self._take(json.loads(payload))
                case "state":
                    self.states.append(payload.decode())
                case "server":
                    self.server.append(payload.decode())
                case "audio":
                    answer, offset = struct.unpack_from("<II", payload)
                    self.frames.append((answer, offset, payload[8:]))
                    if answer > self.cleared:
                        self._waiting.append((answer, payload[8:]))
                        self._has_sound.set()
            self._told()

    @property
    def is_playing(self) -> bool:
        return self._in_frame or bool(self._waiting)

    def silence(self) -> None:
        """Play nothing more of what it has."""
        self._waiting.clear()

    def _told(self) -> None:
        self._news()
        self.on_news()

    def _take(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        if event["type"] == "session.created":  # its answers are numbered anew
            self._n_sessions += 1
            self.cleared = 0
            self.played.clear()
            self._waiting.clear()
        if event["type"] == "parlour.moved":  # silent, whatever may still come
            self.cleared = max((answer for answer, _, _ in self.frames), default=0)
            self._waiting.clear()
        if event["type"] == "output_audio_buffer.cleared":
            self.cleared = event["answer"]
            self._waiting = [frame for frame in self._waiting if frame[0] > self.cleared]

    async def play(self) -> None:
        """Frame by frame in its time, with its acknowledgements."""
        loop, loudspeaker = asyncio.get_running_loop(), Paced(catches_up=False)
        told_at, told, answer = 0.0, (0, 0.0), 0
        while True:
            if not self._waiting:
                self._in_frame = False
                self._told()
                self._has_sound.clear()
                await self._has_sound.wait()
                continue
            self._in_frame = True
            following, pcm = self._waiting.pop(0)
            if answer in self.played and answer != following and (answer, self.played[answer]) != told:
                # The last word on one that was stopped, which the next has followed at once.
                await self._acknowledge(answer)
            answer, session = following, self._n_sessions
            await loudspeaker.after(len(pcm) / 48_000)
            if session != self._n_sessions:
                continue
            self.played[answer] = self.played.get(answer, 0.0) + len(pcm) / 48
            self._told()
            is_over = not self._waiting
            if is_over or loop.time() - told_at >= PLAYED_EVERY_S:
                told_at, told = loop.time(), (answer, self.played[answer])
                await self._acknowledge(answer)

    async def _acknowledge(self, answer: int) -> None:
        if answer:
            played_ms = int(self.played[answer])
            await self.say("parlour.played", answer=answer, played_ms=played_ms)
            self.told_ms = played_ms


@asynccontextmanager
async def device(
    url: str,
    name: str = "kitchen",
    plays: bool = True,
    on_begin: Callable[[Device], None] = lambda _: None,
    resume: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Device]:
    """Connected, and known to the server. on_begin: called before anything comes. resume: what it says in
    parlour.resume, before it is online. options: of the client library."""
    parts = urlsplit(url)
    client = aiomqtt.Client(
        parts.hostname or "",
        parts.port or 1883,
        username=parts.username,
        password=parts.password,
        identifier=name,
        will=aiomqtt.Will(f"{PREFIX}/{name}/up/status", "offline", 1, True),
        keepalive=60,  # a device that the broker gives up is one that crashes, and none that is slow
        timeout=math.inf,  # with one, Python 3.11 may forget the cancellation of whoever waits
        **options,
    )
    client.pending_calls_threshold = 1_000_000
    async with client:
        one = Device(client, name)
        on_begin(one)
        reading = asyncio.create_task(one.read(), name=f"{name} reads")
        playing = asyncio.create_task(one.play(), name=f"{name} plays") if plays else None
        try:
            await client.subscribe([(f"{PREFIX}/{name}/down/+", 1), (f"{PREFIX}/server", 1)])
            await one.until(lambda: one.server and one.server[-1] == "online")
            if resume is not None:
                await one.say("parlour.resume", **resume)
            await client.publish(one.up("status"), "online", qos=1, retain=True)
            await one.until(lambda: one.states)  # idle, or what goes on where it was interrupted
            yield one
        finally:
            for task in (reading, playing):
                if task is not None:
                    task.cancel()
            await asyncio.gather(*(task for task in (reading, playing) if task), return_exceptions=True)
            if client._disconnected.done():
                client._disconnected.exception()  # it crashed, as was wanted
