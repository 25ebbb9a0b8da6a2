"""Who serves a session: one connection after another, and nobody in between."""

import asyncio

from realtime.clock import Clock
from realtime.protocol.events import Moved
from realtime.protocol.inputs import ClientDisconnected, ClientReconnected
from realtime.protocol.session import Session
from realtime.session.catch_up import catch_up
from realtime.session.connection import Connection, HandedOn, Keeper, Nobody, Served
from realtime.session.transport import PeerGone, Transport

PARTING_S = 1.0
MOVED = 4001  # RFC 6455 7.4.2: codes from 4000 on are an application's own
LEFT_FOR_GOOD = frozenset({1000, 1009})
"""Close codes of a client that will not come back: it said goodbye, or sent what nobody can read."""


class SessionOver(Exception):
    """The session ends from this side. code, reason: of the WebSocket close."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Attendance:
    """The connections of one session. A new one takes the place of the one before it."""

    def __init__(
        self, served: Served, session: Session, keeper: Keeper, clock: Clock, grace_s: float
    ) -> None:
        """grace_s: how long a session that may be resumed waits for its client."""
        self._served = served
        self._session = session
        self._keeper = keeper
        self._clock = clock
        self._grace_s = grace_s
        self._connection: Connection | None = None  # that serves it now
        self._next: Connection | None = None
        self._attached = asyncio.Event()
        self._transport: Transport = Nobody(served, self._attached)
        self._server_plays = False  # by the transport that served it last
        self.is_over = False

    @property
    def transport(self) -> Transport:
        """Where the session's events go now."""
        return self._transport

    @property
    def is_served(self) -> bool:
        return self._connection is not None

    async def attach(self, connection: Connection) -> HandedOn | None:
        """Let a connection serve this session until it leaves, in place of the one that does now.

        Returns where it is to go from here, if its client named another session.
        """
        if self._next is not None:
            self._next.left.set()  # a later one has come before it was served
            self._next = None
        if self.is_over:
            await connection.transport.close(1000, "the session has ended")
            return None
        connection.input_silent_ms = self._served.input_silent_ms
        self._next = connection
        self._attached.set()
        if self._connection is not None:
            self._make_way(self._connection, connection)
        try:
            await connection.left.wait()
        finally:
            connection.leave.set()
        return connection.handed_on

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        """Serve one connection after another. Raises why the last one left."""
        self._tasks = tasks
        while True:
            await self._attached.wait()
            self._attached.clear()
            connection, self._next = self._next, None
            if connection is None:
                continue
            self._connection = connection
            gone = await self._serve(connection) or PeerGone(MOVED, "the session goes on elsewhere")
            self._connection, self._transport = None, Nobody(self._served, self._attached)
            self._server_plays = connection.transport.paces_playback
            reports = connection.transport.part(is_lost=True)
            for report in reports:
                self._served.heard(report)
            self._served.feed(ClientDisconnected({report.item_id: report.played_ms for report in reports}))
            dismissed = tasks.create_task(self._dismiss(connection, gone), name="farewell")
            if self._next is None:
                await dismissed
                await self._wait(gone)

    async def room(self) -> None:
        """Wait until the connection, or the replay in its place, can take more."""
        while True:
            transport = self._transport
            await transport.room()
            if transport is self._transport:
                return

    async def part(self, ended: PeerGone | SessionOver | HandedOn | Exception) -> None:
        """The session is over: let go of the connections that are left, each with the reason."""
        self.is_over = True
        for connection in (self._connection, self._next):
            if connection is None or connection.left.is_set():
                continue
            match ended:
                case HandedOn() if connection is self._connection:
                    connection.transport.part(is_lost=False)
                    connection.handed_on = ended
                    connection.left.set()
                    continue
                case SessionOver(code=code, reason=reason):
                    await connection.transport.close(code, reason)
                case PeerGone() | HandedOn():
                    pass
                case _:
                    await connection.transport.close(1011, "internal error")
            connection.transport.abandon()
            connection.left.set()

    # One connection -----------------------------------------------------------------------

    async def _serve(self, connection: Connection) -> PeerGone | None:
        """Returns why it is gone; None when it had to leave."""
        ended: PeerGone | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._greet(connection)
                tasks.create_task(self._served.read(connection), name="reader")
                tasks.create_task(connection.transport.run(), name="sender")
                await connection.leave.wait()
                raise _MustLeave
        except* _MustLeave:
            pass
        except* PeerGone as gone:
            found = first_of(gone)
            assert isinstance(found, PeerGone)
            ended = found
        return ended

    async def _greet(self, connection: Connection) -> None:
        if not connection.resumed_by:
            self._transport = connection.transport
            self._served.perform(self._session.open())
            return
        token = await self._keeper.issue(self._served, connection.resumed_by)
        if connection.played is not None:
            self._served.heard(connection.played)
        self._transport = connection.transport
        # From here on without a pause: nothing may come between what was missed and what is new.
        now, server_paces = self._clock.now(), self._server_plays or connection.transport.paces_playback
        catch_up(self._served, self._session.state, connection, now, token, self._grace_s, server_paces)
        self._served.feed(ClientReconnected())

    # Its end ------------------------------------------------------------------------------

    def _make_way(self, connection: Connection, other: Connection) -> None:
        """Another connection comes in place of this one."""
        if other.lost:
            connection.leave.set()  # nobody has noticed yet
            return
        seeing_off = self._see_off(connection)
        try:
            self._tasks.create_task(seeing_off, name="moved")
        except RuntimeError:  # of the TaskGroup: the session is ending, and lets all connections go by itself
            seeing_off.close()

    async def _see_off(self, connection: Connection) -> None:
        """Tell it that the session goes on elsewhere. It may report what was heard, and close by itself."""
        token, expires_at = await self._keeper.issue_way_back(self._served)
        if self._connection is not connection:
            return  # it has left meanwhile
        self._served.tell(Moved(token=token, expires_at=expires_at))
        # What this server has sent is heard to its end there; and no more of it is sent.
        for report in connection.transport.part(is_lost=False):
            self._served.heard(report)
        await self._clock.sleep(PARTING_S)
        connection.leave.set()

    async def _dismiss(self, connection: Connection, gone: PeerGone) -> None:
        """Takes seconds where the network is dead; the next connection does not wait for that."""
        try:
            if gone.code in (MOVED, 1008):
                await connection.transport.close(gone.code, gone.reason)
        finally:
            connection.transport.abandon()
            connection.left.set()

    async def _wait(self, gone: PeerGone) -> None:
        """For the next connection. Raises `gone` when there is none in time, or none to come."""
        if not self._served.replay.keeps or gone.code in LEFT_FOR_GOOD:
            raise gone
        self._keeper.changed(self._served)
        attached = asyncio.ensure_future(self._attached.wait())
        too_late = asyncio.ensure_future(self._clock.sleep(self._grace_s))
        try:
            await asyncio.wait((attached, too_late), return_when=asyncio.FIRST_COMPLETED)
        finally:
            attached.cancel()
            too_late.cancel()
        if not self._attached.is_set():
            raise gone


class _MustLeave(Exception):
    """The connection makes way for another one."""


def first_of(group: BaseExceptionGroup[Exception]) -> Exception:
    """One of the group's exceptions, out of its nested groups."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, Exception)
    return found
