"""What other stacks than a browser's offer is answered as they can read it, or refused with the line."""

import pytest
from aiortc import RTCDtlsFingerprint, RTCIceCandidate, RTCIceParameters

from realtime.errors import ClientError
from realtime.transports.webrtc.answer import LocalPath, LocalSide, answer_to
from realtime.transports.webrtc.description import Section, parse_description
from realtime.transports.webrtc.offer import parse_offer
from tests.transports.webrtc.offers import (
    BUNDLE_ONLY,
    CODECS,
    FINGERPRINT,
    OFFERS,
    OPUS,
    OTHER_PATH,
    RECORDED,
    REFUSED,
    TAKEN,
    audio,
    channel,
    offer,
    video,
)


def local_path(name: str, port: int) -> LocalPath:
    candidates = [RTCIceCandidate(1, "f", "127.0.0.1", port, 1, "udp", "host")]
    return LocalPath(
        RTCIceParameters(name, "password"), candidates, RTCDtlsFingerprint("sha-256", "AB"), True
    )


def answered(text: str) -> tuple[str, tuple[Section, ...]]:
    """The answer, and its sections."""
    wanted = parse_offer(text)
    media = local_path("media", 5000)
    events = media if wanted.events is wanted.media else local_path("events", 5001)
    answer = answer_to(wanted, LocalSide(media, events, ssrc=7, cname="cname"))
    return answer, parse_description(answer).sections


def ports(sections: tuple[Section, ...]) -> list[int]:
    return [section.port for section in sections]


@pytest.mark.parametrize("name", OFFERS)
def test_every_offer_has_an_answer_with_one_fingerprint(name: str) -> None:
    answer, sections = answered(OFFERS[name])
    offered = parse_description(OFFERS[name]).sections
    assert [(one.kind, one.profile, one.mid) for one in sections] == [
        (one.kind, one.profile, one.mid) for one in offered
    ]
    for section in sections:
        if section.port:
            assert [one.value for one in section.all("fingerprint")] == ["sha-256 AB"]
            assert section.has("ice-ufrag")
            assert section.has("end-of-candidates")
            assert section.formats[0] in next(one for one in offered if one.mid == section.mid).formats
    assert "bundle-only" not in answer


@pytest.mark.parametrize("name", TAKEN)
def test_the_codec_of_the_answer_is_the_first_that_can_be_had(name: str) -> None:
    _, sections = answered(TAKEN[name])
    [section] = [one for one in sections if one.kind == "audio" and one.port and one.direction != "inactive"]
    assert [one.value for one in section.all("rtpmap")] == [CODECS.get(name, "111 opus/48000/2")]


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_offers_have_a_data_channel(name: str) -> None:
    wanted = parse_offer(RECORDED[name])
    assert wanted.channel is not None
    assert (wanted.hears, wanted.speaks) == (True, True)
    has_own_path = "none" in name or "no-bundle" in name
    assert (wanted.events is not wanted.media) == has_own_path


def test_the_section_that_a_group_names_first_is_kept_and_inactive() -> None:
    answer, sections = answered(RECORDED["firefox-video-first-max-bundle"])
    assert [(one.kind, one.direction) for one in sections] == [
        ("video", "inactive"),
        ("audio", "sendrecv"),
        ("application", "sendrecv"),
    ]
    assert ports(sections) == [5000] * 3
    assert "a=group:BUNDLE 0 1 2\r\n" in answer


def test_what_is_bundled_behind_the_first_and_not_taken_is_refused() -> None:
    answer, sections = answered(TAKEN["a second section of audio"])
    assert ports(sections) == [5000, 0, 5000]
    assert "a=group:BUNDLE 0 1\r\n" in answer


@pytest.mark.parametrize(("first", "second"), [("sendonly", "recvonly"), ("recvonly", "sendonly")])
def test_a_section_for_each_direction_of_audio_is_a_whole_call(first: str, second: str) -> None:
    text = offer(
        audio(direction=first), audio(mid="2", direction=second, path=""), channel(), groups=("0 2 1",)
    )
    wanted = parse_offer(text)
    assert (wanted.hears, wanted.speaks) == (True, True)
    answer, sections = answered(text)
    assert [one.direction for one in sections[:2]] == [second, first]
    assert [one.has("ssrc") for one in sections[:2]] == [second == "sendonly", first == "sendonly"]
    assert "a=group:BUNDLE 0 2 1\r\n" in answer


