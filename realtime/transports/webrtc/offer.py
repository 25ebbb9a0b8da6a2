"""The peer's offer, read and checked (RFC 8829): one audio, one data channel, and how to reach the peer."""

import hashlib
import re
from dataclasses import dataclass

from aiortc import RTCDtlsFingerprint, RTCDtlsParameters, RTCIceCandidate, RTCIceParameters
from aiortc.sdp import candidate_from_sdp

from realtime.errors import ClientError
from realtime.transports.webrtc.audio_codec import CODECS, OPUS, AudioCodec
from realtime.transports.webrtc.description import (
    Description,
    MalformedDescription,
    Section,
    parse_description,
)
from realtime.transports.webrtc.reorder import RTP_HZ

OFFER_BYTES_MAX = 64 * 1024
CANDIDATES_MAX = 32
"""More are not tried: each makes us send packets to an address of the peer's choice."""
HASHES = ("sha-256", "sha-384", "sha-512")
"""Of certificates, the most usual first."""
_SECTIONS_MAX = 16
_MESSAGE_BYTES_MAX_DEFAULT = 65_536  # RFC 8841 6.1
_ROLES = {"actpass": "auto", "active": "client", "passive": "server"}
_PORT = re.compile(r"[0-9]{1,5}")
_HEXADECIMAL = re.compile(r"[0-9A-F]+")


@dataclass(frozen=True, slots=True)
class RemotePath:
    """Where the peer is, and which certificate it has. described_in: the section that says so, for all of its
    BUNDLE group. dtls: with fingerprints of one hash."""

    described_in: Section
    ice: RTCIceParameters
    dtls: RTCDtlsParameters
    candidates: tuple[RTCIceCandidate, ...]
    has_all_candidates: bool

    @property
    def hash_name(self) -> str:
        return self.dtls.fingerprints[0].algorithm


@dataclass(frozen=True, slots=True)
class Offer:
    """What matters of an offer. audio: the section that carries speech, in `codec`, as `payload_type`.

    opposite: that of the other direction, where the peer has one for each, on the same path.
    clock_hz: which the offer names for that; the timestamps of Opus should be at 48 kHz all the same.
    channel: the data channels' section, if any. events: their path; that of the audio, if they share it.
    hears, speaks: whether the peer takes audio, and whether it sends any.
    """

    description: Description
    audio: Section
    opposite: Section | None
    codec: AudioCodec
    payload_type: int
    clock_hz: int
    media: RemotePath
    channel: Section | None
    events: RemotePath

    @property
    def hears(self) -> bool:
        return self.audio.hears or (self.opposite is not None and self.opposite.hears)

    @property
    def speaks(self) -> bool:
        return self.audio.speaks or (self.opposite is not None and self.opposite.speaks)

    @property
    def message_bytes_max(self) -> int:
        """Of one event. 0 in the offer means that any size will do."""
        told = self.channel.word("max-message-size") if self.channel else ""
        if not told.isdecimal() or len(told) > 18:
            return _MESSAGE_BYTES_MAX_DEFAULT
        return int(told) or 2**31

    @property
    def sctp_port(self) -> int | None:
        return None if self.channel is None else _sctp_port(self.channel)


def parse_offer(text: str) -> Offer:
    """Raises ClientError for what cannot be answered: one sentence, with the line that is to blame."""
    if len(text) > OFFER_BYTES_MAX:
        raise _refused(f"it has {len(text)} characters, of which at most {OFFER_BYTES_MAX} are taken")
    try:
        description = parse_description(text)
    except MalformedDescription as malformed:
        raise _refused(str(malformed), malformed.line) from None
    if len(description.sections) > _SECTIONS_MAX:
        raise _refused(
            f"it has {len(description.sections)} media sections, at most {_SECTIONS_MAX} are taken"
        )
    audio, codec, payload_type = _audio(description)
    channel = next((one for one in description.sections if _is_channel(one)), None)
    if channel is not None and not _sctp_port(channel):
        raise _refused("its data channel section has no SCTP port (RFC 8841)", channel.line)
    media = _path(description, audio)
    if not any(one.has("rtcp-mux") or one.has("bundle-only") for one in (audio, media.described_in)):
        raise _refused("expected a=rtcp-mux in this section", audio.line)
    events = media if channel is None else _path(description, channel)
    if events.described_in is media.described_in:
        events = media
    clock_hz = _clock_hz(audio, str(payload_type)) or codec.rtp_hz
    opposite = _opposite(description, audio, str(payload_type))
    return Offer(description, audio, opposite, codec, payload_type, clock_hz, media, channel, events)


# Audio ------------------------------------------------------------------------------------


def _audio(description: Description) -> tuple[Section, AudioCodec, int]:
    """The first section that can carry a conversation, and its peer's first choice of our codecs."""
    reasons = []
    for section in description.sections:
        if section.kind != "audio":
            continue
        why = _unusable(section)
        if why is None:
            for format_ in section.formats:
                codec = _codec(section, format_)
                if codec is not None:
                    return section, codec, int(format_)
            why = "it has no codec that is taken: expected Opus, PCMU or PCMA"
        reasons.append((why, section.line))
    if not reasons:
        raise _refused("it has no audio section")
    raise _refused(*reasons[0])


