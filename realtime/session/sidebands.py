"""Sidebands: a client's server listens in on its user's call, and acts in it (OpenAI, "Server controls").

It gets the session's events but no audio, and sends all events but audio. What is answered to it alone, an
error or an item that it retrieves, nobody else sees.
"""

import asyncio
from collections.abc import Awaitable, Callable

from realtime.clock import Clock
from realtime.errors import ClientError, InvalidEvent
from realtime.protocol import events as wire
from realtime.protocol.effects import Effect, Send
from realtime.protocol.session import Input, Session
from realtime.session.connections import first_exception
from realtime.session.flood import EventBudget
from realtime.session.replay import ReplayBuffer
from realtime.session.transport import PeerGone, Transport

SIDEBANDS_MAX = 4
_OF_THE_CALL = wire.InputAudioBufferAppend | wire.PlaybackReport | wire.Resume | wire.HandOver
_TO_THE_CALL = wire.ItemRetrieved | wire.ResumeToken | wire.HandOverToken | wire.Moved
"""What only the call's own client asks for, and with what it can be taken over."""


class Sidebands:
    """Of one session."""

    def __init__(
        self,
        session: Session,
        clock: Clock,
        react: Callable[[Input, list[Effect], float], None],
        room: Callable[[], Awaitable[None]],
        replay: Callable[[], ReplayBuffer],
    ) -> None:
        """react: what becomes of an event and its effects. room: waits until the session can take more."""
        self._session = session
        self._clock = clock
        self._react = react
        self._room = room
        self._replay = replay
        self._transports: list[Transport] = []
        self._over = asyncio.Event()
        self._close_with = 1000, "the session has ended"

    def send(self, event: wire.ServerEvent) -> None:
        if isinstance(event, _TO_THE_CALL):
            return
        for transport in self._transports:
            transport.send(event)

    def end(self, code: int, reason: str) -> None:
        """The session is over."""
        self._close_with = code, reason
        self._over.set()

    async def serve(self, transport: Transport) -> None:
        """Until it leaves, or the session is over."""
        if len(self._transports) >= SIDEBANDS_MAX:
            await transport.close(1008, f"at most {SIDEBANDS_MAX} sidebands to a call")
            return
        self._answer(transport, wire.SessionCreated(session=self._session.config.shown))
        self._transports.append(transport)
        closing: tuple[int, str] | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(transport), name="sideband reader")
                tasks.create_task(transport.run(), name="sideband sender")
                await self._over.wait()
                raise _Over
        except* _Over:
            closing = self._close_with
        except* PeerGone as gone:
            left = first_exception(gone)
            closing = (1008, left.reason) if isinstance(left, PeerGone) and left.code == 1008 else None
        finally:
            self._transports.remove(transport)
            if closing is not None:
                await transport.close(*closing)
            transport.discard()

    async def _read(self, transport: Transport) -> None:
        budget = EventBudget(self._clock.now())
        while True:
            event = await transport.receive()
            if isinstance(event, _OF_THE_CALL):
                kind = str(event.__struct_config__.tag)
                event = InvalidEvent(
                    "invalid_value", f"{kind} belongs to the call itself.", "type", event.event_id
                )
            self._take(transport, event)
            n_bytes = transport.received_bytes + self._session.retrieved_bytes(event)
            if not budget.spend(self._clock.now(), n_bytes):
                raise PeerGone(1008, "too many events: at most 100 a second of 16 KiB")
            await transport.drain()
            await self._room()

    def _take(self, transport: Transport, event: wire.ControlEvent | ClientError) -> None:
        now = self._clock.now()
        effects = self._session.feed(event, now)
        match effects:
            case [Send(event=wire.Error() | wire.ItemRetrieved() as answer)]:
                self._answer(transport, answer)
            case _:
                self._react(event, effects, now)

    def _answer(self, transport: Transport, event: wire.ServerEvent) -> None:
        self._replay().give_id(event)
        transport.send(event)


class _Over(Exception):
    """The session is."""
