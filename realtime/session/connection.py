"""A connection that serves a session, and how it comes to serve another one."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from realtime.errors import InvalidEvent
from realtime.protocol.effects import Effect, Play
from realtime.protocol.events import AnyClientEvent, PlaybackReport, ServerEvent
from realtime.protocol.session import Input
from realtime.protocol.snapshot import Snapshot
from realtime.session.replay import ReplayBuffer
from realtime.session.transport import PeerGone, Transport


@dataclass(eq=False, slots=True)
class Connection:
    """Serves a session from when it is attached until it is `detached`.

    resumed_by: the token that its client has shown; "" for one that begins a session. last_event_id: the
    last event that this client has of the session; None: it knows nothing of it. history: whether such a
    client gets the earlier items too. lost: the connection before it is dead. played: what its client has
    heard by now. input_silent_ms: as in Resumed. token_confirmed: its client has the token that replaced
    resumed_by. detach: set to let it go. switch: set when it was detached to serve another session.
    """

    transport: Transport
    resumed_by: str = ""
    last_event_id: str | None = None
    history: bool = True
    lost: bool = False
    played: PlaybackReport | None = None
    input_silent_ms: int | None = None
    token_confirmed: bool = False
    detach: asyncio.Event = field(default_factory=asyncio.Event)
    detached: asyncio.Event = field(default_factory=asyncio.Event)
    switch: "SwitchSession | None" = None


class SwitchSession(Exception):
    """The connection is to serve another session, which its client has named."""

    def __init__(self, session: "Resumable", connection: Connection) -> None:
        super().__init__()
        self.session = session
        self.connection = connection


class Resumable(Protocol):
    """A session, as far as resuming it goes. expires_at: seconds since the epoch."""

    @property
    def session_id(self) -> str: ...

    @property
    def expires_at(self) -> int: ...

    @property
    def is_over(self) -> bool: ...

    @property
    def is_served(self) -> bool: ...

    async def attach(self, connection: Connection) -> SwitchSession | None: ...

    def snapshot(self) -> Snapshot: ...

    def taken_over(self) -> None:
        """Another server serves it from now on."""
        ...


class ServedSession(Resumable, Protocol):
    """The live session, as far as serving it goes."""

    replay: ReplayBuffer
    last_client_event: str | None

    async def read(self, connection: Connection) -> None:
        """Take what the client says, for as long as it serves the session. Raises PeerGone."""
        ...

    @property
    def input_silent_ms(self) -> int | None:
        """How long no input audio has come; None: there never was any."""
        ...

    def is_generating(self, response_id: str) -> bool:
        """More of this answer comes from the agent."""
        ...

    def playback_reported(self, report: PlaybackReport) -> None: ...

    def feed(self, event: Input) -> None: ...

    def perform(self, effects: list[Effect], is_repeated: bool = False) -> None:
        """is_repeated: for the client alone, which has missed it."""
        ...

    def send(self, event: ServerEvent) -> None: ...


class Resumption(Protocol):
    """What a session needs to be resumable (implemented in resumption.py)."""

    async def issue_token(self, session: "Resumable", used: str = "") -> str:
        """The token with which this session can be resumed from now on.

        It replaces the ones before it, but for `used`: that stays good until `confirm_token`, since the
        answer to it may be lost on the way.
        """
        ...

    async def issue_hand_over_token(self, session: "Resumable") -> tuple[str, int]:
        """A token beside the others, for a hand-over, and when it ends (seconds since the epoch)."""
        ...

    async def issue_return_token(self, session: "Resumable") -> tuple[str, int]:
        """The same for the device that the session leaves, and good until it moves again or ends."""
        ...

    async def confirm_token(self, session: "Resumable") -> None:
        """The client has the latest token: the used one is used up."""
        ...

    async def claim(self, token: str, owner: str) -> "Resumable":
        """The session of a token, if it is the owner's; the token is used up. Raises ClientError."""
        ...

    def save_soon(self, session: "Resumable") -> None:
        """Something of it has changed that is to be stored."""
        ...


class NullTransport:
    """The transport while nobody is connected: what is sent is only recorded."""

    received_bytes = 0
    paces_playback = False

    def __init__(self, served: ServedSession, attached: asyncio.Event) -> None:
        self._served = served
        self._attached = attached

    async def receive(self) -> AnyClientEvent | InvalidEvent:
        raise PeerGone(1006)

    def send(self, event: ServerEvent) -> None:
        pass

    def play(self, play: Play) -> None:
        pass

    def stop_playback(self, response_id: str, is_in_conversation: bool) -> None:
        pass

    async def drain(self) -> None:
        if self._served.replay.is_full:
            await self._attached.wait()

    def is_alive(self, since: float) -> bool:
        return True

    async def run(self) -> None:
        pass

    def detach(self, is_lost: bool) -> list[PlaybackReport]:
        return []

    def discard(self) -> None:
        pass

    async def close(self, code: int, reason: str) -> None:
        pass
