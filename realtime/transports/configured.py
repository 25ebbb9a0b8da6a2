"""A session that begins with a configuration of its own, and may have to keep it, on any transport."""

from typing import Any

import msgspec

from realtime.errors import InvalidEvent
from realtime.protocol.codec import decode
from realtime.protocol.config import SessionConfig, merge
from realtime.protocol.effects import Play
from realtime.protocol.events import (
    AnyClientEvent,
    Error,
    ResponseCreate,
    ServerEvent,
    SessionCreated,
    SessionUpdate,
    SessionUpdated,
)
from realtime.transports.base import Transport


def session_patch(raw: object) -> dict[str, Any]:
    """A `session` that came over HTTP, checked as if it had come in a session.update. Raises InvalidEvent."""
    event = decode(msgspec.json.encode({"type": "session.update", "session": raw}))
    assert isinstance(event, SessionUpdate)
    merge(SessionConfig(), event.session)
    return event.session


def kept(patch: dict[str, Any], fixed: dict[str, Any]) -> dict[str, Any]:
    """The patch, with what it says of fixed fields put back to what they are fixed to."""
    result: dict[str, Any] = {}
    for name, value in patch.items():
        if name not in fixed:
            result[name] = value
        elif isinstance(value, dict) and isinstance(fixed[name], dict) and name != "tool_choice":
            result[name] = kept(value, fixed[name])
        else:
            result[name] = fixed[name]
    return result


class ConfiguredTransport:
    """Round another transport: its session is configured before the client hears of it.

    beginning: what the session begins with. fixed: what the client cannot change, in no event.
    """

    def __init__(self, inner: Transport, beginning: dict[str, Any], fixed: dict[str, Any]) -> None:
        self._inner = inner
        self._beginning: dict[str, Any] | None = beginning
        self._fixed = fixed
        self._created: SessionCreated | None = None

    @property
    def received_bytes(self) -> int:
        return self._inner.received_bytes

    @received_bytes.setter
    def received_bytes(self, n_bytes: int) -> None:
        self._inner.received_bytes = n_bytes

    async def receive(self) -> AnyClientEvent | InvalidEvent:
        if self._beginning is not None:
            event, self._beginning = SessionUpdate(session=self._beginning), None
            return event
        came = await self._inner.receive()
        match came:
            case SessionUpdate(session=patch):
                return SessionUpdate(event_id=came.event_id, session=kept(patch, self._fixed))
            case ResponseCreate(response=patch) if patch is not None:
                return ResponseCreate(event_id=came.event_id, response=kept(patch, self._fixed))
            case _:
                return came

    def send(self, event: ServerEvent) -> None:
        if isinstance(event, SessionCreated):
            self._created = event
        elif self._created is None:
            self._inner.send(event)
        else:
            # The answer to the beginning: the client gets it as what its session was created with.
            created, self._created = self._created, None
            if isinstance(event, SessionUpdated):
                created.session = event.session
            self._inner.send(created)
            if isinstance(event, Error):
                self._inner.send(event)

    def play(self, play: Play) -> None:
        self._inner.play(play)

    def stop_playback(self, response_id: str) -> None:
        self._inner.stop_playback(response_id)

    async def room(self) -> None:
        await self._inner.room()

    async def run(self) -> None:
        await self._inner.run()

    async def close(self, code: int, reason: str) -> None:
        await self._inner.close(code, reason)
