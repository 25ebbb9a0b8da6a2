"""The peer's offer, read and checked, and our answer (RFC 8829, RFC 8866): one audio, one data channel."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from aiortc import (
    RTCDtlsParameters,
    RTCIceCandidate,
    RTCIceParameters,
    RTCRtpCodecParameters,
    RTCRtpParameters,
    sdp,
)
from aiortc.rtcsctptransport import LOCAL_MAX_MESSAGE_SIZE, RTCSctpCapabilities

from realtime.errors import ClientError

OFFER_BYTES_MAX = 64 * 1024
CANDIDATES_MAX = 32
"""More are not tried: each makes us send packets to an address of the peer's choice."""
_SECTIONS_MAX = 16
_SCTP_PORT = 5000
_NOWHERE = "0.0.0.0"
_DISCARD_PORT = 9


@dataclass(frozen=True, slots=True)
class Offer:
    """What matters of an offer. audio: the section that carries Opus; channel: the data channels', if any.

    hears, speaks: whether the peer takes audio, and whether it sends any.
    """

    description: sdp.SessionDescription
    audio: sdp.MediaDescription
    payload_type: int
    channel: sdp.MediaDescription | None
    ice: RTCIceParameters
    dtls: RTCDtlsParameters

    @property
    def hears(self) -> bool:
        return self.audio.direction in (None, "sendrecv", "recvonly")

    @property
    def speaks(self) -> bool:
        return self.audio.direction in (None, "sendrecv", "sendonly")

    @property
    def candidates(self) -> list[RTCIceCandidate]:
        found = self.audio.ice_candidates + (self.channel.ice_candidates if self.channel else [])
        return [one for one in found if one.component == 1][:CANDIDATES_MAX]

    @property
    def has_all_candidates(self) -> bool:
        return self.audio.ice_candidates_complete and bool(self.candidates)

    @property
    def message_bytes_max(self) -> int:
        """Of one event. Where the peer does not say: RFC 8841 6.1; 0 means that any size will do."""
        told = self.channel.sctpCapabilities if self.channel else None
        size = 65_536 if told is None else told.maxMessageSize
        return size or 2**31

    @property
    def codec(self) -> RTCRtpCodecParameters:
        """Opus, as we take it. Errors in it we do not mend: what was lost is guessed instead."""
        parameters: dict[str, int | str | None] = {"minptime": 10, "useinbandfec": 0}
        return RTCRtpCodecParameters("audio/opus", 48_000, 2, self.payload_type, parameters=parameters)


def parse_offer(text: str) -> Offer:
    """Raises ClientError with one sentence for what cannot be answered."""
    if len(text) > OFFER_BYTES_MAX:
        raise _refused(f"it has {len(text)} characters, of which at most {OFFER_BYTES_MAX} are taken")
    if not text.lstrip().startswith("v="):
        raise _refused("expected session description text that begins with 'v='")
    try:
        description = sdp.SessionDescription.parse(text)
        # What aiortc's parser checks with assert and by failing, it has no error of its own for.
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        StopIteration,
        TypeError,
        ValueError,
    ):
        raise _refused("it is not well-formed (RFC 8866)") from None
    if len(description.media) > _SECTIONS_MAX:
        raise _refused(f"it has {len(description.media)} media sections, at most {_SECTIONS_MAX} are taken")
    return _checked(description)


def _checked(description: sdp.SessionDescription) -> Offer:
    audio, payload_type = next(_opus_sections(description), (None, None))
    if audio is None or payload_type is None:
        raise _refused("it has no audio section with Opus at 48 kHz")
    channel = next((one for one in description.media if one.kind == "application"), None)
    if channel is not None and (channel.profile.endswith("DTLS/SCTP") is False or not channel.sctp_port):
        raise _refused("its data channel section has no SCTP port (RFC 8841)")
    sections = [audio] if channel is None else [audio, channel]
    bundled = next((group.items for group in description.group if group.semantic == "BUNDLE"), [])
    if channel is not None and not all(one.rtp.muxId in bundled for one in sections):
        raise _refused("its audio and data channel do not share a transport: expected a=group:BUNDLE")
    if not audio.rtcp_mux:
        raise _refused("expected a=rtcp-mux")
    if audio.ice is None or not (audio.ice.usernameFragment and audio.ice.password):
        raise _refused("it has no a=ice-ufrag or a=ice-pwd")
    if audio.dtls is None or not audio.dtls.fingerprints:
        raise _refused("it has no a=fingerprint or a=setup: media must be encrypted")
    return Offer(description, audio, payload_type, channel, audio.ice, audio.dtls)


