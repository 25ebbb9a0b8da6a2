"""A session's outgoing queue: bounded, in order, its audio droppable at a barge-in."""

import asyncio
from collections import deque
from dataclasses import dataclass

OUTBOX_BYTES_MAX = 4 * 1024 * 1024
"""About a minute of speech as base64. What does not fit waits; a peer that leaves it full for
`slow_peer_s` is closed."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message. response_id: of audio that may be dropped when that response is cut off. event_id: of an
    event, for those who count what has left."""

    text: str
    response_id: str | None = None
    event_id: str = ""


class Outbox:
    """put never blocks; `drain` is awaited by whoever makes more, `take` by the one who sends."""

    def __init__(self, bytes_max: int = OUTBOX_BYTES_MAX) -> None:
        self._queue: deque[Outgoing] = deque()
        self._bytes = 0
        self._bytes_max = bytes_max
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def is_empty(self) -> bool:
        return not self._queue

    @property
    def is_full(self) -> bool:
        return self._bytes >= self._bytes_max

    def put(self, message: Outgoing) -> None:
        self._queue.append(message)
        self._bytes += len(message.text)
        self._something.set()
        if self.is_full:
            self._room.clear()

    async def take(self) -> Outgoing:
        while not self._queue:
            self._something.clear()
            await self._something.wait()
        message = self._queue.popleft()
        self._bytes -= len(message.text)
        if not self.is_full:
            self._room.set()
        return message

    async def drain(self) -> None:
        """Wait until more may be put."""
        await self._room.wait()

    def clear(self) -> None:
        """Forget all that has not left yet."""
        self._queue.clear()
        self._bytes = 0
        self._room.set()

    def drop_audio(self, response_id: str) -> None:
        """Forget the audio of a response that has not left yet."""
        remaining = [message for message in self._queue if message.response_id != response_id]
        self._queue = deque(remaining)
        self._bytes = sum(len(message.text) for message in remaining)
        if not self.is_full:
            self._room.set()
