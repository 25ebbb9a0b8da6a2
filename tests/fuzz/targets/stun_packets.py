"""Datagrams of strangers at the ports of a call, before they are known to be STUN or not."""

import asyncio
from typing import Any

from aioice import stun

from realtime.transports.webrtc.ice import IceSettings, PeerPath, Port, _candidate
from tests.fuzz.mutate import bytes_changed, in_parts
from tests.fuzz.target import Pure, Unkept, packed, parts_of

_loop = asyncio.new_event_loop()
STRANGER = ("192.0.2.66", 6666)


class _Nowhere:
    """A socket that takes everything."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendto(self, data: bytes, _: Any) -> None:
        self.sent.append(data)


def run(data: bytes) -> None:
    _loop.run_until_complete(_receive(parts_of(data)[:40]))


async def _receive(datagrams: list[bytes]) -> None:
    path = PeerPath(IceSettings("", None, ()))
    path.remote_username, path.remote_password = "peer", "peerpassword"
    protocol = Port(path)
    socket = _Nowhere()
    protocol.transport = socket  # type: ignore[assignment]
    protocol.local_candidate = _candidate(1, "host", "127.0.0.1", 5000)
    heard_at = path.heard_at = 1.0
    for datagram in datagrams:
        protocol.datagram_received(datagram, STRANGER)
    if path.heard_at != heard_at or not path._queue.empty():
        raise Unkept("a stranger is not taken for the peer")
    if sum(map(len, socket.sent)) > 4 * sum(map(len, datagrams)):
        raise Unkept("nobody is sent much more than came in their name")


def seeds() -> list[bytes]:
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, transaction_id=b"123456789012")
    request.attributes["USERNAME"] = "abcd:peer"
    request.attributes["PRIORITY"] = 1
    request.attributes["ICE-CONTROLLING"] = 7
    plain = bytes(request)
    request.add_message_integrity(b"wrong")
    answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=b"123456789012")
    answer.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.1", 9)
    failed = stun.Message(stun.Method.BINDING, stun.Class.ERROR, transaction_id=b"123456789012")
    failed.attributes["ERROR-CODE"] = (487, "Role Conflict")
    data = [b"", b"\x80", b"\x16\xfe\xff" + bytes(20), b"\x90\x6f" + bytes(30)]
    return [packed(bytes(request)), packed(plain), packed(bytes(answer), bytes(failed)), packed(*data)]


TARGET = Pure(run, seeds, mutate=in_parts(bytes_changed))
