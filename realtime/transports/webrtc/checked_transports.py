"""aiortc's transports, with what a peer sends checked before it is believed.

They read packets as well-behaved peers write them: another length, number or text is an exception in the
middle of reading, which ends the call with a traceback, or a loop without end, which ends all calls. Here
such a packet is dropped, as if it had been lost (RFC 9260 3.2, RFC 3550 A.1), and the call goes on.
"""

import asyncio
import hashlib
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDataChannelParameters,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCSctpTransport,
)
from aiortc.rtcdtlstransport import SRTPProtectionProfile, State
from aiortc.rtcsctptransport import (
    DATA_CHANNEL_OPEN,
    WEBRTC_BINARY,
    WEBRTC_BINARY_EMPTY,
    WEBRTC_DCEP,
    WEBRTC_STRING,
    WEBRTC_STRING_EMPTY,
)
from OpenSSL import SSL, crypto

from realtime.transports.webrtc.rtp import is_dtls

TSNS_AHEAD_MAX = 16_384
"""Numbers of packets that came before the one that is missing; a peer that loses more is not heard beyond."""
MALFORMED = (AssertionError, LookupError, ValueError, struct.error)
"""What those readers stumble over, having no error of their own for it."""
_STREAMS_OF_SMALL_PEERS = 256

_CHUNK_HEAD = struct.Struct("!BBH")
_DATA, _INIT, _INIT_ACK, _SACK, _HEARTBEAT, _HEARTBEAT_ACK, _ABORT, _SHUTDOWN = range(8)
_ERROR, _RECONFIG, _FORWARD_TSN = 9, 130, 192
_PACKET_HEAD_BYTES = 12
_HEAD_BYTES = {_DATA: 12, _INIT: 16, _INIT_ACK: 16, _SACK: 12, _SHUTDOWN: 4, _FORWARD_TSN: 4}
"""Of each chunk, after its own head (RFC 9260 3.3, RFC 3758 3.2)."""
_WITH_PARAMETERS = {_INIT, _INIT_ACK, _HEARTBEAT, _HEARTBEAT_ACK, _ABORT, _ERROR, _RECONFIG}
_MESSAGES = {WEBRTC_STRING, WEBRTC_STRING_EMPTY, WEBRTC_BINARY, WEBRTC_BINARY_EMPTY}

