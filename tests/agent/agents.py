"""Agents that tests steer, and the real server round them on a Unix socket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn

from agent.api import (
    Agent,
    AgentEvent,
    AgentRequest,
    GenerationDone,
    Health,
    TextDelta,
    TextPart,
    TranscribeRequest,
    Transcript,
    UserMessage,
)
from agent.client import Timeouts
from agent.server import _listening, _server_config
from tests.waiting import HANGS_S

PATIENT = Timeouts(HANGS_S, HANGS_S, HANGS_S, HANGS_S, HANGS_S)
"""Gives nobody up because the machine is slow; a test of giving up shortens the one wait that it is about."""

HELLO = AgentRequest("s", "r", "", (UserMessage((TextPart("hello"),)),))


class SteeredAgent:
    """Yields what the test puts in, one event at a time, and counts what is held."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[AgentEvent | BaseException] = asyncio.Queue(maxsize=100)
        self.begun = asyncio.Event()
        self.freed = asyncio.Event()
        self.n_yielded = 0

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        self.begun.set()
        try:
            while True:
                event = await self.events.get()
                if isinstance(event, BaseException):
                    raise event
                self.n_yielded += 1
                yield event
                if isinstance(event, GenerationDone):
                    return
        finally:
            self.freed.set()

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        event = await self.events.get()
        if isinstance(event, BaseException):
            raise event
        return Transcript("heard", 1.0)

    async def warm(self, request: AgentRequest) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.freed.set()

    async def health(self) -> Health:
        return Health("ready", "steered", voices=("a", "b"), facts={"device": "none"})

    async def aclose(self) -> None: ...


class EndlessAgent(SteeredAgent):
    """Talks without end, as fast as it is listened to."""

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        try:
            while True:
                self.n_yielded += 1
                yield TextDelta("x" * 10_000)
                await asyncio.sleep(0)
        finally:
            self.freed.set()


class _QuietServer(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


@asynccontextmanager
async def served(agent: Agent, folder: Path) -> AsyncIterator[Path]:
    """The server round the agent; the path of its socket."""
    uds = folder / "agent.sock"
    server = _QuietServer(_server_config(agent))
    with _listening(uds) as listener:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            try:
                yield uds
            finally:
                server.should_exit = True
