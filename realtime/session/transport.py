"""What a transport is: a thin adapter between a peer and the session's runner."""

from typing import Protocol

from realtime.errors import InvalidEvent
from realtime.protocol.effects import Play
from realtime.protocol.events import AnyClientEvent, PlaybackReport, ServerEvent

UNTOLD_MS_MAX = 1_000
"""So much of what was reported as heard may turn out not to have been, when a connection is lost."""


class PeerGone(Exception):
    """The connection is over. code, reason: as in a WebSocket close (RFC 6455 7.4)."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


class OwnIds:
    """Ids for the events that a transport sends of its own, between those of the session.

    Each is that of the session's event before it, and a number: so it says how far its reader has come.
    """

    def __init__(self, before: str = "event") -> None:
        """before: the last event of a reader who had some."""
        self._before = before
        self._count = 0

    def played(self, play: Play) -> None:
        """Called with every piece of audio, between the events."""
        self._before, self._count = play.event_id, 0

    def give(self, event: ServerEvent) -> None:
        """Called with every event, in the order of sending; one that has an id keeps it."""
        if event.event_id:
            self._before, self._count = event.event_id, 0
        else:
            self._count += 1
            event.event_id = f"{self._before}.{self._count}"


class Transport(Protocol):
    """One peer's connection. `send`, `play` and `stop_playback` queue and return at once.

    A connection may be handed from one session to another: `run` is cancelled and called again then.
    received_bytes: the size of the event that `receive` returned last. paces_playback: it gives its peer the
    sound in its time, so that what was not heard by the loss of the connection is to be sent anew.
    """

    received_bytes: int
    paces_playback: bool

    async def receive(self) -> AnyClientEvent | InvalidEvent:
        """The next event of the client. Raises PeerGone."""
        ...

    def send(self, event: ServerEvent) -> None: ...

    def play(self, play: Play) -> None: ...

    def stop_playback(self, response_id: str, is_in_conversation: bool) -> None:
        """is_in_conversation: its items are; those of an out-of-band response are not truncated there."""
        ...

    async def drain(self) -> None:
        """Wait until more audio may be queued."""
        ...

    def is_alive(self, since: float) -> bool:
        """Whether there is reason to think so, when no sound has come since then (of `time.monotonic`)."""
        ...

    async def run(self) -> None:
        """Carry what is queued to the peer, until cancelled. Raises PeerGone."""
        ...

    def detach(self, is_lost: bool) -> list[PlaybackReport]:
        """The session goes on without this connection: play no more. Returns the reports that are still due
        of what was heard.

        is_lost: with its network. What was on its way then was not heard, though it may have been reported: a
        report can be of up to UNTOLD_MS_MAX less than the one before.
        """
        ...

    def discard(self) -> None:
        """The peer is gone: forget what is queued, and let nobody wait for room."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Send what is queued, as far as the peer takes it, and end the connection."""
        ...
