"""The audio that the peer sends, packet by packet, and the reports that it gets of it (RFC 3550 6.4.2)."""

import time
from collections.abc import Callable

from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import AnyRtcpPacket, RtcpReceiverInfo, RtcpSrPacket

from realtime.audio.opus import samples_of
from realtime.transports.webrtc.reorder import RTP_HZ, Gap, Packet, Reorder
from realtime.transports.webrtc.rtp import RtpPacket


class Uplink:
    """Takes the peer's RTP in the place of aiortc's RTCRtpReceiver.

    Why not that one: it is made for playing. Its buffer holds 80 ms back, stops for 320 ms at each
    lost packet and keeps that delay, conceals nothing, and has a thread for each peer.
    """

    def __init__(self, payload_type: int, take: Callable[[Packet | Gap], None]) -> None:
        """take: called with each packet in its order, and with what is missing between."""
        self._payload_type = payload_type
        self._take = take
        self._reorder = Reorder()
        self._statistics = StreamStatistics(RTP_HZ)
        self._ssrc: int | None = None
        self._last_report = (0, 0.0)  # of the peer: its clock's middle bits, and when it came

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
        """One that is not local or no Opus is passed over."""
        if packet.payload_type != self._payload_type:
            return
        try:
            samples = samples_of(packet.payload)
        except ValueError:
            return
        if packet.ssrc != self._ssrc:
            self._ssrc, self._reorder = packet.ssrc, Reorder()
            self._statistics = StreamStatistics(RTP_HZ)
        self._statistics.add(packet)  # type: ignore[arg-type]  # asks for two of its fields
        came = Packet(packet.sequence_number, packet.timestamp, packet.payload)
        for ready in self._reorder.push(came, samples):
            self._take(ready)

    def report_came(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            clock = (packet.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF
            self._last_report = (clock, time.monotonic())
