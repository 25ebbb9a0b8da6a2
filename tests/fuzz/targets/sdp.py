"""The SDP of a call: it is read or refused, and the answer to it is well-formed and of a sane size."""

import re

from aiortc import RTCDtlsFingerprint, RTCIceCandidate, RTCIceParameters

from realtime.errors import ClientError
from realtime.transports.webrtc.answer import LocalPath, LocalSide, answer_to
from realtime.transports.webrtc.description import parse_description
from realtime.transports.webrtc.offer import CANDIDATES_MAX, OFFER_BYTES_MAX, parse_offer
from tests.fuzz.target import Pure, Unkept
from tests.transports.webrtc.offers import OFFERS
from tests.transports.webrtc.test_offer import OFFER

PATH = LocalPath(
    RTCIceParameters("ufrag", "password"),
    [RTCIceCandidate(1, "f", "127.0.0.1", 5000, 1, "udp", "host")],
    RTCDtlsFingerprint("sha-256", "AB"),
    is_client=False,
)
OURS = LocalSide(PATH, PATH, ssrc=7, cname="cname")
_LINE = re.compile(r"[a-z]=[^\r\n]*")


def run(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    try:
        offer = parse_offer(text)
    except ClientError as error:
        if len(error.message) > 200:
            raise Unkept("a refusal is one short sentence") from None
        return
    answer = answer_to(offer, OURS)
    if not all(_LINE.fullmatch(line) for line in answer.removesuffix("\r\n").split("\r\n")):
        raise Unkept("an answer's lines are lines of a description")
    if len(answer) > 2 * OFFER_BYTES_MAX:
        raise Unkept("an answer is no larger than an offer may be")
    if len(parse_description(answer).sections) != len(offer.description.sections):
        raise Unkept("an answer has a section for each of the offer's")
    if len(offer.media.candidates) > CANDIDATES_MAX or offer.message_bytes_max < 0:
        raise Unkept("an offer asks for no more than is taken")


def seeds() -> list[bytes]:
    candidate = "a=candidate:1 1 udp 2113937151 192.0.2.1 51234 typ srflx raddr 10.0.0.1 rport 9"
    extra = f"{candidate}\r\na=end-of-candidates\r\n"
    return [
        OFFER.encode(),
        (OFFER + extra).encode(),
        OFFER.replace("a=sendrecv", "a=recvonly").encode(),
        OFFER.split("m=application")[0].replace(" 0 1 2", " 0").encode(),
        *(text.encode() for text in OFFERS.values()),
    ]


TARGET = Pure(
    run,
    seeds,
    words=(
        *("a=mid:", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 ", "a=ssrc:1 cname:", "a=ssrc-group:FID 1 2"),
        *("a=group:BUNDLE ", "a=candidate:1 1 udp 1 ::1 1 typ host", "a=setup:passive", "a=ice-lite"),
        *(
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP6 ::",
        ),
        *("a=sctpmap:5000 webrtc-datachannel 1", "a=max-message-size:0", "a=extmap:1 x", "a=rtcp-fb:* nack"),
        *(
            "a=fingerprint:sha-256 ",
            "a=bundle-only",
            "m=audio 0 ",
            "a=rtcp:9 IN IP4 0.0.0.0",
            "a=msid-semantic:",
            "99999999999",
            "-1",
            "\r\n",
        ),
    ),
    bytes_max=8192,
)
