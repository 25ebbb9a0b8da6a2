"""A wire tap: a WebSocket proxy on loopback that shows an oracle both sides of a conversation.

The client connects to `Tap.url` in place of the gateway's address and notices nothing: path, query,
headers and subprotocols pass through, frames are handed on as they came.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.e2e.clients.oracle import Oracle
from tests.waiting import unless_it_hangs

_PASSED_ON = frozenset({"authorization", "user-agent", "x-openai-agents-sdk"})


class Tap:
    """One oracle for each connection that came through, in their order."""

    def __init__(self, gateway_ws: str) -> None:
        self._gateway_ws = gateway_ws
        self.port = 0
        self.oracles: list[Oracle] = []
        self._changed = asyncio.Condition()

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def oracle(self) -> Oracle:
        """The only connection's."""
        [oracle] = self.oracles
        return oracle

    async def settled(self) -> Oracle:
        """Wait until every request has its answer and every response its end."""
        oracle = self.oracle
        async with (
            unless_it_hangs(lambda: f"answers that the gateway owes: {oracle.unanswered()}"),
            self._changed,
        ):
            await self._changed.wait_for(lambda: oracle.is_settled)
        return oracle

    async def handle(self, client: ServerConnection) -> None:
        gateway: ClientConnection = client.gateway  # type: ignore[attr-defined]
        oracle = Oracle()
        self.oracles.append(oracle)
        async with gateway, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._to_gateway(client, gateway, oracle), name="tap: to gateway")
            tasks.create_task(self._to_client(client, gateway, oracle), name="tap: to client")

    async def open(self, client: ServerConnection, request: Request) -> Response | None:
        """Open the gateway's side first: a refusal reaches the client as the gateway's own."""
        headers = {name: value for name, value in request.headers.raw_items() if name.lower() in _PASSED_ON}
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        protocols = [Subprotocol(name.strip()) for name in offered.split(",") if name.strip()]
        try:
            client.gateway = await connect(  # type: ignore[attr-defined]
                self._gateway_ws + request.path,
                additional_headers=headers,
                user_agent_header=None,
                subprotocols=protocols or None,
                compression=None,
                max_size=None,
                proxy=None,
            )
        except InvalidStatus as refused:
            status = HTTPStatus(refused.response.status_code)
            return client.respond(status, (refused.response.body or b"").decode())
        return None

    def choose(self, client: ServerConnection, _offered: object) -> Subprotocol | None:
        return client.gateway.subprotocol  # type: ignore[attr-defined, no-any-return]

    async def _to_gateway(self, client: ServerConnection, gateway: ClientConnection, oracle: Oracle) -> None:
        try:
            async for frame in client:
                oracle.sent(frame)
                await gateway.send(frame)
        except ConnectionClosed:
            pass
        await gateway.close(_sendable(client.close_code))

    async def _to_client(self, client: ServerConnection, gateway: ClientConnection, oracle: Oracle) -> None:
        try:
            async for frame in gateway:
                oracle.received(frame)
                async with self._changed:
                    self._changed.notify_all()
                await client.send(frame)
        except ConnectionClosed:
            pass
        await client.close(_sendable(gateway.close_code))


def _sendable(close_code: int | None) -> int:
    """RFC 6455 7.4.1: 1005 and 1006 say that no code came, and cannot be sent."""
    return 1000 if close_code in (None, 1005, 1006) else close_code


@asynccontextmanager
async def tapped(gateway_ws: str) -> AsyncIterator[Tap]:
    """gateway_ws: "ws://HOST:PORT" of the gateway."""
    tap = Tap(gateway_ws)
    async with serve(
        tap.handle,
        "127.0.0.1",
        0,
        process_request=tap.open,
        select_subprotocol=tap.choose,
        compression=None,
        max_size=None,
    ) as server:
        tap.port = next(iter(server.sockets)).getsockname()[1]
        yield tap
