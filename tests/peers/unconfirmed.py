"""What a client has said and the server is not known to have (docs/resume.md)."""

import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[str], Awaitable[None]]


class Unconfirmed:
    """Each event has an id, and is kept until a resumed session says how far it has come.

    While nothing is connected, and until the server has said that, events are kept and not sent.
    """

    def __init__(self) -> None:
        self._kept: deque[dict[str, Any]] = deque()
        self._count = 0
        self._send: Send | None = None

    def connected(self, send: Send) -> None:
        """With a session of its own."""
        self._send = send

    def lost(self) -> None:
        self._send = None

    async def say(self, kind: str, **rest: Any) -> str:
        """Returns the event's id."""
        self._count += 1
        event = {"type": kind, "event_id": f"c{self._count}", **rest}
        self._kept.append(event)
        if self._send is not None:
            await self._send(json.dumps(event))
        return f"c{self._count}"

    async def resumed(self, last: str | None, send: Send) -> None:
        """Send again what came after that event; what is said meanwhile comes after it."""
        number = int(last[1:]) if last else 0
        while self._kept and int(self._kept[0]["event_id"][1:]) <= number:
            self._kept.popleft()
        sent = 0
        while sent < len(self._kept):
            await send(json.dumps(self._kept[sent]))
            sent += 1
        self._send = send