_SUITES = ("AES128-GCM-SHA256", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA")
_CIPHERS = ":".join(f"ECDHE-{key}-{suite}" for key in ("ECDSA", "RSA") for suite in _SUITES).encode()
"""aiortc's, and the same for a peer whose key is RSA: W3C WebRTC 4.10.1 lets a browser have one, and older
stacks have no other."""


class LocalCertificate(RTCCertificate):
    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(_CIPHERS)
        return context


class CheckedDtls(RTCDtlsTransport):
    """Audio goes past it (peer.py); what came before it could is passed over.

    failure: why there is no encryption, where its state is "failed"; a few words.
    """

    failure = ""

    async def _do_handshake(self) -> None:
        """As aiortc's, which reads what comes in a way that loses OpenSSL's word on what is wrong with it."""
        ssl = self._ssl
        assert ssl is not None
        try:
            while not self.encrypted:
                try:
                    ssl.do_handshake()
                    self.encrypted = True
                    await self._write_ssl()
                except SSL.WantReadError:
                    await self._write_ssl()
                    await self._take_flight(ssl)
        except SSL.Error as error:
            with suppress(ConnectionError):
                await self._write_ssl()  # the alert that tells the peer
            self._fail(_reason(error))
        except ConnectionError:
            self._fail("the peer broke it off")

    async def _take_flight(self, ssl: SSL.Connection) -> None:
        """The next datagram of DTLS; or ours again, where it does not come in time (RFC 6347 4.2.4)."""
        try:
            async with asyncio.timeout(ssl.DTLSv1_get_timeout()):
                datagram = await self.transport._recv()
        except TimeoutError:
            ssl.DTLSv1_handle_timeout()
        else:
            if is_dtls(datagram):
                ssl.bio_write(datagram)

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:  # noqa: N803
        """Compare the certificate as it came: what it says, and how well, does not matter (RFC 8122 5)."""
        assert self._ssl is not None
        certificate = self._ssl.get_peer_certificate()
        if certificate is None:
            self._fail("the peer has no certificate")
            return
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        for told in remoteParameters.fingerprints:
            digest = hashlib.new(told.algorithm.replace("-", ""), der).hexdigest()
            if told.value.replace(":", "").lower() == digest:
                return
        self._fail("the peer's certificate is not the one that its offer names")

    def _setup_srtp(self) -> None:
        assert self._ssl is not None
        if not self._ssl.get_selected_srtp_profile():
            self._fail("the peer takes no SRTP profile that we have")
            return
        super()._setup_srtp()

    def _fail(self, why: str) -> None:
        self.failure = why
        self._set_state(State.FAILED)

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        pass

    async def _handle_rtcp_data(self, data: bytes) -> None:
        pass

    async def _send_data(self, data: bytes) -> None:
        """Raises ConnectionError, also where only OpenSSL knows yet that the peer has said goodbye."""
        try:
            await super()._send_data(data)
        except SSL.Error as error:
            raise ConnectionError("the peer has ended DTLS") from error


class CheckedSctp(RTCSctpTransport):
    """expects_negotiated: whether a message on a stream that nobody has opened makes known a data channel
    that the peer has negotiated by itself (W3C WebRTC 6.2); else it is dropped."""

    expects_negotiated = False

    @property
    def is_established(self) -> bool:
        return self._association_state is self.State.ESTABLISHED

    @property
    def last_stream(self) -> int:
        """Of those that are ours to open (RFC 8832 6), and that small peers have too."""
        last = min(self._inbound_streams_count, self._outbound_streams_count, _STREAMS_OF_SMALL_PEERS) - 1
        is_ours = last % 2 == int(self.is_server)
        return last if is_ours else max(last - 1, 0)

    async def _transmit(self) -> None:
        """Runs in a task of its own, of which nobody takes an error; that the way is gone, DTLS tells."""
        with suppress(ConnectionError):
            await super()._transmit()

    async def _handle_data(self, data: bytes) -> None:
        with suppress(*MALFORMED):
            if all(self._is_sound(kind, body) for kind, body in _chunks(data)):
                await super()._handle_data(data)

    async def _data_channel_receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        """Text that is no text goes on as bytes: so its sender is told what was expected."""
        if pp_id == WEBRTC_STRING:
            try:
                data.decode()
            except UnicodeDecodeError:
                pp_id = WEBRTC_BINARY
        known = self._data_channels.get(stream_id)
        if pp_id == WEBRTC_DCEP and data[:1] == bytes([DATA_CHANNEL_OPEN]):
            if known is not None and known.negotiated:  # we had only guessed that there is one
                del self._data_channels[stream_id]
        elif known is None and pp_id in _MESSAGES and self.expects_negotiated:
            channel = RTCDataChannel(self, RTCDataChannelParameters(negotiated=True, id=stream_id))
            self.emit("datachannel", channel)
        await super()._data_channel_receive(stream_id, pp_id, data)

    def _is_sound(self, kind: int, body: bytes) -> bool:
        head_bytes = _HEAD_BYTES.get(kind, 0)
        if len(body) < head_bytes:
            return False
        if kind in _WITH_PARAMETERS:
            return _are_parameters(body[head_bytes:])
        if kind == _DATA:
            return len(body) > head_bytes and self._is_near(int.from_bytes(body[:4], "big"))
        if kind == _SACK:
            return _is_sack(body)
        return kind != _FORWARD_TSN or len(body) % 4 == 0

    def _is_near(self, tsn: int) -> bool:
        """Old, or not far from what is missing: all between are kept track of, and a SACK can name them."""
        if self._last_received_tsn is None:
            return False
        ahead = (tsn - self._last_received_tsn) & 0xFFFFFFFF
        return ahead <= TSNS_AHEAD_MAX or ahead >= 1 << 31


def _reason(error: SSL.Error) -> str:
    """OpenSSL's own words, such as "no shared cipher"; nothing in them is the peer's."""
    reasons = [str(entry[-1]) for entry in (error.args[0] if error.args else ())]
    return ", ".join(reasons) or type(error).__name__


def _chunks(packet: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and body of each; where their lengths are wrong, aiortc refuses the packet."""
    at = _PACKET_HEAD_BYTES
    while at + _CHUNK_HEAD.size <= len(packet):
        kind, _, n_bytes = _CHUNK_HEAD.unpack_from(packet, at)
        if n_bytes < _CHUNK_HEAD.size:
            return
        yield kind, packet[at + _CHUNK_HEAD.size : at + n_bytes]
        at += n_bytes + -n_bytes % 4


def _are_parameters(body: bytes) -> bool:
    """Each is at least as long as its head: of another, a reader never comes to the end."""
    at = 0
    while at + 4 <= len(body):
        n_bytes = int.from_bytes(body[at + 2 : at + 4], "big")
        if n_bytes < 4:
            return False
        at += n_bytes + -n_bytes % 4
    return True


def _is_sack(body: bytes) -> bool:
    """As long as it says, its gaps in their order, as they have to be: each number in them is looked at."""
    n_gaps, n_duplicates = struct.unpack_from("!HH", body, 8)
    if len(body) < 12 + 4 * (n_gaps + n_duplicates):
        return False
    bounds = struct.unpack_from(f"!{2 * n_gaps}H", body, 12)
    return all(first <= second for first, second in pairwise(bounds))
