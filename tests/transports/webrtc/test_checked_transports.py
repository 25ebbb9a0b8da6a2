"""What no well-behaved peer sends is dropped, and nobody feels it (more of it: tests/fuzz)."""

import struct
from typing import Any

import pytest
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceTransport
from aiortc.rtcsctptransport import ForwardTsnChunk
from OpenSSL import SSL

from realtime.transports.webrtc.checked_transports import CheckedDtls, CheckedSctp
from realtime.transports.webrtc.ice import (
    UNREAD_DATAGRAMS_MAX,
    IceSettings,
    PeerPath,
    Port,
    _candidate,
    gatherer,
)
from tests.fuzz.keyed_peer import KeyedPeer
from tests.fuzz.targets.data_channel import _chunk, _data, packet

PEER, STRANGER = ("192.0.2.1", 1111), ("192.0.2.66", 6666)
AN_RTP_PACKET = b"\x80\x6f" + bytes(20)
SACK = struct.Struct("!LLHH")
EVENT = b'{"type": "response.create"}'
OPENING = struct.pack("!BBHLHH", 3, 0, 0, 0, 10, 0) + b"oai-events"


async def a_port() -> tuple[Port, PeerPath]:
    path = PeerPath(IceSettings("", None, ()))
    port = Port(path)
    port.local_candidate = _candidate(1, "host", "127.0.0.1", 5000)
    path._remote_candidates.append(_candidate(1, "host", *PEER))
    return port, path


async def test_media_from_a_stranger_is_not_taken_for_the_peers() -> None:
    port, path = await a_port()
    path.heard_at = 1.0
    port.datagram_received(AN_RTP_PACKET, STRANGER)
    assert path._queue.empty()
    assert path.heard_at == 1.0
    port.datagram_received(AN_RTP_PACKET, PEER)
    assert path._queue.qsize() == 1
    assert path.heard_at > 1.0


async def test_a_datagram_of_no_bytes_is_nothing() -> None:
    port, path = await a_port()
    port.datagram_received(b"", PEER)
    assert path._queue.empty()


async def test_what_comes_before_anybody_reads_it_is_bounded() -> None:
    port, path = await a_port()
    for _ in range(2 * UNREAD_DATAGRAMS_MAX):
        port.datagram_received(AN_RTP_PACKET, PEER)
    assert path._queue.qsize() == UNREAD_DATAGRAMS_MAX


async def test_what_is_sent_after_the_peers_goodbye_is_no_error_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def shut_down(self: object, data: bytes) -> None:
        raise SSL.Error([("SSL routines", "", "protocol is shutdown")])

    monkeypatch.setattr(RTCDtlsTransport, "_send_data", shut_down)
    ice = RTCIceTransport(gatherer(IceSettings("", None, ()))[0])
    dtls = CheckedDtls(ice, [RTCCertificate.generateCertificate()])
    with pytest.raises(ConnectionError):
        await dtls._send_data(b"data")
    sctp = CheckedSctp(dtls)
    sctp._remote_port = 5000
    sctp._forward_tsn_chunk = ForwardTsnChunk(body=struct.pack("!L", 1))
    await sctp._transmit()
    assert sctp._forward_tsn_chunk is not None, "it was tried"


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(_chunk(4, struct.pack("!HH", 1, 0)), id="a parameter of no length"),
        pytest.param(_chunk(130, struct.pack("!HH", 13, 0)), id="a reset of no length"),
        pytest.param(
            _chunk(3, struct.pack("!LLHH", 1, 1, 290, 0) + b"\0\1\xff\xff" * 290), id="gaps upon gaps"
        ),
        pytest.param(_chunk(3, SACK.pack(1, 1, 9, 9)), id="a SACK shorter than it says"),
        pytest.param(_data(10_000_000, 51, b"x"), id="a packet far ahead"),
        pytest.param(_data(101, 51, b""), id="data of nothing"),
        pytest.param(_data(101, 50, OPENING), id="a channel that is open already"),
    ],
)
async def test_a_broken_packet_costs_nothing_and_the_call_goes_on(chunk: bytes) -> None:
    peer = KeyedPeer()
    peer.begin()
    await peer.sctp(packet(peer.tag, _data(100, 50, OPENING)))
    await peer.sctp(packet(peer.tag, chunk))
    heard = await _said(
        peer, _data(102 if chunk[0] == 0 else 101, 51, b'{"type": "response.create"}', flags=7)
    )
    assert heard == ['{"type": "response.create"}']
    await peer.close()


async def test_text_that_is_no_text_is_told_so() -> None:
    peer = KeyedPeer()
    peer.begin()
    await peer.sctp(packet(peer.tag, _data(100, 50, OPENING)))
    assert await _said(peer, _data(101, 51, b"\xff\xfe", sequence=1)) == [b"\xff\xfe"]
    await peer.close()


async def test_a_message_on_a_stream_that_nobody_has_opened_makes_a_negotiated_channel_known() -> None:
    peer = KeyedPeer()
    peer.begin()
    await peer.sctp(packet(peer.tag, _data(100, 51, EVENT, stream=7)))
    inside: Any = peer.transport._peer
    assert [(channel.id, channel.negotiated) for channel in inside.events._channels] == [(7, True)]
    await peer.sctp(packet(peer.tag, _data(101, 51, EVENT, stream=9)))
    assert list(inside._sctp._data_channels) == [7], "one is enough"
    await peer.close()


async def test_a_channel_may_be_opened_on_a_stream_that_was_only_guessed() -> None:
    peer = KeyedPeer()
    peer.begin()
    inside: Any = peer.transport._peer
    inside.events.guess()
    guessed = inside.events._channels
    assert [channel.id for channel in guessed] == [0, 1]
    await peer.sctp(packet(peer.tag, _data(100, 50, OPENING, stream=1)))
    [channel] = inside.events._channels
    assert (channel.id, channel.label, channel.negotiated) == (1, "oai-events", False)
    assert channel not in guessed
    await peer.close()


async def _said(peer: KeyedPeer, chunk: bytes) -> list[Any]:
    """What comes of it to the transport."""
    came: list[Any] = []
    inside: Any = peer.transport._peer
    [channel] = inside.events._channels
    channel.remove_all_listeners("message")
    channel.on("message", came.append)
    await peer.sctp(packet(peer.tag, chunk))
    return came
