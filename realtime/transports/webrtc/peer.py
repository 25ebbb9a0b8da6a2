"""One peer: its path, its encryption, its audio both ways and its data channel, from offer to end.

Made of aiortc's transports (the objects of the W3C's ORTC), without its RTCPeerConnection: so the audio
that comes in is local to order, and each object is closed by the one that made it.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from aiortc import (
    RTCDataChannel,
    RTCIceTransport,
)
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSourceInfo, RtcpSrPacket
from pylibsrtp import Error as SrtpError

from realtime.session.transport import PeerGone
from realtime.transports.webrtc.checked_transports import MALFORMED, CheckedDtls, CheckedSctp, LocalCertificate
from realtime.transports.webrtc.downlink import Downlink
from realtime.transports.webrtc.ice import IceSettings, gatherer
from realtime.transports.webrtc.offer import LocalTransport, Offer, answer_to
from realtime.transports.webrtc.reorder import Gap, Packet
from realtime.transports.webrtc.rtp import RtpPacket, is_rtcp
from realtime.transports.webrtc.track import PlayoutTrack
from realtime.transports.webrtc.uplink import Uplink

CHANNEL_LABEL = "oai-events"
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
    the peer is gone, or there may be something to tell of what it heard."""

    def __init__(
        self,
        offer: Offer,
        settings: IceSettings,
        track: PlayoutTrack,
        on_audio: Callable[[Packet | Gap], None],
        on_message: Callable[[str | bytes], None],
        on_news: Callable[[], None],
    ) -> None:
        self.gone: PeerGone | None = None
        self.channel: RTCDataChannel | None = None
        self.channel_opened = asyncio.Event()
        self._offer = offer
        self._on_message = on_message
        self._on_news = on_news
        self._gatherer, self._path = gatherer(settings)
        self._path.ice_controlling = bool(offer.ice.iceLite)
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = CheckedDtls(self._ice, [LocalCertificate.generateCertificate()])
        self._dtls._set_role("server" if offer.dtls.role == "client" else "client")
        self._sctp = CheckedSctp(self._dtls) if offer.channel else None
        self._downlink = Downlink(track, offer.payload_type, self._send_rtp)
        self._uplink = Uplink(offer.payload_type, on_audio)
        self._cname = secrets.token_hex(8)
        self._is_closed = False
        self._left = asyncio.Event()
        self._ice.on("statechange", self._changed)
        self._dtls.on("statechange", self._changed)
        if self._sctp is not None:
            self._sctp.on("datachannel", self._channel_came)

    @property
    def round_trip_s(self) -> float:
        """The longest that the peer reported lately; before it reported any, that of a connectivity check."""
        return self._downlink.round_trip_s or self._path.round_trip_s

    @property
    def heard_at(self) -> float:
        """When something came from the peer last, on the clock of `time.monotonic`."""
        return self._path.heard_at

    async def answer(self) -> str:
        """The SDP answer, with all our candidates: there is no trickle."""
        await self._gatherer.gather()
        local = LocalTransport(
            self._gatherer.getLocalParameters(),
            self._gatherer.getLocalCandidates(),
            self._dtls.getLocalParameters(),
            self._downlink.ssrc,
            self._cname,
            is_client=self._dtls._role == "client",
        )
        return answer_to(self._offer, local)

    async def connect(self) -> None:
        """Find a path and agree on keys. Raises PeerGone, also when it takes too long."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S), asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(self._tell_candidates(), name="candidates of the peer"),
                    tasks.create_task(self._until_gone(), name="end of the peer"),
                ]
                await self._ice.start(self._offer.ice)
                if self._ice.state != "completed":
                    raise PeerGone(1006, "no network path to the peer was found")
                await self._dtls.start(self._offer.dtls)
                if self._dtls.state != "connected":
                    raise PeerGone(1006, f"the peer's DTLS handshake failed: {self._dtls.failure}")
                self._path.on_media = self._media_came
                await self._start_events()
                for task in beside:
                    task.cancel()
        except* TimeoutError:
            raise PeerGone(1006, f"the peer did not connect within {CONNECT_WITHIN_S:g} s") from None
        except* (PeerGone, ConnectionError) as failed:
            first = failed.exceptions[0]
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
            self.channel_opened.set()
            self._on_news()

    async def flushed(self) -> None:
        """Wait until the peer has got all that was sent over the data channel."""
        while self.gone is None and self._sctp is not None and self.channel is not None:
            if not (self.channel.bufferedAmount or self._sctp._outbound_queue or self._sctp._sent_queue):
                return
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End everything; safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self.leave(PeerGone(1000, "closed"))
        self._path.on_media = None
        for stop in (
            *([self._sctp.stop] if self._sctp else []),
            self._dtls.stop,
            self._ice.stop,
        ):
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(_CLOSE_WITHIN_S):
                    await stop()

    async def _until_gone(self) -> None:
        await self._left.wait()
        assert self.gone is not None
        raise self.gone

    async def _tell_candidates(self) -> None:
        # At once: a browser's hidden address is looked up in the local network, which may take seconds.
        # One that cannot be used says nothing of the others.
        told = (self._ice.addRemoteCandidate(candidate) for candidate in self._offer.candidates)
        await asyncio.gather(*told, return_exceptions=True)
        if self._offer.has_all_candidates:
            await self._ice.addRemoteCandidate(None)

    async def _start_events(self) -> None:
        offer = self._offer
        if self._sctp is not None and offer.channel is not None and offer.channel.sctp_port is not None:
            await self._sctp.start(offer.channel.sctpCapabilities, offer.channel.sctp_port)

    # Audio past aiortc's tasks and queues, within its keys --------------------------------

    def _media_came(self, data: bytes) -> None:
        """What cannot be decrypted or read is dropped, as any datagram may be."""
        try:
            if is_rtcp(data):
                for report in RtcpPacket.parse(self._dtls._rx_srtp.unprotect_rtcp(data)):
                    self._uplink.report_came(report)
                    self._downlink.report_came(report)
            elif self._offer.speaks:
                self._uplink.packet_came(RtpPacket.parse(self._dtls._rx_srtp.unprotect(data)))
        except (SrtpError, *MALFORMED):
            pass

    def _send_rtp(self, packet: bytes) -> None:
        if self._dtls.state != "connected":
            raise ConnectionError("the peer is not connected")
        self._path.send_now(self._dtls._tx_srtp.protect(packet))

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
        if self._dtls.state == "connected":
            self._path.send_now(self._dtls._tx_srtp.protect_rtcp(told + bytes(named)))

    def _changed(self) -> None:
        if self._ice.state == "failed":
            self.leave(PeerGone(1006, "the network path was lost"))
        elif self._dtls.state == "failed":
            self.leave(PeerGone(1006, f"the peer's DTLS handshake failed: {self._dtls.failure}"))
        elif self._dtls.state == "closed":
            self.leave(PeerGone(1001, "the peer closed the connection"))

    def _channel_came(self, channel: RTCDataChannel) -> None:
        if channel.label != CHANNEL_LABEL or self.channel is not None:
            channel.close()
            return
        self.channel = channel
        channel.on("message", self._on_message)
        channel.on("close", lambda: self.leave(PeerGone(1001, "the peer closed the data channel")))
        self.channel_opened.set()
