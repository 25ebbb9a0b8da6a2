"""Descriptions are read line by line, and what nobody needs does no harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.transports.webrtc.description import Description, MalformedDescription, parse_description

TEXT = """v=0
o=- 1 2 IN IP4 127.0.0.1
a=group:BUNDLE 0 1
a=ice-ufrag:all
a=recvonly
m=audio 9/2 UDP/TLS/RTP/SAVPF 0 111
a=mid:0
a=rtpmap:111 opus/48000/2
a=fmtp:111 stereo=1
a=sendonly
m=video 0 UDP/TLS/RTP/SAVPF 96
a=mid: 1 x
a=bundle-only
a=ice-ufrag:its own
"""


def test_sections_have_their_lines_and_attributes() -> None:
    audio, video = parse_description(TEXT).sections
    assert (audio.line, audio.kind, audio.port, audio.profile) == (6, "audio", 9, "UDP/TLS/RTP/SAVPF")
    assert (audio.formats, audio.mid, audio.direction) == (("0", "111"), "0", "sendonly")
    assert (audio.about("rtpmap", "111"), audio.about("fmtp", "111")) == ("opus/48000/2", "stereo=1")
    assert (audio.about("rtpmap", "0"), audio.about("fmtp", "0")) == ("PCMU/8000", "")
    assert (audio.about("rtpmap", "11"), audio.about("rtpmap", "8")) == ("", "PCMA/8000")
    assert (video.mid, video.direction, video.is_disabled) == ("1", "recvonly", False)
    assert [section.word("ice-ufrag") for section in (audio, video)] == ["all", "its"]
    first = video.first("ice-ufrag")
    assert first is not None
    assert (first.line, first.value) == (14, "its own")


def test_a_group_is_in_the_order_in_which_it_is_named() -> None:
    description = parse_description(TEXT.replace("BUNDLE 0 1", "BUNDLE 1 2 0"))
    audio, video = description.sections
    assert description.bundled_with(audio) == [video, audio]
    alone = parse_description(TEXT.replace("BUNDLE 0 1", "LS 0 1"))
    assert alone.bundled_with(alone.sections[0]) == [alone.sections[0]]


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("\n\nx", 3), ("v=1", 1), ("v=0\nm=audio", 2), ("v=0\na=x\nm=audio 9 x \n", 3)],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(MalformedDescription) as refused:
        parse_description(text)
    assert refused.value.line == line


@given(st.lists(st.one_of(st.sampled_from(TEXT.splitlines()), st.text(max_size=30)), max_size=12))
def test_any_lines_are_read_or_refused(lines: list[str]) -> None:
    try:
        description = parse_description("\n".join(["v=0", *lines]))
    except MalformedDescription:
        return
    assert isinstance(description, Description)
    for section in description.sections:
        assert section in description.bundled_with(section)
        assert not section.mid.split()[1:]