def _opus_sections(
    description: sdp.SessionDescription,
) -> Iterator[tuple[sdp.MediaDescription, int]]:
    for media in description.media:
        if media.kind == "audio" and media.port and media.direction != "inactive":
            for codec in media.rtp.codecs:
                is_opus = codec.mimeType.lower() == "audio/opus" and codec.clockRate == 48_000
                number = codec.payloadType
                if is_opus and number is not None and number in media.fmt:  # offered, not only described
                    yield media, number


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """What an answer tells of this side. ssrc: of the audio we send. is_client: in DTLS."""

    ice: RTCIceParameters
    candidates: list[RTCIceCandidate]
    dtls: RTCDtlsParameters
    ssrc: int
    cname: str
    is_client: bool


def answer_to(offer: Offer, local: LocalTransport) -> str:
    """The answer: sections in the offer's order, those that we do not take refused (RFC 8829 5.3.1)."""
    answer = sdp.SessionDescription()
    answer.origin = f"- {secrets.randbits(62)} 2 IN IP4 {_NOWHERE}"
    taken: list[int | str] = []
    for media in offer.description.media:
        if media is offer.audio:
            section = _audio(offer, local)
        elif media is offer.channel:
            section = _channel(media)
        else:
            answer.media.append(_nothing(media))
            continue
        _add_transport(section, local)
        taken.append(media.rtp.muxId)
        answer.media.append(section)
    if offer.description.group:
        answer.group.append(sdp.GroupDescription("BUNDLE", taken))
    answer.msid_semantic.append(sdp.GroupDescription("WMS", ["*"]))
    return str(answer)


def _audio(offer: Offer, local: LocalTransport) -> sdp.MediaDescription:
    section = sdp.MediaDescription("audio", _DISCARD_PORT, offer.audio.profile, [offer.payload_type])
    section.direction = {
        (True, True): "sendrecv",
        (True, False): "sendonly",
        (False, True): "recvonly",
    }[offer.hears, offer.speaks]
    section.rtp = RTCRtpParameters(codecs=[offer.codec], muxId=offer.audio.rtp.muxId)
    section.rtcp_host, section.rtcp_port, section.rtcp_mux = _NOWHERE, _DISCARD_PORT, True
    if offer.hears:
        section.msid = f"{local.cname} {local.cname}"
        section.ssrc = [sdp.SsrcDescription(local.ssrc, local.cname)]
    return section


def _channel(media: sdp.MediaDescription) -> sdp.MediaDescription:
    section = sdp.MediaDescription("application", _DISCARD_PORT, media.profile, ["webrtc-datachannel"])
    section.sctp_port = _SCTP_PORT
    section.sctpCapabilities = RTCSctpCapabilities(LOCAL_MAX_MESSAGE_SIZE)
    section.rtp.muxId = media.rtp.muxId
    return section


def _add_transport(section: sdp.MediaDescription, local: LocalTransport) -> None:
    section.ice = local.ice
    section.ice_candidates = local.candidates
    section.ice_candidates_complete = True
    section.dtls = RTCDtlsParameters(local.dtls.fingerprints, "client" if local.is_client else "server")
    section.host = local.candidates[0].ip if local.candidates else _NOWHERE
    section.port = local.candidates[0].port if local.candidates else _DISCARD_PORT


def _nothing(media: sdp.MediaDescription) -> sdp.MediaDescription:
    section = sdp.MediaDescription(media.kind, 0, media.profile, media.fmt)
    section.host, section.direction, section.ice = _NOWHERE, "inactive", RTCIceParameters()
    section.rtp.muxId = media.rtp.muxId
    return section


def _refused(why: str) -> ClientError:
    return ClientError("invalid_offer", f"The SDP offer cannot be used: {why}.", "sdp")
