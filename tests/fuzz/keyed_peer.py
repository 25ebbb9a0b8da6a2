"""A call whose peer has its keys, without network and keys: what it sends, decrypted, goes in here."""

import asyncio
from typing import Any

from aiortc import RTCSctpTransport

from realtime.protocol.events import InputAudioBufferAppend
from realtime.transports.webrtc.ice import IceSettings
from realtime.transports.webrtc.offer import parse_offer
from realtime.transports.webrtc.rtp import is_media
from realtime.transports.webrtc.transport import WebRtcTransport
from tests.fuzz.target import Unkept
from tests.transports.webrtc.test_offer import OFFER

HEARD_BYTES_MAX = 2 * 24_000 * 3
"""Of one packet: the hole before it, the longest there is, and itself."""
_DTLS = b"\x17"  # the first byte of a DTLS record with data (RFC 7983 7)


class _Ssl:
    """Decrypts to what it was given, and sends nothing."""

    def __init__(self) -> None:
        self._came = b""

    def bio_write(self, data: bytes) -> None:
        self._came = data[1:]

    def recv(self, _: int) -> bytes:
        return self._came

    def bio_read(self, _: int) -> bytes:
        return b""

    def send(self, _: bytes) -> None:
        pass


class _Srtp:
    @staticmethod
    def unprotect(data: bytes) -> bytes:
        return data

    unprotect_rtcp = protect = protect_rtcp = unprotect


class KeyedPeer:
    """From `begin` on its call is connected, and its data channel's association is made."""

    def __init__(self) -> None:
        self.transport = WebRtcTransport(parse_offer(OFFER), IceSettings("", None, ()), 10.0)
        self._peer: Any = self.transport._peer
        self._came = b""

    def begin(self) -> None:
        peer, dtls = self._peer, self._peer._media.dtls
        dtls._ssl, dtls._rx_srtp, dtls._tx_srtp = _Ssl(), _Srtp(), _Srtp()
        dtls._RTCDtlsTransport__handshake_done = True
        dtls._state = type(dtls._state).CONNECTED
        dtls.transport._recv, dtls.transport._send = self._receive, self._send
        peer._media.ice.send_now = lambda _: None
        sctp: RTCSctpTransport = peer._sctp
        sctp._remote_port, sctp._association_state = 5000, sctp.State.ESTABLISHED
        sctp._last_received_tsn, sctp._remote_verification_tag, sctp._data_channel_id = 99, 1, 0
        sctp._inbound_streams_count = sctp._outbound_streams_count = 65_535
        dtls._register_data_receiver(sctp)

    @property
    def tag(self) -> int:
        """Which the peer puts into each SCTP packet."""
        return int(self._peer._sctp._local_verification_tag)

    async def media(self, packet: bytes) -> None:
        """RTP or RTCP, and the report on it."""
        if is_media(packet):
            self._peer._media_came(packet)
            self._peer._send_report()
            self._look()

    async def sctp(self, packet: bytes) -> None:
        await self._datagram(_DTLS + packet)

    async def _datagram(self, datagram: bytes) -> None:
        self._came = datagram
        await self._peer._media.dtls._recv_next()
        await asyncio.sleep(0)
        self._look()

    def _look(self) -> None:
        inbox = self.transport._inbox
        while inbox:
            event = self.transport._read(inbox.popleft())
            if isinstance(event, InputAudioBufferAppend) and len(event.audio) > HEARD_BYTES_MAX:
                raise Unkept("a packet is not heard for longer than its hole may be")

    async def close(self) -> None:
        self._peer._sctp._set_state(self._peer._sctp.State.CLOSED)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _receive(self) -> bytes:
        return self._came

    async def _send(self, _: bytes) -> None:
        pass
