"""An OpenAI-compatible server on a loopback socket that does what a test says, and counts.

Fake: it hears nothing. A question "what is 0012?" is answered "it is 0012". Each request is logged when it
arrives and when its answer has been handed to the socket.
"""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

_NAMED = re.compile(r"what is (\w+)\?")

Script = Callable[["Asked"], Awaitable[Response | None]]
"""What becomes of a request: a response, or None for the right answer. It may wait, too."""


@dataclass(slots=True)
class Asked:
    """One request. number: of all, from 0. nth: of its sample, from 1."""

    number: int
    sample_id: str
    nth: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connection: object  # the client's address
    is_answered: bool = False


async def rightly(asked: Asked) -> None:
    """The script of a server that has no faults."""


@dataclass(slots=True)
class ScriptedServer:
    url: str
    script: Script = rightly
    asked: list[Asked] = field(default_factory=list)
    in_house: int = 0
    most_in_house: int = 0

    def of_sample(self, sample_id: str) -> list[Asked]:
        return [one for one in self.asked if one.sample_id == sample_id]

    async def answer(self, request: Request) -> Response:
        body, sample_id = await _read(request)
        nth = len(self.of_sample(sample_id)) + 1
        path = request.url.path
        headers = dict(request.headers)
        asked = Asked(len(self.asked), sample_id, nth, path, headers, body, request.client)
        self.asked.append(asked)
        self.in_house += 1
        self.most_in_house = max(self.most_in_house, self.in_house)
        try:
            scripted = await self.script(asked)
        finally:
            self.in_house -= 1
        if scripted is not None:
            return scripted
        if path.endswith("transcriptions"):
            asked.is_answered = True
            return JSONResponse({"text": f"it is {sample_id}"})
        if not body.get("stream"):
            asked.is_answered = True
            return JSONResponse({"choices": [{"message": {"content": f"it is {sample_id}"}}]})
        return StreamingResponse(self._streamed(asked), media_type="text/event-stream")

    async def _streamed(self, asked: Asked) -> AsyncIterator[str]:
        is_raw = asked.path.endswith("/v1/completions")
        for piece in ("it is ", asked.sample_id):
            choice = {"text": piece} if is_raw else {"delta": {"content": piece}}
            yield f"data: {json.dumps({'choices': [choice]})}\n\n"
        yield f"data: {json.dumps({'choices': [{'delta': {}, 'finish_reason': 'stop'}]})}\n\n"
        yield f"data: {json.dumps({'choices': [], 'usage': {'completion_tokens': 3}})}\n\n"
        yield "data: [DONE]\n\n"
        asked.is_answered = True


@asynccontextmanager
async def scripted_server(script: Script = rightly) -> AsyncIterator[ScriptedServer]:
    """It serves meanwhile, in this event loop, at a port of its own."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    scripted = ScriptedServer(f"http://127.0.0.1:{listener.getsockname()[1]}", script)
    app = Starlette(routes=[Route("/v1/{path:path}", scripted.answer, methods=["POST"])])
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign]  # they are pytest's
    listener.listen(512)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="scripted server")
    try:
        yield scripted
    finally:
        server.should_exit = True
        await serving
        listener.close()


async def _read(request: Request) -> tuple[dict[str, Any], str]:
    if request.url.path.endswith("transcriptions"):
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            first = int.from_bytes(
                (await file.read())[44:46], "little"
            )  # of the samples, which name the clip
            return {name: value for name, value in form.items() if name != "file"}, f"{first:04}"
    body = await request.json()
    found = _NAMED.search(json.dumps(body.get("messages") or body.get("prompt")))
    return body, found[1] if found else ""
