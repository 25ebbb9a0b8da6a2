"""RTP headers are read as RFC 3550 has them, and bad ones are refused."""

import struct

import pytest
from aiortc.rtp import RtpPacket as OtherPacket
from hypothesis import given
from hypothesis import strategies as st

from realtime.transports.webrtc.rtp import RtpPacket, is_media, is_rtcp, is_stun

PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 2**16 - 1),
    timestamp=st.integers(0, 2**32 - 1),
    ssrc=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=100),
)


@given(PACKETS)
def test_what_is_written_is_read(packet: RtpPacket) -> None:
    assert RtpPacket.parse(bytes(packet)) == packet


@given(PACKETS)
def test_aiortc_reads_what_is_written(packet: RtpPacket) -> None:
    other = OtherPacket.parse(bytes(packet))
    assert (other.payload_type, other.sequence_number, other.timestamp, other.ssrc, other.payload) == (
        packet.payload_type,
        packet.sequence_number,
        packet.timestamp,
        packet.ssrc,
        packet.payload,
    )


@given(
    PACKETS,
    st.lists(st.integers(0, 2**32 - 1), max_size=15),
    st.one_of(st.none(), st.integers(0, 5)),
    st.integers(0, 255),
)
def test_sources_extensions_and_padding_are_passed_over(
    packet: RtpPacket, sources: list[int], words: int | None, padding: int
) -> None:
    flags = 0x80 | len(sources) | (0x10 if words is not None else 0) | (0x20 if padding else 0)
    extra = b"".join(struct.pack("!L", source) for source in sources)
    if words is not None:
        extra += struct.pack("!HH", 0xBEDE, words) + bytes(4 * words)
    tail = bytes(padding - 1) + bytes([padding]) if padding else b""
    plain = bytes(packet)
    data = bytes([flags]) + plain[1:12] + extra + packet.payload + tail
    assert RtpPacket.parse(data) == packet
    assert OtherPacket.parse(data).payload == packet.payload


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_refused(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except ValueError:
        return
    assert len(packet.payload) <= len(data) - 12


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes([0x80]) * 11,
        bytes([0x40]) + bytes(20),
        bytes([0x8F]) + bytes(20),
        bytes([0x90]) + bytes(11),
        bytes([0x90]) + bytes(13) + b"\xff\xff",
        bytes([0xA0]) + bytes(12),
        bytes([0xA0]) + bytes(11) + b"\xff",
    ],
    ids=["nothing", "short", "version 1", "sources", "extension", "long extension", "no padding", "padding"],
)
def test_what_does_not_fit_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        RtpPacket.parse(data)


def test_datagrams_on_one_port_are_told_apart() -> None:
    stun, dtls, rtp, rtcp = b"\x00\x01", b"\x16\xfe", b"\x80\x6f", b"\x80\xc8"
    assert [is_stun(one) for one in (stun, dtls, rtp, rtcp, b"")] == [True, False, False, False, False]
    assert [is_media(one) for one in (stun, dtls, rtp, rtcp, b"", b"\x80")] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert [is_rtcp(one) for one in (rtp, rtcp)] == [False, True]
