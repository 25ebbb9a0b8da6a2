"""The connections of one session, one after another: attached, replaced, lost, waited for."""

import asyncio

from realtime.clock import Clock
from realtime.protocol.events import Moved
from realtime.protocol.inputs import ClientDisconnected, ClientReconnected
from realtime.protocol.session import Session
from realtime.session.catch_up import catch_up
from realtime.session.connection import Connection, NullTransport, Resumption, ServedSession, SwitchSession
from realtime.session.transport import PeerGone, Transport

CLOSE_AFTER_MOVE_S = 1.0
MOVED = 4001  # RFC 6455 7.4.2: codes from 4000 on are an application's own
FINAL_CODES = frozenset({1000, 1009})
"""Close codes of a client that will not come back: it said goodbye, or sent what nobody can read."""


class SessionOver(Exception):
    """The session ends from this side. code, reason: of the WebSocket close."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Connections:
    """At most one connection serves the session; a new one takes the place of the one before it."""

    def __init__(
        self, served: ServedSession, session: Session, resumption: Resumption, clock: Clock, grace_s: float
    ) -> None:
        """grace_s: how long a session that may be resumed waits for its client."""
        self._served = served
        self._session = session
        self._resumption = resumption
        self._clock = clock
        self._grace_s = grace_s
        self._connection: Connection | None = None  # that serves it now
        self._next: Connection | None = None
        self._attached = asyncio.Event()
        self._transport: Transport = NullTransport(served, self._attached)
        self._server_paced = False  # by the transport that served it last
        self.is_over = False

    @property
    def transport(self) -> Transport:
        """Where the session's events go now."""
        return self._transport

    @property
    def is_served(self) -> bool:
        return self._connection is not None

    async def attach(self, connection: Connection) -> SwitchSession | None:
        """Let a connection serve this session until it leaves, in place of the one that does now.

        Returns where it is to go from here, if its client named another session.
        """
        if self._next is not None:
            self._next.detached.set()  # a later one has come before it was served
            self._next = None
        if self.is_over:
            await connection.transport.close(1000, "the session has ended")
            return None
        connection.input_silent_ms = self._served.input_silent_ms
        self._next = connection
        self._attached.set()
        if self._connection is not None:
            self._replace(self._connection, connection)
        try:
            await connection.detached.wait()
        finally:
            connection.detach.set()
        return connection.switch

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
            self._connection, self._transport = None, NullTransport(self._served, self._attached)
            self._server_paced = connection.transport.paces_playback
            reports = connection.transport.detach(is_lost=True)
            for report in reports:
                self._served.playback_reported(report)
            self._served.feed(ClientDisconnected({report.item_id: report.played_ms for report in reports}))
            closing = tasks.create_task(self._close(connection, gone), name="close")
            if self._next is None:
                await closing
                await self._wait_for_next(gone)

    async def drain(self) -> None:
        """Wait until the connection, or the replay in its place, can take more."""
        while True:
            transport = self._transport
            await transport.drain()
            if transport is self._transport:
                return

    async def close_all(self, ended: PeerGone | SessionOver | SwitchSession | Exception) -> None:
        """The session is over: close the connections that are left, each with the reason."""
        self.is_over = True
        for connection in (self._connection, self._next):
            if connection is None or connection.detached.is_set():
                continue
            match ended:
                case SwitchSession() if connection is self._connection:
                    connection.transport.detach(is_lost=False)
                    connection.switch = ended
                    connection.detached.set()
                    continue
                case SessionOver(code=code, reason=reason):
                    await connection.transport.close(code, reason)
                case PeerGone() | SwitchSession():
                    pass
                case _:
                    await connection.transport.close(1011, "internal error")
            connection.transport.discard()
            connection.detached.set()

    # One connection -----------------------------------------------------------------------

    async def _serve(self, connection: Connection) -> PeerGone | None:
        """Returns why it is gone; None when it was replaced."""
        ended: PeerGone | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._begin(connection)
                tasks.create_task(self._served.read(connection), name="reader")
                tasks.create_task(connection.transport.run(), name="sender")
                await connection.detach.wait()
                raise _Replaced
        except* _Replaced:
            pass
        except* PeerGone as gone:
            found = first_exception(gone)
            assert isinstance(found, PeerGone)
            ended = found
        return ended

    async def _begin(self, connection: Connection) -> None:
        """Open the session, or resume it."""
        if not connection.resumed_by:
            self._transport = connection.transport
            self._served.perform(self._session.open())
            return
        token = await self._resumption.issue_token(self._served, connection.resumed_by)
        if connection.played is not None:
            self._served.playback_reported(connection.played)
        self._transport = connection.transport
        # From here on without a pause: nothing may come between what was missed and what is new.
        now, server_paces = self._clock.now(), self._server_paced or connection.transport.paces_playback
        catch_up(self._served, self._session.state, connection, now, token, self._grace_s, server_paces)
        self._served.feed(ClientReconnected())

    # Its end ------------------------------------------------------------------------------

    def _replace(self, connection: Connection, other: Connection) -> None:
        """Another connection comes in place of this one."""
        if other.lost:
            connection.detach.set()  # nobody has noticed yet
            return
        announcing = self._announce_move(connection)
        try:
            self._tasks.create_task(announcing, name="moved")
        except RuntimeError:  # of the TaskGroup: the session is ending, and lets all connections go by itself
            announcing.close()

    async def _announce_move(self, connection: Connection) -> None:
        """Send `parlour.moved`. Its client may report what was heard, and close by itself."""
        token, expires_at = await self._resumption.issue_return_token(self._served)
        if self._connection is not connection:
            return  # it has left meanwhile
        self._served.send(Moved(token=token, expires_at=expires_at))
        # What this server has sent is heard to its end there; and no more of it is sent.
        for report in connection.transport.detach(is_lost=False):
            self._served.playback_reported(report)
        await self._clock.sleep(CLOSE_AFTER_MOVE_S)
        connection.detach.set()

    async def _close(self, connection: Connection, gone: PeerGone) -> None:
        """Takes seconds where the network is dead; the next connection does not wait for that."""
        try:
            if gone.code in (MOVED, 1008):
                await connection.transport.close(gone.code, gone.reason)
        finally:
            connection.transport.discard()
            connection.detached.set()

    async def _wait_for_next(self, gone: PeerGone) -> None:
        """For the next connection. Raises `gone` when there is none in time, or none to come."""
        if not self._served.replay.is_recording or gone.code in FINAL_CODES:
            raise gone
        self._resumption.save_soon(self._served)
        attached = asyncio.ensure_future(self._attached.wait())
        too_late = asyncio.ensure_future(self._clock.sleep(self._grace_s))
        try:
            await asyncio.wait((attached, too_late), return_when=asyncio.FIRST_COMPLETED)
        finally:
            attached.cancel()
            too_late.cancel()
        if not self._attached.is_set():
            raise gone


class _Replaced(Exception):
    """The connection makes way for another one."""


def first_exception(group: BaseExceptionGroup[Exception]) -> Exception:
    """One of the group's exceptions, out of its nested groups."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, Exception)
    return found
