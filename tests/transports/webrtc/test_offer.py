"""Offers: those of real clients are answered, all others are refused with a sentence, whatever they hold."""

import re

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from hypothesis import example, given
from hypothesis import strategies as st

from realtime.errors import ClientError
from realtime.transports.webrtc.offer import OFFER_BYTES_MAX, Offer, parse_offer
from tests.transports.webrtc.offers import FINGERPRINT

OFFER = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1 2
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 6d1c2b1e-0000-4000-8000-000000000000.local 51234 typ host generation 0
a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdefghijklmn
a=ice-options:trickle
a=fingerprint:sha-256 FINGERPRINT
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:stream track
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=ssrc:1001 cname:abc
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdefghijklmn
a=setup:actpass
a=mid:1
a=sendrecv
a=rtcp-mux
a=rtpmap:96 VP8/90000
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdefghijklmn
a=setup:actpass
a=mid:2
a=sctp-port:5000
a=max-message-size:262144
""".replace("\n", "\r\n").replace("FINGERPRINT", FINGERPRINT)

BROKEN = [
    ("", "begins with 'v=0'"),
    ("v=0", "no audio section"),
    ("v=0\r\n", "no audio section"),
    ("v=x\r\n", "begins with 'v=0'"),
    ("v=0\r\nm=audio\r\n", "line 2: expected 'm='"),
    ("v=0" + "x" * OFFER_BYTES_MAX, "at most"),
    (OFFER.replace("opus", "opas").replace(" 0 8 ", " "), "line 8: it has no codec that is taken"),
    (OFFER.replace("m=audio 9", "m=audio 0"), "line 8: this audio section is disabled"),
    (re.sub("a=fingerprint.*\r\n", "", OFFER), "fingerprint"),
    (OFFER.replace("a=ice-pwd:0123456789abcdefghijklmn\r\n", ""), "ice-pwd"),
    (OFFER.replace("a=rtcp-mux\r\n", ""), "rtcp-mux"),
    (OFFER.replace("BUNDLE 0 1 2", "BUNDLE 0 1"), "line 39: it has no a=fingerprint"),
    (OFFER.replace("a=sctp-port:5000\r\n", ""), "SCTP"),
    (OFFER + "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n" * 20, "media sections"),
    (OFFER.replace("a=setup:actpass", "a=setup:nonsense"), "expected a=setup:actpass, active or passive"),
    (OFFER.replace("UDP/TLS/RTP/SAVPF 111", "UDP/BFCP 111"), "not carried by RTP"),
]


def test_a_browsers_offer_is_read() -> None:
    offer = parse_offer(OFFER)
    assert (offer.payload_type, offer.hears, offer.speaks) == (111, True, True)
    assert offer.message_bytes_max == 262_144
    assert not offer.media.has_all_candidates


@pytest.mark.parametrize(
    ("direction", "hears", "speaks"), [("recvonly", True, False), ("sendonly", False, True)]
)
def test_audio_may_go_one_way_only(direction: str, hears: bool, speaks: bool) -> None:
    offer = parse_offer(OFFER.replace("a=sendrecv", f"a={direction}", 1))
    assert (offer.hears, offer.speaks) == (hears, speaks)


@pytest.mark.parametrize(("text", "why"), BROKEN)
def test_what_cannot_be_answered_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ClientError, match=why) as refused:
        parse_offer(text)
    assert refused.value.param == "sdp"


async def test_an_offer_without_a_data_channel_is_taken() -> None:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("audio")
    await connection.setLocalDescription(await connection.createOffer())
    assert parse_offer(connection.localDescription.sdp).channel is None
    await connection.close()


LINES = OFFER.split("\r\n")


@given(
    st.lists(st.integers(0, len(LINES) - 1), max_size=8),
    st.lists(st.tuples(st.integers(0, len(OFFER) - 1), st.characters()), max_size=8),
)
@example([0], [])
def test_no_offer_breaks_the_reader(dropped: list[int], changed: list[tuple[int, str]]) -> None:
    text = "\r\n".join(line for at, line in enumerate(LINES) if at not in dropped)
    for place, character in changed:
        text = text[:place] + character + text[place + 1 :]
    try:
        offer = parse_offer(text)
    except ClientError:
        return
    assert isinstance(offer, Offer)
    assert offer.payload_type in range(128)
