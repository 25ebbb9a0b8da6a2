"""RTP and RTCP of a peer that has its keys, as they come out of SRTP, in a row."""

import asyncio

from aiortc.rtp import (
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    RtpPacket,
)

from realtime.audio.opus import FRAME_BYTES, OpusEncoder
from tests.fuzz.keyed_peer import KeyedPeer
from tests.fuzz.mutate import bytes_changed, in_parts
from tests.fuzz.target import Pure, packed, parts_of

_loop = asyncio.new_event_loop()


def run(data: bytes) -> None:
    _loop.run_until_complete(_hear(parts_of(data)[:40]))


async def _hear(packets: list[bytes]) -> None:
    peer = KeyedPeer()
    peer.begin()
    try:
        for packet in packets:
            await peer.media(packet)
    finally:
        await peer.close()


def seeds() -> list[bytes]:
    encoder = OpusEncoder()
    sound = (b"\x00\x10" + b"\x00\xf0") * (FRAME_BYTES // 4)

    def rtp(number: int, sequence: int, timestamp: int) -> bytes:
        packet = RtpPacket(
            payload_type=111, sequence_number=sequence & 0xFFFF, timestamp=timestamp & 0xFFFFFFFF, ssrc=1001
        )
        packet.payload = encoder.encode(sound)
        packet.marker = number == 0
        return packet.serialize()

    stream = [rtp(n, 65_530 + n, 2**32 - 3_000 + 960 * n) for n in range(10)]
    holes = [rtp(n, 10 + 3 * n, 960 * 3 * n) for n in range(8)]
    wide = bytearray(stream[0])
    wide[0] |= 0x30  # padding and an extension
    wide[12:12] = b"\xbe\xde\x00\x01\x10\xff\x00\x00"
    info = RtcpReceiverInfo(7, 1, 2, 3, 4, 5, 6)
    reports = [
        bytes(RtcpSrPacket(1001, RtcpSenderInfo(2**62, 1, 2, 3), [info])),
        bytes(RtcpRrPacket(1001, [info])),
        bytes(RtcpSdesPacket([RtcpSourceInfo(1001, [(1, b"name")])])),
        bytes.fromhex("81cb000100000007"),
        bytes.fromhex("81cd00030000000100000007000a8001"),
        bytes.fromhex("8fce0005000000010000000052454d4201000fa000000007"),
    ]
    return [
        packed(*stream),
        packed(*stream[::-1]),
        packed(*holes),
        packed(bytes(wide), *reports, *stream),
        packed(b"".join(reports[:3]), stream[0], stream[0]),
    ]


TARGET = Pure(run, seeds, mutate=in_parts(bytes_changed), bytes_max=6000)
