"""Our answer to an offer (RFC 8829 5.3, RFC 9143 7.3)."""

import ipaddress
import secrets
from dataclasses import dataclass

from aiortc import RTCDtlsFingerprint, RTCIceCandidate, RTCIceParameters
from aiortc.rtcsctptransport import LOCAL_MAX_MESSAGE_SIZE
from aiortc.sdp import candidate_to_sdp

from realtime.transports.webrtc.audio_codec import OPUS
from realtime.transports.webrtc.description import Section
from realtime.transports.webrtc.offer import Offer

SCTP_PORT = 5000
_SCTP_STREAMS = 65_535
_NOWHERE = "0.0.0.0"
_DISCARD_PORT = 9


@dataclass(frozen=True, slots=True)
class LocalPath:
    """How the peer reaches this side, and knows it. is_client: in DTLS."""

    ice: RTCIceParameters
    candidates: list[RTCIceCandidate]
    fingerprint: RTCDtlsFingerprint
    is_client: bool


@dataclass(frozen=True, slots=True)
class LocalSide:
    """What an answer tells of this side. ssrc: of the audio we send. events: the path of the data channel,
    the same as `media` where the offer bundles them."""

    media: LocalPath
    events: LocalPath
    ssrc: int
    cname: str


def answer_to(offer: Offer, local: LocalSide) -> str:
    """The answer: sections in the offer's order, those that we do not take refused.

    Some peers cannot do without the section that describes the path of its group: one that we do not take is
    inactive then, not refused.
    """
    lines = ["v=0", f"o=- {secrets.randbits(62)} 2 IN IP4 {_NOWHERE}", "s=-", "t=0 0"]
    sections: list[str] = []
    answered: list[str] = []
    for section in offer.description.sections:
        if section is offer.audio or section is offer.opposite:
            own = _audio(section, offer, local)
        elif section is offer.channel:
            own = _channel(section, local)
        elif section is offer.media.described_in:
            own = _inactive(section, local.media)
        elif section is offer.events.described_in:
            own = _inactive(section, local.events)
        else:
            sections += _refusal(section)
            continue
        sections += own
        answered.append(section.mid)
    for bundle in offer.description.bundles:
        together = [mid for mid in answered if mid in bundle]
        if together:
            lines.append(f"a=group:BUNDLE {' '.join(together)}")
    lines.append("a=msid-semantic:WMS *")
    return "".join(f"{line}\r\n" for line in lines + sections)


def _audio(section: Section, offer: Offer, local: LocalSide) -> list[str]:
    number = str(offer.payload_type)
    lines = _head(section, local.media, [number])
    if section.hears and section.speaks:
        lines.append("a=sendrecv")
    else:
        lines.append("a=sendonly" if section.hears else "a=recvonly")
    lines += _mid(section)
    if section.hears:
        lines += [f"a=msid:{local.cname} {local.cname}", f"a=ssrc:{local.ssrc} cname:{local.cname}"]
    lines += [f"a=rtcp:{_DISCARD_PORT} IN IP4 {_NOWHERE}", "a=rtcp-mux"]
    lines.append(f"a=rtpmap:{number} {section.about('rtpmap', number)}")
    if offer.codec is OPUS:
        # Errors in it we do not mend: what was lost is guessed instead.
        lines.append(f"a=fmtp:{number} minptime=10;useinbandfec=0")
    return lines + _path(local.media)


def _channel(section: Section, local: LocalSide) -> list[str]:
    if section.profile == "DTLS/SCTP":  # before RFC 8841
        port = [f"a=sctpmap:{SCTP_PORT} webrtc-datachannel {_SCTP_STREAMS}"]
        lines = _head(section, local.events, [str(SCTP_PORT)])
    else:
        port = [f"a=sctp-port:{SCTP_PORT}"]
        lines = _head(section, local.events, ["webrtc-datachannel"])
    size = f"a=max-message-size:{LOCAL_MAX_MESSAGE_SIZE}"
    return [*lines, *_mid(section), *port, size, *_path(local.events)]


def _inactive(section: Section, path: LocalPath) -> list[str]:
    number = section.formats[0]
    lines = [*_head(section, path, [number]), "a=inactive", *_mid(section), "a=rtcp-mux"]
    for name in ("rtpmap", "fmtp"):
        told = section.about(name, number)
        if told:
            lines.append(f"a={name}:{number} {told}")
    return lines + _path(path)


def _refusal(section: Section) -> list[str]:
    first = f"m={section.kind} 0 {section.profile} {' '.join(section.formats)}"
    # werift looks for a codec that both know even there.
    maps = [f"a=rtpmap:{one.value}" for one in section.attributes if one.name == "rtpmap"]
    return [first, f"c=IN IP4 {_NOWHERE}", "a=inactive", *_mid(section), *maps]


def _head(section: Section, path: LocalPath, formats: list[str]) -> list[str]:
    host, port = _NOWHERE, _DISCARD_PORT
    if path.candidates:
        host, port = path.candidates[0].ip, path.candidates[0].port
    version = ipaddress.ip_address(host).version
    return [f"m={section.kind} {port} {section.profile} {' '.join(formats)}", f"c=IN IP{version} {host}"]


def _mid(section: Section) -> list[str]:
    return [f"a=mid:{section.mid}"] if section.mid else []


def _path(path: LocalPath) -> list[str]:
    return [
        *(f"a=candidate:{candidate_to_sdp(one)}" for one in path.candidates),
        "a=end-of-candidates",
        f"a=ice-ufrag:{path.ice.usernameFragment}",
        f"a=ice-pwd:{path.ice.password}",
        f"a=fingerprint:{path.fingerprint.algorithm} {path.fingerprint.value}",
        f"a=setup:{'active' if path.is_client else 'passive'}",
    ]
