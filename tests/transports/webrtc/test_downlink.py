"""What leaves for the peer's ear is numbered and timed, and reported."""

import asyncio
import time

import pytest
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket

from realtime.audio.opus import FRAME_BYTES
from realtime.protocol.config import PcmFormat
from realtime.protocol.effects import Play
from realtime.transports.webrtc.downlink import Downlink
from realtime.transports.webrtc.reorder import RTP_HZ
from realtime.transports.webrtc.rtp import RtpPacket
from realtime.transports.webrtc.track import PlayoutTrack

OPUS = 111
NTP_AHEAD_S = 2_208_988_800  # RFC 5905: from 1900 to 1970


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
    since_last = (report.rtp_timestamp - wire.packets[-1].timestamp) & 0xFFFFFFFF
    assert since_last < RTP_HZ, "both of its times are of the moment of the report"
    assert abs(report.ntp_timestamp / 2**32 - NTP_AHEAD_S - time.time()) < 1


def reception(ssrc: int, lsr: int, held_s: float) -> RtcpReceiverInfo:
    return RtcpReceiverInfo(ssrc, 0, 0, 0, 0, lsr, int(held_s * 65_536))


def clock(at: float) -> int:
    """The middle bits of an NTP timestamp."""
    return int((at + NTP_AHEAD_S) * 65_536) & 0xFFFFFFFF


def test_the_round_trip_is_the_longest_of_those_that_the_peer_reported_of_late() -> None:
    downlink = Downlink(playing(1), OPUS, Wire().send)
    assert downlink.round_trip_s == 0.0

    def reported(took_s: float, ssrc: int = downlink.ssrc, held_s: float = 0.5) -> float:
        told = reception(ssrc, clock(time.time() - took_s - held_s), held_s)
        downlink.report_came(RtcpRrPacket(1, [told]))
        return downlink.round_trip_s

    assert reported(0.2) == pytest.approx(0.2, abs=0.05)
    assert reported(0.1) == pytest.approx(0.2, abs=0.05)
    assert reported(0.9, ssrc=downlink.ssrc ^ 1) == pytest.approx(0.2, abs=0.05), "of another stream"
    assert reported(-0.3) == pytest.approx(0.2, abs=0.05), "no time runs backwards"
    assert reported(5.0) == pytest.approx(0.2, abs=0.05), "nobody is so far away"
    downlink.report_came(RtcpRrPacket(1, [reception(downlink.ssrc, 0, 0.0)]))
    assert downlink.round_trip_s == pytest.approx(0.2, abs=0.05), "one who had no report of ours"
    assert reported(0.1) == pytest.approx(0.2, abs=0.05)
    assert reported(0.1) == pytest.approx(0.1, abs=0.05), "what was long ago does not count"


async def test_without_a_way_to_the_peer_it_ends() -> None:
    wire = Wire()
    wire.is_cut = True
    await Downlink(playing(1), OPUS, wire.send).run()
    assert not wire.packets
