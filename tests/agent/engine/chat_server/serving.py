"""A chat server on loopback, whose answers a test makes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answer = Callable[[Request, dict[str, Any]], Response]


@asynccontextmanager
async def serving(answer: Answer, listing: Any = None, port: int = 0) -> AsyncIterator[str]:
    async def complete(request: Request) -> Response:
        return answer(request, await request.json())

    async def models(_: Request) -> Response:
        return JSONResponse(listing, 404 if listing is None else 200)

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        posted = Route("/v1/chat/completions", complete, methods=["POST"])
        app = Starlette(routes=[posted, Route("/v1/models", models)])
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        )
        serve = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serve