@pytest.mark.parametrize(
    ("second", "group"),
    [
        (audio(mid="2", direction="sendonly"), "0 2 1"),
        (audio(mid="2", direction="sendrecv"), "0 2 1"),
        (audio(mid="2", direction="recvonly", port=0), "0 2 1"),
        (audio("9", "", mid="2", direction="recvonly"), "0 2 1"),
        (audio(mid="2", direction="recvonly", maps=OPUS.replace("opus", "opas")), "0 2 1"),
        (audio(mid="2", direction="recvonly"), "0 1"),
    ],
    ids=["the same way", "both ways", "disabled", "another format", "another codec", "another path"],
)
def test_another_section_of_audio_is_not_taken_for_the_other_direction(second: str, group: str) -> None:
    text = offer(audio(direction="sendonly"), second, channel(), groups=(group,))
    assert parse_offer(text).opposite is None
    _, sections = answered(text)
    assert (sections[0].direction, sections[1].port) == ("recvonly", 0)


def test_a_refused_section_says_what_its_formats_are() -> None:
    """werift looks for a codec that both know even there."""
    _, sections = answered(offer(audio(), video(), channel(), groups=("0 v 1",)))
    assert [one.value for one in sections[1].all("rtpmap")] == ["96 VP8/90000", "97 rtx/90000"]


def test_sections_that_are_not_bundled_have_a_path_each() -> None:
    answer, sections = answered(RECORDED["gstreamer-1.22-none"])
    assert "BUNDLE" not in answer
    assert [one.word("ice-ufrag") for one in sections] == ["media", "events"]
    wanted = parse_offer(RECORDED["gstreamer-1.22-none"])
    assert wanted.media.ice != wanted.events.ice


def test_two_groups_have_a_path_each() -> None:
    answer, sections = answered(TAKEN["two groups"])
    assert "a=group:BUNDLE 0\r\na=group:BUNDLE 1\r\n" in answer
    assert ports(sections) == [5000, 0, 5001]


def test_each_group_keeps_the_section_that_it_names_first() -> None:
    text = offer(video(), audio(path="", **BUNDLE_ONLY), channel(path=OTHER_PATH), groups=("v 0", "1"))
    answer, sections = answered(text)
    assert "a=group:BUNDLE v 0\r\na=group:BUNDLE 1\r\n" in answer
    assert ports(sections) == [5000, 5000, 5001]
    assert [one.word("ice-ufrag") for one in sections] == ["media", "media", "events"]


def test_a_disabled_data_channel_is_none() -> None:
    wanted = parse_offer(TAKEN["a data channel that is disabled"])
    assert wanted.channel is None


def test_a_data_channel_as_before_rfc_8841_is_answered_so() -> None:
    answer, _ = answered(TAKEN["a data channel as before RFC 8841"])
    assert "DTLS/SCTP 5000\r\n" in answer
    assert "a=sctpmap:5000 webrtc-datachannel 65535\r\n" in answer
    assert "a=sctp-port" not in answer


def test_candidates_of_any_section_of_a_group_are_the_groups() -> None:
    wanted = parse_offer(TAKEN["candidates under the last section"])
    assert [one.port for one in wanted.media.candidates] == [5000]
    assert wanted.media.has_all_candidates


def test_who_does_not_say_a_role_calls() -> None:
    assert parse_offer(TAKEN["no a=setup"]).media.dtls.role == "client"


@pytest.mark.parametrize("name", ["sha-384", "sha-512"])
def test_the_hash_of_the_answer_is_the_offers(name: str) -> None:
    digits = {"sha-384": 48, "sha-512": 64}[name]
    value = ":".join(["AB"] * digits)
    text = offer(audio(), channel()).replace(f"sha-256 {FINGERPRINT}", f"{name} {value}")
    assert parse_offer(text).media.hash_name == name


def test_of_several_hashes_the_usual_one_counts() -> None:
    long = ":".join(["AB"] * 64)
    text = offer(audio(), channel()).replace(
        "a=fingerprint", f"a=fingerprint:sha-512 {long}\r\na=fingerprint"
    )
    assert [one.algorithm for one in parse_offer(text).media.dtls.fingerprints] == ["sha-256"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_served_is_refused_with_the_line_and_the_reason(name: str) -> None:
    text, line, why = REFUSED[name]
    with pytest.raises(ClientError) as refused:
        parse_offer(text)
    assert why in refused.value.message
    assert len(refused.value.message) < 200
    if line:
        number = 1 + next(at for at, one in enumerate(text.splitlines()) if one.startswith(line))
        assert f"line {number}: " in refused.value.message
