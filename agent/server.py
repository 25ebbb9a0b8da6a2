"""An agent behind a socket: one WebSocket for each call, so closing a call is closing its socket.

`create_app` is an ASGI app that any ASGI host runs; `python -m agent.server --uds PATH` is the
worker process that `agent.supervisor` starts. Its stdout is for the supervisor, a JSON object a
line: {"progress": "..."}, then {"ready": {...}} or {"failed": "one sentence"}. It ends when its
stdin does, which is when its parent has died.
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from agent import wire
from agent.api import Agent, AgentError, AgentRequest, GenerationFailed, TranscribeRequest
from agent.builder import build_agent
from agent.settings import AgentSettings
from agent.worker import LLM_KEY_VARIABLE

REQUEST_WAIT_S = 10.0
"""How long an open socket may take to say what it wants."""
GRACE_S = 3.0
"""How long the process may take to end after its parent has died."""

Answer = Callable[[bytes], AsyncGenerator[bytes, None]]
"""What a call does: its one request in, messages out until it returns."""


def create_app(agent: Agent) -> Starlette:
    """Return the ASGI app that serves the agent. Whoever made the agent closes it."""

    async def respond(frame: bytes) -> AsyncGenerator[bytes, None]:
        async with aclosing(agent.respond(wire.decode_request(frame, AgentRequest))) as events:
            async for event in events:
                yield wire.encode(event)

    async def transcribe(frame: bytes) -> AsyncGenerator[bytes, None]:
        yield wire.encode(await agent.transcribe(wire.decode_request(frame, TranscribeRequest)))

    async def warm(frame: bytes) -> AsyncGenerator[bytes, None]:
        await agent.warm(wire.decode_request(frame, AgentRequest))
        yield wire.encode(await agent.health())  # says that it is done

    async def health(frame: bytes) -> AsyncGenerator[bytes, None]:
        yield wire.encode(await agent.health())

    async def health_page(request: Request) -> JSONResponse:
        told = await agent.health()
        return JSONResponse(asdict(told), status_code=200 if told.status == "ready" else 503)

    calls: dict[str, Answer] = {
        wire.RESPOND_PATH: respond,
        wire.TRANSCRIBE_PATH: transcribe,
        wire.WARM_PATH: warm,
        wire.HEALTH_PATH: health,
    }
    sockets = [WebSocketRoute(path, _Call(answer).serve) for path, answer in calls.items()]
    return Starlette(routes=[*sockets, Route("/health", health_page)])


class _Call:
    """One kind of call, served on one WebSocket each time."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def serve(self, peer: WebSocket) -> None:
        await peer.accept()
        frame = await _request(peer)
        if frame is None:
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send(peer, frame), name=f"answer {peer.url.path}")
                watching = tasks.create_task(_hung_up(peer), name=f"hang-up {peer.url.path}")
                # Whichever ends first ends the other: a closed socket cancels the work at once.
                watching.add_done_callback(lambda _: sending.cancel())
                sending.add_done_callback(lambda _: watching.cancel())
        except BaseExceptionGroup:  # a bug in the agent: the peer is told, the host logs the traceback
            await peer.close(1011, "internal error")
            raise

    async def _send(self, peer: WebSocket, frame: bytes) -> None:
        try:
            async with aclosing(self._messages(frame)) as messages:
                async for message in messages:
                    await peer.send_bytes(message)  # waits while the peer does not read
            await peer.close()
        except WebSocketDisconnect:
            return  # the peer hung up in between, and so the work is over

    async def _messages(self, frame: bytes) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._answer(frame)) as messages:
                async for message in messages:
                    yield message
        except AgentError as error:
            yield wire.encode(GenerationFailed(error.code, error.message))
        except MemoryError:
            yield wire.encode(GenerationFailed("agent_out_of_memory", "the agent ran out of memory"))


async def _request(peer: WebSocket) -> bytes | None:
    """Return the message that a call begins with, or None for a peer that does not say what it wants."""
    try:
        async with asyncio.timeout(REQUEST_WAIT_S):
            message = await peer.receive()
    except TimeoutError:
        await peer.close(1008, f"no request within {REQUEST_WAIT_S:g} s")
        return None
    if message["type"] == "websocket.disconnect":
        return None
    return message.get("bytes") or b""  # text is no request: decoding says so


async def _hung_up(peer: WebSocket) -> None:
    while (await peer.receive())["type"] != "websocket.disconnect":
        pass  # a call takes one request; what else the peer says is not heard


# The worker process -------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    say = _private_stdout()
    _end_with_the_parent()
    if options.memory_limit_mb:
        # Data, not address space: the thread pools of inference libraries reserve far more than they use.
        limit_bytes = options.memory_limit_mb * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    values = {field.name: getattr(options, field.name) for field in _flags()}
    settings = AgentSettings(**values, llm_key=os.environ.get(LLM_KEY_VARIABLE, ""))
    return asyncio.run(_serve(options.uds, settings, say))


async def _serve(uds: Path, settings: AgentSettings, say: Callable[..., None]) -> int:
    try:
        agent = await build_agent(settings, lambda line: say(progress=line))
    except AgentError as error:
        say(failed=error.message)
        return 1
    except MemoryError:
        say(failed="The models need more memory than there is: choose smaller ones or raise the limit.")
        return 1
    try:
        server = _Server(_server_config(agent))
        with _listening(uds) as listener, server.capture_signals():
            say(ready=asdict(await agent.health()))
            await server.serve(sockets=[listener])
    except OSError as error:
        say(failed=f"The agent cannot listen on {uds}: {error.strerror or error}.")
        return 1
    finally:
        await agent.aclose()
    return 0


def _server_config(agent: Agent) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(agent),
        ws="websockets-sansio",
        ws_max_size=wire.MAX_REQUEST_BYTES,
        ws_per_message_deflate=False,  # audio does not shrink, and both ends are on one machine
        ws_ping_interval=None,  # every call has deadlines of its own
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )


class _Server(uvicorn.Server):
    """uvicorn re-raises the signal that stopped it, and so would end before the agent is closed.

    Entered before the process says that it is ready: from then on a signal is a request to end.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


@contextmanager
def _listening(uds: Path) -> Iterator[socket.socket]:
    """A Unix socket that only this user can open, removed at the end."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(uds))
    finally:
        os.umask(mask)
    try:
        listener.listen(1024)
        yield listener
    finally:
        listener.close()
        uds.unlink(missing_ok=True)


def _private_stdout() -> Callable[..., None]:
    """Keep stdout for the supervisor; what libraries print goes to stderr from now on."""
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(**line: Any) -> None:
        lines.write(json.dumps(line) + "\n")
        lines.flush()

    return say


def _end_with_the_parent() -> None:
    """Watch stdin from a thread of its own: it works even while a model blocks the event loop."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        if not threading.Event().wait(GRACE_S):
            os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _flags() -> list[Any]:
    return [field for field in fields(AgentSettings) if field.name != "llm_key"]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m agent.server", description="An agent on a Unix socket.")
    parser.add_argument("--uds", type=Path, required=True, help="path of the socket to make")
    parser.add_argument("--memory-limit-mb", type=int, default=0, help="memory for models, 0 for no limit")
    for field in _flags():
        kind = type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
