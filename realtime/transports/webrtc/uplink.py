"""The audio that the peer sends, packet by packet, and the reports that it gets of it (RFC 3550 6.4.2)."""

import time
from collections.abc import Callable

from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import AnyRtcpPacket, RtcpReceiverInfo, RtcpSrPacket

from realtime.transports.webrtc.audio_codec import OPUS, AudioCodec
from realtime.transports.webrtc.reorder import RTP_HZ, Gap, Packet, Reorder
from realtime.transports.webrtc.rtp import RtpPacket


class Uplink:
    """Takes the peer's RTP in the place of aiortc's RTCRtpReceiver.

    Why not that one: it is made for playing. Its buffer holds 80 ms back, stops for 320 ms at each
    lost packet and keeps that delay, conceals nothing, and has a thread for each peer.
    """

    def __init__(
        self,
        payload_type: int,
        take: Callable[[Packet | Gap], None],
        codec: AudioCodec = OPUS,
        clock_hz: int = RTP_HZ,
    ) -> None:
        """take: called with each packet in its order, and with what is missing between.

        clock_hz: which the offer names. Timestamps of Opus are at 48 kHz all the same (RFC 7587 4.1), but a
        peer that names another may count by it, too.
        """
        self._payload_type = payload_type
        self._take = take
        self._codec = codec
        self._clock_hz = clock_hz
        self._ssrc: int | None = None
        self._last_report = (0, 0.0)  # of the peer: its clock's middle bits, and when it came
        self._before: tuple[RtpPacket, int] | None = None
        self._begin(codec.rtp_hz)

    def report(self) -> RtcpReceiverInfo | None:
        """How well it arrives; None before anything has."""
        if self._ssrc is None:
            return None
        told, came_at = self._last_report
        return RtcpReceiverInfo(
            ssrc=self._ssrc,
            fraction_lost=self._statistics.fraction_lost,
            packets_lost=self._statistics.packets_lost,
            highest_sequence=self._statistics.max_seq or 0,
            jitter=self._statistics.jitter,
            lsr=told,
            dlsr=min(int((time.monotonic() - came_at) * 65_536), 2**32 - 1) if told else 0,
        )

    def packet_came(self, packet: RtpPacket) -> None:
        """One of another format is passed over."""
        if packet.payload_type != self._payload_type:
            return
        try:
            samples = self._codec.samples_of(packet.payload)
        except ValueError:
            return
        if packet.ssrc != self._ssrc:
            self._ssrc = packet.ssrc
            self._begin(self._codec.rtp_hz)
        elif self._hz != self._clock_hz and self._counts_by_its_own_clock(packet):
            self._begin(self._clock_hz)
        self._before = packet, samples
        self._statistics.add(packet)  # type: ignore[arg-type]  # asks for two of its fields
        timestamp = packet.timestamp * (RTP_HZ // self._hz) & 0xFFFFFFFF
        came = Packet(packet.sequence_number, timestamp, packet.payload)
        for ready in self._reorder.push(came, samples):
            self._take(ready)

    def _begin(self, hz: int) -> None:
        """Another stream, or the same with timestamps at `hz`."""
        self._hz = hz
        self._reorder = Reorder()
        self._statistics = StreamStatistics(hz)
        self._before = None

    def _counts_by_its_own_clock(self, packet: RtpPacket) -> bool:
        """Whether this one follows the last as far as the clock of the offer has it, of which it has less."""
        if self._before is None:
            return False
        before, samples = self._before
        is_next = (packet.sequence_number - before.sequence_number) & 0xFFFF == 1
        ahead = (packet.timestamp - before.timestamp) & 0xFFFFFFFF
        return is_next and ahead * (RTP_HZ // self._clock_hz) == samples

    def report_came(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            clock = (packet.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF
            self._last_report = (clock, time.monotonic())
