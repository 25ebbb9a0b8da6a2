"""RTP headers (RFC 3550 5.1), and how a datagram is told from others on the same port (RFC 7983)."""

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("!BBHLL")
_VERSION_2 = 0x80
_PADDING, _EXTENSION, _CSRC_COUNT = 0x20, 0x10, 0x0F


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """timestamp: in samples of the payload's clock; sequence_number, timestamp and ssrc wrap round."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes

    def __bytes__(self) -> bytes:
        head = _HEADER.pack(_VERSION_2, self.payload_type, self.sequence_number, self.timestamp, self.ssrc)
        return head + self.payload

    @classmethod
    def parse(cls, data: bytes) -> "RtpPacket":
        """Contributing sources and header extensions are passed over. Raises ValueError."""
        if len(data) < _HEADER.size:
            raise ValueError("expected an RTP packet of at least 12 bytes")
        flags, payload_type, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
        if flags & 0xC0 != _VERSION_2:
            raise ValueError("expected RTP version 2")
        begin, end = _HEADER.size + 4 * (flags & _CSRC_COUNT), len(data)
        if flags & _EXTENSION:
            words = int.from_bytes(data[begin + 2 : begin + 4])
            begin += 4 + 4 * words
        if flags & _PADDING:
            if data[-1] == 0:
                raise ValueError("expected padding of at least one byte")
            end -= data[-1]
        if begin > end:
            raise ValueError("expected a header and a padding that fit into the packet")
        return cls(payload_type & 0x7F, sequence_number, timestamp, ssrc, data[begin:end])


def is_stun(datagram: bytes) -> bool:
    return bool(datagram) and datagram[0] <= 3


def is_dtls(datagram: bytes) -> bool:
    return bool(datagram) and 20 <= datagram[0] <= 63


def is_media(datagram: bytes) -> bool:
    """RTP or RTCP."""
    return len(datagram) > 1 and 128 <= datagram[0] <= 191


def is_rtcp(media: bytes) -> bool:
    """RFC 5761 4: what stands in place of an RTP packet's marker and payload type."""
    return 192 <= media[1] <= 223
