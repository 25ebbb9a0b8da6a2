"""Parlour's live wire: each sample a session of its own over a WebSocket, its clip said as a person would."""

import argparse
import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from evaluation.record import Answer
from evaluation.routes.live_options import LiveOptions, add_live_arguments, live_options, served
from evaluation.routes.live_session import FRAME_S, LiveError, LiveSession
from evaluation.routes.live_turns import Event
from evaluation.routes.route import SAMPLE_HZ, Failure, Question
from realtime.audio.resample import Resampler
from realtime.commands.live_connection import CannotConnect, connected, farewell

WIRE_HZ = 24_000
FRAME_BYTES = 2 * round(SAMPLE_HZ * FRAME_S)
FAST_FRAMES = 50
"""Frames in an event, where a clip is sent as fast as it is taken."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_live_arguments(parser)
    add = parser.add_argument
    add(
        "--turn-detection",
        choices=("server_vad", "semantic_vad", "none"),
        default="server_vad",
        help="who ends the turn (default: server_vad; none: the client, push to talk)",
    )
    add("--fast", action="store_true", help="send clips as fast as the server takes them, and time nothing")


def route(options: argparse.Namespace) -> "WebSocketRoute":
    """Raises EvaluationError."""
    return WebSocketRoute(live_options(options, options.turn_detection, options.fast))


class WebSocketRoute:
    batch_size = 1

    def __init__(self, options: LiveOptions) -> None:
        self.in_flight_max = options.sessions
        self._options = options
        self._served: Mapping[str, str] = {"model": options.model}

    async def __aenter__(self) -> "WebSocketRoute":
        self._served = await served(self._options)
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Each question closes what it opened."""

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        return self._options.facts("websocket", self._served)

    def request_shown(self, question: Question) -> str:
        return self._options.request_shown(question)

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        return [await self._outcome(question) for question in questions]

    async def _outcome(self, question: Question) -> Answer | Failure:
        options = self._options
        try:
            connection = await connected(options.url, options.key, options.model)
        except CannotConnect as refused:
            overloaded = refused.status in (429, 503)
            is_final = refused.status is not None and refused.status < 500 and not overloaded
            return Failure(f"cannot connect: {refused}", not is_final, overloaded)
        async with connection:
            try:
                return await LiveSession(WebSocketWire(connection), question, options).answer()
            except LiveError as error:
                return error.failure


class WebSocketWire:
    """A `Wire`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._resampler = Resampler(SAMPLE_HZ, WIRE_HZ)
        self._loop = asyncio.get_running_loop()
        self._due_at: float | None = None

    async def send(self, event: dict[str, Any]) -> None:
        try:
            await self._connection.send(json.dumps(event))
        except ConnectionClosed as closed:
            raise _lost(closed) from None

    async def say(self, pcm: bytes, at_once: bool = False) -> Sequence[float]:
        times: list[float] = []
        step = FRAME_BYTES * (FAST_FRAMES if at_once else 1)
        due_at = self._due_at or self._loop.time()
        for start in range(0, len(pcm), step):
            piece = pcm[start : start + step]
            await asyncio.sleep(0 if at_once else max(0.0, due_at - self._loop.time()))
            audio = self._resampler.push(piece)
            if start + step >= len(pcm):
                audio += self._resampler.flush()
            await self.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()})
            times += [self._loop.time()] * -(-len(piece) // FRAME_BYTES)
            due_at += len(piece) / (2 * SAMPLE_HZ)
        self._due_at = self._loop.time() if at_once else due_at
        return times

    async def events(self) -> AsyncIterator[Event]:
        try:
            async for frame in self._connection:
                yield _event(frame)
        except ConnectionClosed as closed:
            raise _lost(closed) from None


def _event(frame: str | bytes) -> Event:
    try:
        event = json.loads(frame)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise LiveError(Failure("the server sent what cannot be read"))
    return event


def _lost(closed: ConnectionClosed) -> LiveError:
    return LiveError(Failure(farewell(closed), is_transient=True))
