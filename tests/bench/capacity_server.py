"""A chat server with a known capacity, as a process of its own: what a harness makes of it can be measured.

    python -m tests.bench.capacity_server --places 32 --service-ms 200 [--room 0] [--retry-after-s 1]

Fake: it answers each question after a service time drawn at random. `places` requests are served side by
side, `room` more wait, others get 429. GET /busy tells, since the last time, how much of it was in use.
"""

import argparse
import asyncio
import json
import random
import socket
import sys
import time
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


class CapacityServer:
    """spread: of service times, as a share of their mean. room: None for a queue without an end."""

    def __init__(
        self, places: int, service_s: float, spread: float, room: int | None, retry_after_s: float | None
    ) -> None:
        self._places = places
        self._service_s = service_s
        self._shape = 1 / spread**2
        self._room = room
        self._retry_after_s = retry_after_s
        self._free = asyncio.Semaphore(places)
        self._random = random.Random(1)
        self._in_house = 0
        self._forget()

    def _forget(self) -> None:
        self._first_at: float | None = None
        self._last_at = 0.0
        self._busy_s = 0.0
        self._n_answered = self._n_refused = 0

    async def answer(self, request: Request) -> Response:
        await request.body()
        self._first_at = self._first_at or time.monotonic()
        if self._room is not None and self._in_house >= self._places + self._room:
            self._n_refused += 1
            after = {} if self._retry_after_s is None else {"retry-after": f"{self._retry_after_s:g}"}
            return JSONResponse({}, 429, after)
        self._in_house += 1
        return StreamingResponse(self._served(), media_type="text/event-stream")

    async def _served(self) -> AsyncIterator[str]:
        try:
            async with self._free:
                began_at = time.monotonic()
                await asyncio.sleep(self._random.gammavariate(self._shape, self._service_s / self._shape))
                self._last_at = time.monotonic()
                self._busy_s += self._last_at - began_at
            self._n_answered += 1
            choice = {"delta": {"content": "yes"}, "finish_reason": "stop"}
            yield f"data: {json.dumps({'choices': [choice]})}\n\ndata: [DONE]\n\n"
        finally:
            self._in_house -= 1

    async def busy(self, request: Request) -> Response:
        wall_s = self._last_at - (self._first_at or self._last_at)
        told = {
            "busy": self._busy_s / (wall_s * self._places) if wall_s else 0.0,
            "wall_s": wall_s,
            "answered": self._n_answered,
            "refused": self._n_refused,
        }
        self._forget()
        return JSONResponse(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--places", type=int, default=32)
    parser.add_argument("--service-ms", type=float, default=200)
    parser.add_argument("--spread", type=float, default=0.3)
    parser.add_argument("--room", type=int)
    parser.add_argument("--retry-after-s", type=float)
    options = parser.parse_args()
    asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    server = CapacityServer(
        options.places, options.service_ms / 1000, options.spread, options.room, options.retry_after_s
    )
    routes = [
        Route("/v1/chat/completions", server.answer, methods=["POST"]),
        Route("/busy", server.busy),
    ]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off")
        await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main())
