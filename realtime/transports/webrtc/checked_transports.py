"""aiortc's transports, with what a peer sends checked before it is believed.

They read packets as well-behaved peers write them: another length, number or text is an exception in the
middle of reading, which ends the call with a traceback, or a loop without end, which ends all calls. Here
such a packet is dropped, as if it had been lost (RFC 9260 3.2, RFC 3550 A.1), and the call goes on.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

from aiortc import RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcsctptransport import WEBRTC_BINARY, WEBRTC_STRING
from OpenSSL import SSL

TSNS_AHEAD_MAX = 16_384
"""Numbers of packets that came before the one that is missing; a peer that loses more is not heard beyond."""
MALFORMED = (AssertionError, LookupError, ValueError, struct.error)
"""What those readers stumble over, having no error of their own for it."""

_CHUNK_HEAD = struct.Struct("!BBH")
_DATA, _INIT, _INIT_ACK, _SACK, _HEARTBEAT, _HEARTBEAT_ACK, _ABORT, _SHUTDOWN = range(8)
_ERROR, _RECONFIG, _FORWARD_TSN = 9, 130, 192
_PACKET_HEAD_BYTES = 12
_HEAD_BYTES = {_DATA: 12, _INIT: 16, _INIT_ACK: 16, _SACK: 12, _SHUTDOWN: 4, _FORWARD_TSN: 4}
"""Of each chunk, after its own head (RFC 9260 3.3, RFC 3758 3.2)."""
_WITH_PARAMETERS = {_INIT, _INIT_ACK, _HEARTBEAT, _HEARTBEAT_ACK, _ABORT, _ERROR, _RECONFIG}


class CheckedDtls(RTCDtlsTransport):
    """Audio goes past it (peer.py); what came before it could is passed over."""

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