def _opposite(description: Description, audio: Section, format_: str) -> Section | None:
    """The section in which the peer does what it does not in `audio`, with the same format."""
    for section in description.bundled_with(audio):
        is_other_way = (section.hears, section.speaks) == (audio.speaks, audio.hears) != (True, True)
        has_format = format_ in section.formats and _codec(section, format_) is _codec(audio, format_)
        if section.kind == "audio" and is_other_way and has_format and _unusable(section) is None:
            return section
    return None


def _unusable(section: Section) -> str | None:
    if section.is_disabled:
        return "this audio section is disabled: its port is 0, without a=bundle-only"
    if section.direction == "inactive":
        return "this audio section is inactive"
    return None if "RTP/" in section.profile else "this audio section is not carried by RTP"


def _codec(section: Section, format_: str) -> AudioCodec | None:
    """None for a format that cannot be had; with a number that RTCP needs (RFC 5761 4), too."""
    if not format_.isdecimal() or len(format_) > 3 or int(format_) > 127 or 64 <= int(format_) <= 95:
        return None
    codec = CODECS.get(section.about("rtpmap", format_).partition("/")[0].strip().lower())
    if codec is None or (codec is not OPUS and _clock_hz(section, format_) != codec.rtp_hz):
        return None
    return codec


def _clock_hz(section: Section, format_: str) -> int | None:
    """The rate in `a=rtpmap`; of one that Opus does not have, nothing is made (RFC 7587 4.1)."""
    words = section.about("rtpmap", format_).split("/")
    told = words[1].strip() if len(words) > 1 else ""
    clock_hz = int(told) if told.isdecimal() and len(told) < 8 else 0
    return clock_hz if clock_hz and RTP_HZ % clock_hz == 0 else None


# The data channel -------------------------------------------------------------------------


def _is_channel(section: Section) -> bool:
    return section.kind == "application" and section.profile.endswith("DTLS/SCTP") and not section.is_disabled


def _sctp_port(section: Section) -> int:
    """0 where there is none. Before RFC 8841 it stood in the place of the format."""
    told = section.word("sctp-port") or (section.formats[0] if section.profile == "DTLS/SCTP" else "")
    return int(told) if _PORT.fullmatch(told) and int(told) <= 65_535 else 0


# The way to the peer ----------------------------------------------------------------------


def _path(description: Description, section: Section) -> RemotePath:
    together = description.bundled_with(section)
    # What holds for a group stands in the section that it names first (RFC 9143 7.2).
    told_in = next((one for one in together if not one.is_disabled and _missing(one) is None), section)
    missing = _missing(told_in)
    if missing is not None:
        raise _refused(f"it has no {missing} in this section, nor for all of them", told_in.line)
    return RemotePath(
        told_in,
        RTCIceParameters(told_in.word("ice-ufrag"), told_in.word("ice-pwd"), iceLite=told_in.has("ice-lite")),
        RTCDtlsParameters(_fingerprints(told_in), _role(told_in)),
        tuple(_candidates(together)),
        any(one.has("end-of-candidates") for one in together) and bool(_candidates(together)),
    )


def _missing(section: Section) -> str | None:
    return next(
        (f"a={name}" for name in ("ice-ufrag", "ice-pwd", "fingerprint") if not section.word(name)), None
    )


def _fingerprints(section: Section) -> list[RTCDtlsFingerprint]:
    """Those of one hash: of several hashes of one certificate, one is enough (RFC 8122 5)."""
    found = []
    for attribute in section.all("fingerprint"):
        name, _, value = attribute.value.partition(" ")
        found.append(RTCDtlsFingerprint(name.lower(), value.strip().upper()))
    for name in HASHES:
        digits = 2 * hashlib.new(name.replace("-", "")).digest_size
        usable = [one for one in found if one.algorithm == name and _digits(one.value) == digits]
        if usable:
            return usable
    first = section.first("fingerprint")
    raise _refused(f"expected a=fingerprint with {', '.join(HASHES)}", first.line if first else section.line)


def _digits(value: str) -> int:
    plain = value.replace(":", "")
    return len(plain) if _HEXADECIMAL.fullmatch(plain) else 0


def _role(section: Section) -> str:
    told = section.first("setup")
    if told is None:
        return "client"  # RFC 4145 4: who does not say so, calls
    role = _ROLES.get(section.word("setup"))
    if role is None:
        raise _refused("expected a=setup:actpass, active or passive", told.line)
    return role


def _candidates(sections: list[Section]) -> list[RTCIceCandidate]:
    """Some stacks tell them in the last section of a group. One that cannot be read is passed over."""
    told = dict.fromkeys(one.value for section in sections for one in section.all("candidate"))
    found: list[RTCIceCandidate] = []
    for value in told:
        try:
            candidate = candidate_from_sdp(value)
        except (AssertionError, ValueError):
            continue
        if candidate.component == 1:
            found.append(candidate)
    return found[:CANDIDATES_MAX]


def _refused(why: str, line: int | None = None) -> ClientError:
    where = "" if line is None else f"line {line}: "
    return ClientError("invalid_offer", f"The SDP offer cannot be used: {where}{why}.", "sdp")
