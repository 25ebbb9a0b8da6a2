"""The audio that the peer hears, on its way out, and what is told of it (RFC 3550 6.4.1)."""

import secrets
import time
from collections import deque
from collections.abc import Callable

from aiortc.rtp import AnyRtcpPacket, RtcpRrPacket, RtcpSenderInfo, RtcpSrPacket

from realtime.session.transport import UNTOLD_MS_MAX
from realtime.transports.webrtc.rtp import RtpPacket
from realtime.transports.webrtc.track import PlayoutTrack

_ROUND_TRIPS = 3  # reports come about once a second
_NTP_AHEAD_S = 2_208_988_800  # from 1900 to 1970


class Downlink:
    """Sends a track in the place of aiortc's RTCRtpSender.

    Why not that one: it keeps a history to send again from and writes header extensions and levels, which
    our SDP answers do not ask for, with several turns of the event loop for each packet.
    """

    def __init__(self, track: PlayoutTrack, payload_type: int, send: Callable[[bytes], None]) -> None:
        """send: takes an RTP packet. Raises ConnectionError when there is no way to the peer."""
        self.ssrc = secrets.randbits(32)
        self._track = track
        self._payload_type = payload_type
        self._send = send
        self._sequence_number = secrets.randbits(15)  # RFC 3711 3.3.1: not close to its wrap
        self._first_timestamp = secrets.randbits(32)
        self._timestamp = self._first_timestamp
        self._sent_at = 0.0  # the packet of that timestamp, in seconds since the epoch
        self._packets = 0
        self._octets = 0
        self._round_trips_s: deque[float] = deque(maxlen=_ROUND_TRIPS)

    @property
    def round_trip_s(self) -> float:
        """The longest of late, by the peer's reports; 0 before there were any."""
        return max(self._round_trips_s, default=0.0)

    async def run(self) -> None:
        """Until cancelled; cancelled at any moment it loses nothing, and may be run again."""
        while True:
            frame = await self._track.next()
            self._timestamp = (self._first_timestamp + frame.timestamp) & 0xFFFFFFFF
            packet = RtpPacket(
                self._payload_type, self._sequence_number, self._timestamp, self.ssrc, frame.payload
            )
            self._sequence_number = (self._sequence_number + 1) & 0xFFFF
            self._sent_at = time.time()
            self._packets += 1
            self._octets += len(frame.payload)
            try:
                self._send(bytes(packet))
            except ConnectionError:
                return  # who is gone, the peer's watch tells

    def report(self) -> RtcpSenderInfo | None:
        """What has been sent; None before anything was. Its two times are of this moment."""
        if not self._packets:
            return None
        now = time.time()
        return RtcpSenderInfo(
            ntp_timestamp=_ntp(now),
            rtp_timestamp=(self._timestamp + round((now - self._sent_at) * self._track.rtp_hz)) & 0xFFFFFFFF,
            packet_count=self._packets & 0xFFFFFFFF,
            octet_count=self._octets & 0xFFFFFFFF,
        )

    def report_came(self, packet: AnyRtcpPacket) -> None:
        """The round trip is the time since our report, less how long the peer held it (RFC 3550 6.4.1)."""
        if not isinstance(packet, RtcpSrPacket | RtcpRrPacket):
            return
        now = _ntp(time.time()) >> 16 & 0xFFFFFFFF
        for told in packet.reports:
            if told.ssrc == self.ssrc and told.lsr:
                took_s = ((now - told.lsr - told.dlsr) & 0xFFFFFFFF) / 65_536
                if took_s <= UNTOLD_MS_MAX / 1000:  # or the peer's clock is wrong
                    self._round_trips_s.append(took_s)


def _ntp(at: float) -> int:
    """Seconds since 1970 -> since 1900, in 2^32nds."""
    return int((at + _NTP_AHEAD_S) * 2**32)
