"""A user with an open microphone: room, and now and then speech, at real-time pace, without a gap."""

import asyncio
import base64
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from realtime.audio.resample import Resampler
from tests.bench.tracks import FRAME_MS, WIRE_HZ, cut
from tests.speech import HZ, Utterance, in_a_room

FRAME_S = FRAME_MS / 1000
_ROOM_S = 4


def frames_of(pcm16k: bytes) -> tuple[bytes, ...]:
    """20 ms frames at 24 kHz, in the sound of a quiet room."""
    resampler = Resampler(HZ, WIRE_HZ)
    heard = in_a_room(pcm16k)
    return cut(resampler.push(heard) + resampler.flush())


@cache
def room() -> tuple[bytes, ...]:
    return frames_of(bytes(2 * _ROOM_S * HZ))


@cache
def speech(utterance: Utterance) -> tuple[bytes, ...]:
    return frames_of(utterance.pcm16k)


def prepare(spoken: Iterable[Utterance]) -> None:
    """Make what will be said: made while talking, it would stop the talk for a tenth of a second."""
    room()
    for utterance in spoken:
        speech(utterance)


class User:
    """Speaks when told to; what the server sends is timed on arrival and handed over in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._speech: deque[bytes] = deque()
        self._speech_sent = 0
        self._speech_begun: asyncio.Future[float] | None = None
        self._events: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()  # bounded by the run

    async def send(self, **event: Any) -> None:
        await self._socket.send(json.dumps(event))

    async def next_event(self, within_s: float) -> tuple[float, dict[str, Any]]:
        """(arrival on time.perf_counter, event). Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            return await self._events.get()

    async def until(
        self, wanted: Callable[[dict[str, Any]], bool], within_s: float = 30.0
    ) -> tuple[float, dict[str, Any]]:
        """The next event that is wanted; those before it are dropped. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                at, event = await self._events.get()
                if wanted(event):
                    return at, event

    async def say(self, utterance: Utterance) -> float:
        """Begin to speak with the next frame. Returns when the first sample of the utterance is spoken
        (time.perf_counter): a frame is due when its last sample has been, however late it is sent."""
        self._speech.extend(speech(utterance))
        self._speech_begun = asyncio.get_running_loop().create_future()
        return await self._speech_begun - FRAME_S

    def fall_silent(self) -> None:
        self._speech.clear()

    async def keep_talking(self) -> None:
        due, number = time.perf_counter(), 0
        while True:
            if self._speech and self._speech_begun is not None and not self._speech_begun.done():
                self._speech_begun.set_result(due)
            frame = self._speech.popleft() if self._speech else room()[number % len(room())]
            audio = base64.b64encode(frame).decode()
            await self._socket.send(f'{{"type":"input_audio_buffer.append","audio":"{audio}"}}')
            number += 1
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def keep_listening(self) -> None:
        async for message in self._socket:
            self._events.put_nowait((time.perf_counter(), json.loads(message)))


@asynccontextmanager
async def talking_user(port: int) -> AsyncIterator[User]:
    """A user in a fresh session, who is told the times of each turn."""
    async with connect(f"ws://127.0.0.1:{port}/v1/realtime", max_size=None) as socket:
        user = User(socket)
        tasks = [asyncio.create_task(user.keep_listening()), asyncio.create_task(user.keep_talking())]
        try:
            await user.send(type="session.update", session={"type": "realtime", "parlour": {"trace": True}})
            await user.until(lambda event: event["type"] == "session.updated")
            yield user
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
