"""One peer: its path, its encryption, its audio both ways and its data channel, from offer to end.

Made of aiortc's transports (the objects of the W3C's ORTC), without its RTCPeerConnection: so the audio
that comes in is ours to order, and each object is closed by the one that made it.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCIceTransport,
    RTCRtpSender,
)
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters, RTCRtpSendParameters

from realtime.transports.base import PeerGone
from realtime.transports.webrtc.checked import CheckedDtls, CheckedSctp
from realtime.transports.webrtc.ice import IceSettings, gatherer
from realtime.transports.webrtc.offer import Offer, Ours, answer_to
from realtime.transports.webrtc.reorder import Hole, Packet
from realtime.transports.webrtc.track import PlayoutTrack
from realtime.transports.webrtc.uplink import Uplink

CHANNEL_LABEL = "oai-events"
CONNECT_WITHIN_S = 30.0
SILENT_S_MAX = 12.0
"""Browsers ask for consent every few seconds (RFC 7675 5.1); who sends nothing for so long is not there."""
_CLOSE_WITHIN_S = 3.0
_LOOK_EVERY_S = 1.0
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
        on_audio: Callable[[Packet | Hole], None],
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
        self._dtls = CheckedDtls(self._ice, [RTCCertificate.generateCertificate()])
        self._dtls._set_role("server" if offer.dtls.role == "client" else "client")
        self._sctp = CheckedSctp(self._dtls) if offer.channel else None
        self._sender = RTCRtpSender(track if offer.hears else "audio", self._dtls)
        self._track = track
        self._uplink = Uplink(offer.payload_type, on_audio)
        self._cname = secrets.token_hex(8)
        self._is_closed = False
        self._left = asyncio.Event()
        self._ice.on("statechange", self._changed)
        self._dtls.on("statechange", self._changed)
        if self._sctp is not None:
            self._sctp.on("datachannel", self._channel_came)

    @property
    def heard_at(self) -> float:
        """When something came from the peer last, on the clock of `time.monotonic`."""
        return self._path.heard_at

    async def answer(self) -> str:
        """The SDP answer, with all our candidates: there is no trickle."""
        await self._gatherer.gather()
        ours = Ours(
            self._gatherer.getLocalParameters(),
            self._gatherer.getLocalCandidates(),
            self._dtls.getLocalParameters(),
            self._sender._ssrc,
            self._cname,
            is_client=self._dtls._role == "client",
        )
        return answer_to(self._offer, ours)

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
                    raise PeerGone(1006, "the peer's DTLS handshake failed")
                await self._start_media()
                for task in beside:
                    task.cancel()
        except* TimeoutError:
            raise PeerGone(1006, f"the peer did not connect within {CONNECT_WITHIN_S:g} s") from None
        except* (PeerGone, ConnectionError) as failed:
            first = failed.exceptions[0]
            lost = PeerGone(1006, "the connection was lost while it was made")
            raise (first if isinstance(first, PeerGone) else lost) from None

    async def watch(self) -> None:
        """Report on the audio that comes, and see who has fallen silent; until cancelled. Raises PeerGone."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._on_news()  # what was sent may have been heard since
            if time.monotonic() - self.heard_at > SILENT_S_MAX:
                self.leave(PeerGone(1006, f"the peer has been silent for {SILENT_S_MAX:g} s"))
            elif self._sctp is not None and self._sctp._advertised_rwnd < 1024 * 1024 - _UNREAD_BYTES_MAX:
                self.leave(PeerGone(1009, "a message of the peer has no end"))
            if self.gone is not None:
                raise self.gone
            report = self._uplink.report(self._sender._ssrc)
            if report is not None:
                with suppress(ConnectionError):
                    await self._dtls._send_rtp(bytes(report))

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
        self._track.stop()
        for stop in (
            self._sender.stop,
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

    async def _start_media(self) -> None:
        offer = self._offer
        codecs = [offer.codec]
        if offer.speaks:
            received = RTCRtpReceiveParameters(codecs=codecs, muxId=offer.audio.rtp.muxId)
            self._dtls._register_rtp_receiver(self._uplink, received)
        if offer.hears:
            sent = RTCRtpSendParameters(codecs=codecs, muxId=offer.audio.rtp.muxId)
            sent.rtcp.cname, sent.rtcp.ssrc, sent.rtcp.mux = self._cname, self._sender._ssrc, True
            await self._sender.send(sent)
        if self._sctp is not None and offer.channel is not None and offer.channel.sctp_port is not None:
            await self._sctp.start(offer.channel.sctpCapabilities, offer.channel.sctp_port)

    def _changed(self) -> None:
        if self._ice.state == "failed":
            self.leave(PeerGone(1006, "the network path was lost"))
        elif self._dtls.state == "failed":
            self.leave(PeerGone(1006, "the peer's DTLS handshake failed"))
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
