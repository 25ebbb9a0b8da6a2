"""SCTP chunks of a peer that has its keys, a packet each, and the messages that come of them."""

import asyncio
import struct

from aiortc.rtcsctptransport import crc32c

from tests.fuzz.keyed_peer import KeyedPeer
from tests.fuzz.mutate import bytes_changed, in_parts
from tests.fuzz.target import Pure, packed, parts_of

_loop = asyncio.new_event_loop()


def run(data: bytes) -> None:
    _loop.run_until_complete(_take(parts_of(data)[:40]))


async def _take(chunks: list[bytes]) -> None:
    peer = KeyedPeer()
    peer.begin()
    try:
        for chunk in chunks:
            await peer.sctp(packet(peer.tag, chunk))
    except ConnectionError:
        pass
    finally:
        await peer.close()


def packet(tag: int, chunk: bytes) -> bytes:
    if chunk[:1] == b"\x01":
        tag = 0  # a new association (RFC 9260 8.5.1)
    head = struct.pack("!HHL", 5000, 5000, tag)
    return head + struct.pack("<L", crc32c(head + bytes(4) + chunk)) + chunk


def _data(
    tsn: int, protocol: int, content: bytes, flags: int = 3, stream: int = 1, sequence: int = 0
) -> bytes:
    body = struct.pack("!LHHL", tsn, stream, sequence, protocol) + content
    return struct.pack("!BBH", 0, flags, 4 + len(body)) + body + bytes(-len(body) % 4)


def _chunk(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("!BBH", kind, flags, 4 + len(body)) + body + bytes(-len(body) % 4)


def seeds() -> list[bytes]:
    label = b"oai-events"
    opening = struct.pack("!BBHLHH", 3, 0, 0, 0, len(label), 0) + label
    event = b'{"type": "response.create"}'
    talk = [
        _data(100, 50, opening),
        _data(101, 51, event, sequence=1),
        _data(102, 51, b'{"type": ', flags=2, sequence=2),
        _data(103, 51, b'"x"}', flags=1, sequence=2),
        _data(104, 53, b"\x00\xff", sequence=3),
        _data(105, 56, b"\0", sequence=4),
    ]
    others = [
        _chunk(3, struct.pack("!LLHH", 5, 65_536, 1, 1) + struct.pack("!HHL", 2, 3, 9)),
        _chunk(4, struct.pack("!HH", 1, 8) + b"beat"),
        _chunk(5, struct.pack("!HH", 1, 8) + b"beat"),
        _chunk(192, struct.pack("!LHH", 105, 1, 4)),
        _chunk(130, struct.pack("!HHLLLH", 13, 18, 1, 2, 105, 1) + bytes(2)),
        _chunk(130, struct.pack("!HHLL", 16, 12, 1, 1)),
        _chunk(130, struct.pack("!HHLHH", 17, 12, 1, 4, 0)),
        _chunk(1, struct.pack("!LLHHL", 9, 65_536, 10, 10, 50)),
        _chunk(10, b"cookie"),
        _chunk(11, b""),
        _chunk(9, struct.pack("!HH", 3, 4)),
        _chunk(7, struct.pack("!L", 3)),
        _chunk(6, b""),
    ]
    return [packed(*talk), packed(*talk[:2], *others[:7]), *(packed(talk[0], one) for one in others)]


TARGET = Pure(run, seeds, mutate=in_parts(bytes_changed), bytes_max=6000)
