"""Holds scenarios with a server over the realtime wire, in real time, as a client with a loudspeaker
would."""

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

from evaluation.errors import EvaluationError
from evaluation.speech.live.scenario import Scenario
from evaluation.speech.live.script import Script
from evaluation.speech.live.stage import MOMENT_S, Stage
from evaluation.speech.live.voice_activity import Samples
from realtime.commands.server_address import obstacle, own_key, split_url
from realtime.errors import SettingsError

CONNECT_S = 10.0
GREETING_S = 30.0
"""For the session's first events."""


@dataclass(frozen=True, slots=True)
class Server:
    """key: "" for this machine's own. session: what of the session is asked for, as on the wire."""

    url: str
    key: str = ""
    model: str = ""
    session: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """One scenario as it went. late_ms: by how much the worst moment was late; above some tens, latencies
    are this machine's and not the server's. error_codes: what the server refused meanwhile."""

    name: str
    user: Samples
    assistant: Samples
    script: Script
    late_ms: float
    error_codes: tuple[str, ...]


async def hold_all(
    server: Server, scenarios: Sequence[Scenario], at_once: int, told: Callable[[Held], None]
) -> list[Held]:
    """Hold them, so many side by side, each in a session of its own. told: of each, when it is over; in a
    thread.

    Raises EvaluationError where the server cannot be reached or ends a conversation.
    """
    places = asyncio.Semaphore(at_once)

    async def one(scenario: Scenario) -> Held:
        async with places:
            held = await hold(server, scenario)
        await asyncio.to_thread(told, held)  # others go on speaking meanwhile
        return held

    try:
        async with asyncio.TaskGroup() as tasks:
            holding = [tasks.create_task(one(scenario), name=scenario.name) for scenario in scenarios]
    except* EvaluationError as failures:
        raise EvaluationError(str(failures.exceptions[0])) from None
    return [task.result() for task in holding]


async def hold(server: Server, scenario: Scenario) -> Held:
    """Raises EvaluationError."""
    stage = Stage(scenario)
    connection = await _connected(server)
    async with connection:
        try:
            await _greet(connection, server)
            listening = asyncio.create_task(_listen(connection, stage), name=f"server of {scenario.name}")
            try:
                late_ms = await _speak(connection, stage, listening)
            finally:
                listening.cancel()
                await asyncio.wait({listening})
        except ConnectionClosed as closed:
            reason = closed.rcvd.reason if closed.rcvd is not None else ""
            raise EvaluationError(
                f"{scenario.name}: the server closed the connection: {reason or 'without a reason'}."
            ) from None
    user, assistant, script = stage.recording()
    return Held(scenario.name, user, assistant, script, late_ms, tuple(stage.error_codes))


async def _greet(connection: ClientConnection, server: Server) -> None:
    await _until(connection, "session.created")
    if server.session:
        update = {"type": "session.update", "session": {"type": "realtime", **server.session}}
        await connection.send(json.dumps(update))
        await _until(connection, "session.updated")


async def _until(connection: ClientConnection, kind: str) -> None:
    try:
        async with asyncio.timeout(GREETING_S):
            while True:
                event = _event(await connection.recv())
                if event.get("type") == kind:
                    return
                if event.get("type") == "error":
                    refused = event.get("error")
                    message = refused.get("message") if isinstance(refused, dict) else None
                    raise EvaluationError(
                        f"the server refused the session: {message or 'it did not say why'}"
                    )
    except TimeoutError:
        raise EvaluationError(f"the server sent no {kind} for {GREETING_S:g} s.") from None


async def _listen(connection: ClientConnection, stage: Stage) -> None:
    async for frame in connection:
        for reply in stage.take(_event(frame)):
            await connection.send(json.dumps(reply))


async def _speak(connection: ClientConnection, stage: Stage, listening: asyncio.Task[None]) -> float:
    """A moment each 20 ms, until the scenario is over. Returns by how much the worst one was late, in ms."""
    loop = asyncio.get_running_loop()
    start_s, late_s = loop.time(), 0.0
    while not stage.is_over:
        if listening.done():
            listening.result()
            raise EvaluationError("the server closed the connection.")
        sound = base64.b64encode(stage.moment()).decode()
        await connection.send(json.dumps({"type": "input_audio_buffer.append", "audio": sound}))
        early_s = start_s + stage.now_s - loop.time()
        late_s = max(late_s, -early_s)
        await asyncio.sleep(max(0.0, early_s))
    return 1000 * max(0.0, late_s - MOMENT_S)


def _event(frame: str | bytes) -> dict[str, Any]:
    try:
        event = json.loads(frame)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise EvaluationError("the server sent what is no event of the realtime protocol.")
    return event


async def _connected(server: Server) -> ClientConnection:
    try:
        parts, port = split_url(server.url, "ws")
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        path = "/v1/realtime" if parts.path in ("", "/", "/v1", "/v1/") else parts.path
        query = f"{parts.query}&model={quote(server.model)}".lstrip("&") if server.model else parts.query
        key = server.key or own_key(server.url)
        return await connect(
            urlunsplit((scheme, parts.netloc, path, query, "")),
            additional_headers={"Authorization": f"Bearer {key}"} if key else None,
            open_timeout=CONNECT_S,
            max_size=16 * 1024 * 1024,
            compression=None,
        )
    except (InvalidURI, ValueError, SettingsError):
        raise EvaluationError(f"'{server.url}' is no server's address: expected http://HOST:PORT.") from None
    except InvalidStatus as refused:
        raise EvaluationError(
            f"{server.url} answered with HTTP status {refused.response.status_code}."
        ) from None
    except (OSError, WebSocketException) as failure:  # a TimeoutError is an OSError
        found = obstacle(failure, f"{parts.hostname}:{port}", parts.scheme in ("https", "wss"))
        raise EvaluationError(f"cannot connect to {server.url}: {found.what}: {found.cure}") from None
