"""What leaves for the peer's ear is numbered and timed, and reported."""

import asyncio

from realtime.audio.opus import FRAME_BYTES
from realtime.protocol.config import PcmFormat
from realtime.protocol.effects import Play
from realtime.transports.webrtc.downlink import Downlink
from realtime.transports.webrtc.rtp import RtpPacket
from realtime.transports.webrtc.track import PlayoutTrack

OPUS = 111


class Wire:
    """Takes packets until there are enough, and can be cut."""

    def __init__(self) -> None:
        self.packets: list[RtpPacket] = []
        self.is_cut = False
        self._came = asyncio.Event()

    def send(self, packet: bytes) -> None:
        if self.is_cut:
            raise ConnectionError
        self.packets.append(RtpPacket.parse(packet))
        self._came.set()

    async def has(self, n_packets: int) -> None:
        while len(self.packets) < n_packets:
            self._came.clear()
            await self._came.wait()


def playing(n_frames: int) -> PlayoutTrack:
    track = PlayoutTrack(lambda _: None, lambda _: None)
    track.play(Play("resp", "item", 0, 0, bytes(n_frames * FRAME_BYTES), PcmFormat()))
    return track


async def test_packets_follow_each_other_in_number_and_time_over_two_runs() -> None:
    wire = Wire()
    downlink = Downlink(playing(6), OPUS, wire.send)
    for n_packets in (3, 6):
        running = asyncio.create_task(downlink.run())
        await wire.has(n_packets)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    first = wire.packets[0]
    for at, packet in enumerate(wire.packets):
        assert packet.payload_type == OPUS
        assert packet.ssrc == downlink.ssrc
        assert packet.sequence_number == (first.sequence_number + at) % 2**16
        assert (packet.timestamp - first.timestamp) % 2**32 % 960 == 0
    steps = [
        (later.timestamp - packet.timestamp) % 2**32
        for packet, later in zip(wire.packets, wire.packets[1:], strict=False)
    ]
    assert all(step > 0 for step in steps)


async def test_what_was_sent_is_reported() -> None:
    wire = Wire()
    downlink = Downlink(playing(3), OPUS, wire.send)
    assert downlink.report() is None
    running = asyncio.create_task(downlink.run())
    await wire.has(3)
    running.cancel()
    report = downlink.report()
    assert report is not None
    assert report.packet_count == len(wire.packets)
    assert report.octet_count == sum(len(packet.payload) for packet in wire.packets)
    assert report.rtp_timestamp == wire.packets[-1].timestamp


async def test_without_a_way_to_the_peer_it_ends() -> None:
    wire = Wire()
    wire.is_cut = True
    await Downlink(playing(1), OPUS, wire.send).run()
    assert not wire.packets
