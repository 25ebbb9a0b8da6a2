"""Bytes at the server's TCP port. The first byte says what the rest is: a whole HTTP request, frames after a
WebSocket's opening, or events one a line. Another session, next to it, is answered all the time.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from websockets.asyncio.client import ClientConnection

from tests.bench.frames import client_frame, upgrade_request
from tests.conftest import Server, running_server
from tests.e2e.test_bad_peers import PATH, round_trip
from tests.e2e.test_bad_peers import opened as session_opened
from tests.fuzz.mutate import bytes_changed, in_lines, json_changed
from tests.fuzz.target import Attack, Live, Unkept
from tests.fuzz.targets import events
from tests.transports.webrtc.test_offer import OFFER

REQUEST, FRAMES, EVENTS = range(3)
LOOK_EVERY = 10
READ_WITHIN_S = 0.02


class Attacker:
    def __init__(self, server: Server, other: ClientConnection) -> None:
        self._server = server
        self._other = other
        self._count = 0

    async def attack(self, data: bytes) -> None:
        self._count += 1
        kind, content = (data[0] % 3, data[1:]) if data else (REQUEST, b"")
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        try:
            with suppress(ConnectionError):
                await self._send(kind, content, reader, writer)
        finally:
            writer.transport.abort()
        if self._count % LOOK_EVERY == 0:
            try:
                await round_trip(self._other)
            except AssertionError:
                raise Unkept("the session of another is answered") from None

    async def _send(
        self, kind: int, content: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if kind != REQUEST:
            writer.write(upgrade_request(f"127.0.0.1:{self._server.port}", PATH))
            await reader.readuntil(b"\r\n\r\n")
        if kind == EVENTS:
            content = b"".join(client_frame(line) for line in content.split(b"\n")[:20])
        writer.write(content.replace(b"PORT", str(self._server.port).encode()))
        await writer.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(READ_WITHIN_S):
                while await reader.read(65_536):
                    pass


@asynccontextmanager
async def opened() -> AsyncIterator[Attack]:
    async with running_server() as server, session_opened(server) as other:
        yield Attacker(server, other).attack


def seeds() -> list[bytes]:
    def request(line: str, headers: str = "", body: str = "") -> bytes:
        head = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        return (head + body).encode()

    key = "openai-insecure-api-key.ek_abc.def"
    chat = '{"messages": [{"role": "user", "content": "hi"}]}'
    secret = '{"session": {"type": "realtime"}, "expires_after": {"anchor": "created_at", "seconds": 60}}'
    json = "Content-Type: application/json\r\n"
    made = upgrade_request("127.0.0.1:PORT", PATH)
    upgrade = re.sub(rb"(Key: )\S+", rb"\1MDEyMzQ1Njc4OWFiY2RlZg==", made)  # the same in each run
    requests = [
        upgrade,
        upgrade.replace(b"\r\n\r\n", f"\r\nSec-WebSocket-Protocol: realtime, {key}\r\n\r\n".encode()),
        upgrade.replace(PATH.encode(), PATH.encode() + b"?model=%ff%00&model=x"),
        upgrade.replace(b"\r\n\r\n", b"\r\nOrigin: https://evil.example\r\n\r\n"),
        request("POST /v1/realtime/calls", "Content-Type: application/sdp\r\n", OFFER),
        request("POST /v1/realtime/calls/rtc_1/hangup"),
        request("POST /v1/realtime/client_secrets", json, secret),
        request("POST /v1/chat/completions", json, chat),
        request("GET /v1/models", "Authorization: Bearer rt_a.b\r\n"),
        request("OPTIONS /v1/realtime/calls", "Origin: https://x\r\nAccess-Control-Request-Method: POST\r\n"),
        request("GET /../realtime/app.py"),
        request("GET /%2e%2e/%2e%2e/etc/passwd"),
    ]
    frames = [
        client_frame(b'{"type": "response.create"}') + client_frame(b'{"type": "response.cancel"}'),
        b"\x01\x84\0\0\0\0ab" + b"\x80\x82\0\0\0\0cd",
        b"\x89\x80\0\0\0\0" + b"\x88\x82\0\0\0\0\x03\xe8",
        b"\x82\x84\0\0\0\0\0\1\2\3",
        b"\x81\xfe\0\x7e\0\0\0\0" + bytes(126),
        b"\x81\xff\0\0\0\0\x7f\xff\xff\xff\0\0\0\0",
    ]
    return [
        *(bytes([REQUEST]) + one for one in requests),
        *(bytes([FRAMES]) + one for one in frames),
        *(bytes([EVENTS]) + b"\n".join(_only_events(seed)) for seed in events.seeds()),
    ]


def _only_events(seed: bytes) -> list[bytes]:
    return [line for line in seed.split(b"\n") if not line.startswith(b"@")]


_events = in_lines(json_changed)


def _mutate(data: bytes, chance: random.Random) -> bytes:
    if data[:1] == bytes([EVENTS]):
        return data[:1] + _events(data[1:], chance)
    return data[:1] + bytes_changed(data[1:], chance)


TARGET = Live(
    opened,
    seeds,
    words=(
        "Content-Length: ",
        "Transfer-Encoding: chunked\r\n",
        "\r\n",
        "Host: ",
        "%00",
        "HTTP/1.1",
        "Upgrade: ",
    ),
    mutate=_mutate,
    bytes_max=8192,
    per_s=60.0,
)
