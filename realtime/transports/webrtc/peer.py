"""One peer: its path, its encryption, its audio both ways and its data channel, from offer to end.

Made of aiortc's transports (the objects of the W3C's ORTC), without its RTCPeerConnection: so the audio
that comes in is local to order, and each object is closed by the one that made it.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from aiortc.rtcsctptransport import RTCSctpCapabilities
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSourceInfo, RtcpSrPacket
from pylibsrtp import Error as SrtpError

from realtime.session.connections import first_exception
from realtime.session.transport import PeerGone
from realtime.transports.webrtc.answer import LocalSide, answer_to
from realtime.transports.webrtc.checked_transports import MALFORMED, CheckedSctp, LocalCertificate
from realtime.transports.webrtc.downlink import Downlink
from realtime.transports.webrtc.event_channel import EventChannel
from realtime.transports.webrtc.ice import IceSettings
from realtime.transports.webrtc.offer import Offer
from realtime.transports.webrtc.reorder import Gap, Packet
from realtime.transports.webrtc.rtp import RtpPacket, is_rtcp
from realtime.transports.webrtc.secure_path import SecurePath
from realtime.transports.webrtc.track import PlayoutTrack
from realtime.transports.webrtc.uplink import Uplink

CONNECT_WITHIN_S = 30.0
SILENT_S_MAX = 12.0
"""Browsers ask for consent every few seconds (RFC 7675 5.1); who sends nothing for so long is not there."""
_CLOSE_WITHIN_S = 3.0
_LOOK_EVERY_S = 1.0
_CNAME = 1  # RFC 3550 6.5.1
_UNREAD_BYTES_MAX = 4 * 1024 * 1024
"""Of messages whose end has not come yet: a peer that never ends one is closed."""


class Peer:
    """Owned by the task of its call, which closes it. on_message: what comes over the data channel. on_news:
    the peer is gone, or there may be something to tell of what it heard. complaint: as of EventChannel.

    events: the channel of events; None for a peer that wants no data channel.
    """

    def __init__(
        self,
        offer: Offer,
        settings: IceSettings,
        track: PlayoutTrack,
        on_audio: Callable[[Packet | Gap], None],
        on_message: Callable[[str | bytes], None],
        on_news: Callable[[], None],
        complaint: Callable[[], str],
    ) -> None:
        self.gone: PeerGone | None = None
        self.events: EventChannel | None = None
        self._offer = offer
        self._on_news = on_news
        certificate = LocalCertificate.generateCertificate()
        self._media = SecurePath(offer.media, settings, certificate, self.leave)
        self._paths = [self._media]
        self._sctp: CheckedSctp | None = None
        if offer.channel is not None:
            if offer.events is not offer.media:  # the peer does not bundle
                self._paths.append(SecurePath(offer.events, settings, certificate, self.leave))
            self._sctp = CheckedSctp(self._paths[-1].dtls)
            self.events = EventChannel(self._sctp, on_message, self._channel_gone, complaint)
        self._downlink = Downlink(track, offer.payload_type, self._send_rtp)
        self._uplink = Uplink(offer.payload_type, on_audio, offer.codec, offer.clock_hz)
        self._cname = secrets.token_hex(8)
        self._is_closed = False
        self._left = asyncio.Event()

    @property
    def round_trip_s(self) -> float:
        """The longest that the peer reported lately; before it reported any, that of a connectivity check."""
        return self._downlink.round_trip_s or self._media.ice.round_trip_s

    @property
    def heard_at(self) -> float:
        """When something came from the peer last, on the clock of `time.monotonic`."""
        return max(path.ice.heard_at for path in self._paths)

    async def answer(self) -> str:
        """The SDP answer."""
        local = await asyncio.gather(*(path.gather() for path in self._paths))
        return answer_to(self._offer, LocalSide(local[0], local[-1], self._downlink.ssrc, self._cname))

    async def connect(self) -> None:
        """Find paths and agree on keys. Raises PeerGone, also when it takes too long."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S), asyncio.TaskGroup() as tasks:
                gone = tasks.create_task(self._until_gone(), name="end of the peer")
                await asyncio.wait(
                    [tasks.create_task(self._connect(path), name="path to the peer") for path in self._paths]
                )
                await self._start_events()
                gone.cancel()
        except* TimeoutError:
            raise PeerGone(1006, f"the peer did not connect within {CONNECT_WITHIN_S:g} s") from None
        except* (PeerGone, ConnectionError) as failed:
            first = first_exception(failed)
            lost = PeerGone(1006, "the connection was lost while it was made")
            raise (first if isinstance(first, PeerGone) else lost) from None

    async def play(self) -> None:
        """Send the track to a peer that hears; until cancelled, and may be called again."""
        if self._offer.hears:
            await self._downlink.run()

    async def watch(self) -> None:
        """Report on the audio both ways, and see who has fallen silent; until cancelled. Raises PeerGone."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._on_news()  # what was sent may have been heard since
            if time.monotonic() - self.heard_at > SILENT_S_MAX:
                self.leave(PeerGone(1006, f"the peer has been silent for {SILENT_S_MAX:g} s"))
            elif self._sctp is not None and self._sctp._advertised_rwnd < 1024 * 1024 - _UNREAD_BYTES_MAX:
                self.leave(PeerGone(1009, "a message of the peer has no end"))
            if self.gone is not None:
                raise self.gone
            with suppress(ConnectionError):
                self._send_report()

    def leave(self, why: PeerGone) -> None:
        """The connection is over, whoever ended it; the first reason counts."""
        if self.gone is None:
            self.gone = why
            self._left.set()
            if self.events is not None:
                self.events.opened.set()
            self._on_news()

    async def flushed(self) -> None:
        """Wait until the peer has got all that was sent over the data channel."""
        while self.gone is None and self._sctp is not None and self.events is not None:
            if not (self.events.buffered_bytes or self._sctp._outbound_queue or self._sctp._sent_queue):
                return
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End everything; safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self.leave(PeerGone(1000, "closed"))
        self._media.ice.on_media = None
        if self._sctp is not None and self.events is not None:
            self.events.stop()
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(_CLOSE_WITHIN_S):
                    await self._sctp.stop()
        for path in self._paths:
            await path.close()

    async def _until_gone(self) -> None:
        await self._left.wait()
        assert self.gone is not None
        raise self.gone

    async def _connect(self, path: SecurePath) -> None:
        await path.connect()
        if path is self._media:  # it speaks at once, even while another path is not ready
            path.ice.on_media = self._media_came

    async def _start_events(self) -> None:
        port = self._offer.sctp_port
        if self._sctp is not None and self.events is not None and port is not None:
            await self._sctp.start(RTCSctpCapabilities(self._offer.message_bytes_max), port)
            self.events.begin()

    # Audio past aiortc's tasks and queues, within its keys --------------------------------

    def _media_came(self, data: bytes) -> None:
        """What cannot be decrypted or read is dropped, as any datagram may be."""
        try:
            if is_rtcp(data):
                for report in RtcpPacket.parse(self._media.dtls._rx_srtp.unprotect_rtcp(data)):
                    self._uplink.report_came(report)
                    self._downlink.report_came(report)
            elif self._offer.speaks:
                self._uplink.packet_came(RtpPacket.parse(self._media.dtls._rx_srtp.unprotect(data)))
        except (SrtpError, *MALFORMED):
            pass

    def _send_rtp(self, packet: bytes) -> None:
        if self._media.dtls.state != "connected":
            raise ConnectionError("the peer is not connected")
        self._media.ice.send_now(self._media.dtls._tx_srtp.protect(packet))

    def _send_report(self) -> None:
        sent, came = self._downlink.report(), self._uplink.report()
        reports = [came] if came is not None else []
        ssrc = self._downlink.ssrc
        if sent is not None:
            told = bytes(RtcpSrPacket(ssrc, sent, reports))
        elif reports:
            told = bytes(RtcpRrPacket(ssrc, reports))
        else:
            return
        named = RtcpSdesPacket([RtcpSourceInfo(ssrc, [(_CNAME, self._cname.encode())])])
        if self._media.dtls.state == "connected":
            self._media.ice.send_now(self._media.dtls._tx_srtp.protect_rtcp(told + bytes(named)))

    def _channel_gone(self) -> None:
        self.leave(PeerGone(1001, "the peer closed the data channel"))
