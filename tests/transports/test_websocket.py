"""The WebSocket transport on an ASGI socket that the test holds open or shut."""

import asyncio

import pytest
from starlette.types import Message

from realtime.protocol.events import Cleared
from realtime.session.transport import PeerGone
from realtime.transports.websocket import UNNOTICED_S, WebSocketTransport


class Socket:
    """An ASGI WebSocket. sent: what went out; while it is shut, sending waits."""

    def __init__(self, *incoming: Message) -> None:
        self.sent: list[Message] = []
        self.open = asyncio.Event()
        self._incoming = iter(incoming)

    async def receive(self) -> Message:
        return next(self._incoming)

    async def send(self, message: Message) -> None:
        await self.open.wait()
        self.sent.append(message)


def transport_on(socket: Socket) -> WebSocketTransport:
    return WebSocketTransport(socket.receive, socket.send, slow_peer_s=0.01)


async def test_a_peer_that_reads_again_is_first_told_why_it_was_closed() -> None:
    socket = Socket()
    transport = transport_on(socket)
    for _ in range(1000):
        transport.send(Cleared())
    with pytest.raises(ExceptionGroup) as ended:
        await transport.run()
    [gone] = ended.value.exceptions
    assert isinstance(gone, PeerGone)
    socket.open.set()
    await transport.close(gone.code, gone.reason)
    [closed] = socket.sent
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
    assert closed["reason"]


async def test_a_connection_without_a_sign_of_life_lives_or_not_until_long_after() -> None:
    transport = transport_on(Socket({"type": "websocket.receive", "text": "{}"}))
    at = 1_000_000.0
    transport._now = lambda: at
    await transport.receive()
    assert transport.is_alive(at - 1)
    at += 5
    assert not transport.is_alive(at - 4)
    at += UNNOTICED_S
    assert transport.is_alive(at - UNNOTICED_S - 4)


async def test_what_is_queued_goes_out_before_the_close() -> None:
    socket = Socket()
    transport = transport_on(socket)
    transport.send(Cleared())
    socket.open.set()
    await transport.close(1000, "session expired")
    assert [message["type"] for message in socket.sent] == ["websocket.send", "websocket.close"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"code": 1000, "reason": ""}, 1000),
        ({"code": 1005, "reason": ""}, 1005),  # a browser's close()
        ({"code": 1005}, 1006),  # uvicorn's word for a connection that was lost: there was no close frame
        ({}, 1006),
    ],
)
async def test_a_lost_connection_is_told_from_a_peer_that_left(message: Message, code: int) -> None:
    transport = transport_on(Socket({"type": "websocket.disconnect", **message}))
    with pytest.raises(PeerGone) as gone:
        await transport.receive()
    assert gone.value.code == code
