"""What the routes to OpenAI-compatible servers share: the way there, a clip as a file, what went wrong."""

import argparse
import io
import os
import ssl
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self

import httpx
import numpy as np
from numpy.typing import NDArray

from agent.engine.chat_server.request import endpoint, retry_after_s
from evaluation.errors import EvaluationError
from evaluation.routes.route import SAMPLE_HZ, Failure

IN_FLIGHT_MAX = 256
CONNECT_S = 10.0
SILENCE_S = 300.0
"""Without a byte: a server with a long queue says nothing for minutes."""
KEEP_ALIVE_S = 3.0
"""Less than servers keep an idle connection (uvicorn 5 s): a request on one that ends just then is lost."""
REFUSAL_BYTES_MAX = 1 << 16
TOLD_CHARACTERS = 300
"""Of a server's own words for its refusal."""
KEY_VARIABLE = "OPENAI_API_KEY"


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--url", required=True, help="the server, with or without /v1: http://localhost:8000")
    add("--model", required=True, help="the model, as the server calls it")
    add("--key", default=os.environ.get(KEY_VARIABLE, ""), help=f"its key (default: ${KEY_VARIABLE})")
    add(
        "--silence-s",
        type=float,
        default=SILENCE_S,
        help="seconds without a byte until a request is given up",
    )


class Address:
    """Of a server: where each of its endpoints is. Raises EvaluationError for what is no address."""

    def __init__(self, address: str) -> None:
        try:
            self._chat = endpoint(address)
        except ValueError:
            raise EvaluationError(
                f"--url is '{address}': expected an address like http://localhost:8000/v1"
            ) from None

    def of(self, path: str) -> str:
        """path: beside the endpoint of chats: "/completions", "/audio/transcriptions"."""
        url = httpx.URL(self._chat)
        return str(url.copy_with(path=url.path.removesuffix("/chat/completions") + path))

    @property
    def chat(self) -> str:
        return self._chat

    def __str__(self) -> str:
        """For descriptions: without a password that may be in it."""
        url = httpx.URL(self.of(""))
        return str(url.copy_with(username=None, password=None, query=None)).rstrip("/")


class Connections:
    """Requests to one server, each on a connection that it has for itself, and that the next one uses again.

    A client for each request in flight: the pool of one client (httpcore 1.0.9) gives an idle connection to
    several requests, of which all but one wait and try again. At 64 in flight that left two thirds of a
    server's places empty (tests/bench/bench_harness.py).
    """

    def __init__(self, address: Address, key: str, silence_s: float = SILENCE_S) -> None:
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._timeout = httpx.Timeout(silence_s, connect=CONNECT_S)
        # To load the certificates takes longer than all else of a start; redirects are not followed.
        is_secure = str(address).startswith("https")
        self._verify: ssl.SSLContext | bool = httpx.create_ssl_context() if is_secure else False
        self._clients: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []

    @asynccontextmanager
    async def stream(self, url: str, **request: Any) -> AsyncIterator[httpx.Response]:
        """POST. request: what httpx takes. The latest connection first: others expire."""
        client = self._idle.pop() if self._idle else self._made()
        try:
            async with client.stream("POST", url, **request) as response:
                yield response
        finally:
            self._idle.append(client)

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()

    def _made(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            headers=self._headers,
            timeout=self._timeout,
            verify=self._verify,
            limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE_S),
        )
        self._clients.append(client)
        return client


class ServerRoute:
    """What the routes to a server share: it batches by itself, and the connections end with the route."""

    batch_size = 1
    in_flight_max = IN_FLIGHT_MAX

    def __init__(self, address: str, model: str, key: str, silence_s: float) -> None:
        """Raises EvaluationError for what is no address."""
        self._address = Address(address)
        self._model = model
        self._connections = Connections(self._address, key, silence_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._connections.aclose()


def wav(pcm: NDArray[np.float32]) -> bytes:
    """pcm: (n_samples,) at SAMPLE_HZ. A WAV file of 16 bits."""
    samples = np.clip(np.rint(pcm * 32768.0), -32768, 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(SAMPLE_HZ)
        written.writeframes(samples.tobytes())
    return file.getvalue()


# What went wrong ------------------------------------------------------------------------


async def refusal(response: httpx.Response) -> Failure:
    """Of a response without success, whose body is not read yet."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > REFUSAL_BYTES_MAX:
            break
    status = response.status_code
    words = " ".join(body.decode(errors="replace").split())[:TOLD_CHARACTERS]
    hint = {401: "check --key", 403: "check --key", 404: "check --url and --model"}.get(status, "")
    told = "; ".join(part for part in (words, hint) if part)
    wanted_s = retry_after_s(response.headers.get("retry-after", ""), datetime.now(UTC))
    is_busy = status in (408, 409, 425, 429) or status >= 500
    return Failure(
        f"the server answered HTTP {status}" + (f" ({told})" if told else ""),
        is_transient=is_busy,
        is_overload=status in (408, 429) or status >= 500,
        retry_after_s=wanted_s if is_busy else None,
    )


def lost(error: httpx.HTTPError) -> Failure:
    """Of a request that brought no response, or broke off."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        message = "the server cannot be reached"
    elif isinstance(error, httpx.TimeoutException):
        message = "the server fell silent"
    else:
        message = f"the server broke the connection ({type(error).__name__})"
    return Failure(message, is_transient=True, is_overload=True)
