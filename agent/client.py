"""An agent that is elsewhere: the contract of `agent.api` over one WebSocket for each call.

Whatever happens to the other side becomes the answer's last event, or an AgentError.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from os import PathLike
from typing import Any, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from agent import wire
from agent.api import (
    AgentError,
    AgentEvent,
    AgentRequest,
    GenerationDone,
    GenerationFailed,
    Health,
    KeepAlive,
    PromptRead,
    StageDone,
    TranscribeRequest,
    Transcript,
)

EVENT_WINDOW = 8
"""Messages read ahead of the caller; then the other side has to wait, down to its engine."""
_INTERNAL_ERROR, _TOO_BIG = 1011, 1009  # RFC 6455 7.4.1

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds until the other side is given up. first_event_s has to cover recognition and the
    prefill of a long conversation behind other sessions; next_event_s one token or one clause."""

    connect_s: float = 3.0
    first_event_s: float = 30.0
    next_event_s: float = 15.0
    transcribe_s: float = 30.0
    health_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where an agent listens: a Unix socket, or the URL of its host (ws, wss, http, https)."""

    uds: str | PathLike[str] = ""
    url: str = ""

    def __post_init__(self) -> None:
        if bool(self.uds) == bool(self.url):
            raise ValueError("an agent's address is either a Unix socket or a URL")
        if self.url and urlsplit(self.url).scheme not in ("ws", "wss", "http", "https"):
            raise ValueError("an agent's URL begins with ws://, wss://, http:// or https://")


class RemoteAgent:
    """Implements `agent.api.Agent` over the wire of `agent.server`."""

    def __init__(
        self, *, uds: str | PathLike[str] = "", url: str = "", timeouts: Timeouts | None = None
    ) -> None:
        self._address = Address(uds, url)
        self._timeouts = timeouts or Timeouts()
        self._calls: set[ClientConnection] = set()

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        try:
            frame = wire.encode(request)
            async with self._call(wire.RESPOND_PATH) as call:
                wait_s = self._timeouts.first_event_s
                await self._send(call, frame, wait_s)
                while True:
                    event = wire.decode_event(await self._receive(call, wait_s))
                    yield event
                    if isinstance(event, GenerationDone | GenerationFailed):
                        return
                    if not isinstance(event, StageDone | KeepAlive | PromptRead):
                        wait_s = self._timeouts.next_event_s
        except AgentError as error:
            yield GenerationFailed(error.code, error.message)

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        frame = wire.encode(request)
        return await self._ask(wire.TRANSCRIBE_PATH, frame, Transcript, self._timeouts.transcribe_s)

    async def warm(self, request: AgentRequest) -> None:
        with suppress(AgentError):
            await self._ask(wire.WARM_PATH, wire.encode(request), Health, self._timeouts.first_event_s)

    async def health(self) -> Health:
        try:
            return await self.ping()
        except AgentError as error:
            return Health("failed", "", error.message)

    async def ping(self) -> Health:
        """As `health`, but raises AgentError when the other side does not answer."""
        return await self._ask(wire.HEALTH_PATH, b"\xc0", Health, self._timeouts.health_s)

    async def aclose(self) -> None:
        for call in list(self._calls):
            await self._hang_up(call)

    async def _connect(self, path: str) -> ClientConnection:
        """Open a call. Raises AgentError. A supervisor puts waiting for its worker here."""
        return await open_call(self._address, path, self._timeouts.connect_s)

    def _lost(self) -> AgentError:
        """Why a call's socket closed before its time."""
        return AgentError("agent_unavailable", "the agent went away in the middle of a call")

    async def _ask(self, path: str, frame: bytes, expected: type[Reply], wait_s: float) -> Reply:
        async with self._call(path) as call:
            await self._send(call, frame, wait_s)
            return wire.decode_reply(await self._receive(call, wait_s), expected)

    @asynccontextmanager
    async def _call(self, path: str) -> AsyncGenerator[ClientConnection, None]:
        call = await self._connect(path)
        self._calls.add(call)
        try:
            yield call
        finally:
            await self._hang_up(call)

    async def _send(self, call: ClientConnection, frame: bytes, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await call.send(frame)
        except TimeoutError:
            raise AgentError("agent_timeout", f"the agent did not read for {wait_s:g} s") from None
        except ConnectionClosed as closed:
            raise self._explained(closed) from None

    async def _receive(self, call: ClientConnection, wait_s: float) -> bytes:
        try:
            async with asyncio.timeout(wait_s):
                return await call.recv(decode=False)
        except TimeoutError:
            raise AgentError("agent_timeout", f"the agent said nothing for {wait_s:g} s") from None
        except ConnectionClosed as closed:
            raise self._explained(closed) from None

    def _explained(self, closed: ConnectionClosed) -> AgentError:
        if closed.sent is not None and closed.sent.code == _TOO_BIG:
            return AgentError("agent_error", f"the agent sent more than {wire.MAX_EVENT_BYTES} bytes at once")
        if closed.rcvd is not None and closed.rcvd.code == _TOO_BIG:
            return AgentError("agent_error", "the conversation is longer than the agent reads")
        if closed.rcvd is not None and closed.rcvd.code == _INTERNAL_ERROR:
            return AgentError("agent_error", "the agent failed")
        if closed.rcvd is not None and closed.rcvd.code == 1000:
            return AgentError("agent_error", "the agent ended a call without an answer")
        return self._lost()

    async def _hang_up(self, call: ClientConnection) -> None:
        """Close the socket now. A closing handshake would wait for a peer that may be hanging."""
        self._calls.discard(call)
        call.transport.abort()
        await call.wait_closed()


async def open_call(address: Address, path: str, connect_s: float) -> ClientConnection:
    """Open one call's socket. Raises AgentError."""
    try:
        if address.uds:
            return await unix_connect(str(address.uds), f"ws://localhost{path}", **_options(connect_s))
        base = "ws" + address.url.removeprefix("http").removeprefix("ws").rstrip("/")
        return await connect(base + path, proxy=None, **_options(connect_s))
    except TimeoutError:
        raise AgentError("agent_timeout", f"the agent did not accept a call in {connect_s:g} s") from None
    except (OSError, WebSocketException) as error:
        reason = type(error).__name__
        raise AgentError("agent_unavailable", f"the agent cannot be reached: {reason}") from None


def _options(connect_s: float) -> dict[str, Any]:
    return {
        "open_timeout": connect_s,
        "ping_interval": None,  # every wait of a call has its own deadline
        "compression": None,
        "user_agent_header": None,
        "max_size": wire.MAX_EVENT_BYTES,
        "max_queue": EVENT_WINDOW,
    }
