"""Server-sent events as the standard has them, wherever the network cuts them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engine.chat_server.event_stream import EVENT_BYTES_MAX, EventStream, ServerSentEvent

STREAMS = {
    "line feeds": (b"data: a\n\ndata: b\n\n", ["a", "b"]),
    "carriage returns": (b"data: a\r\rdata: b\r\r", ["a", "b"]),
    "both": (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
    "mixed": (b"data: a\r\n\ndata: b\n\r\n", ["a", "b"]),
    "several lines": (b"data: a\ndata: b\n\n", ["a\nb"]),
    "several lines with both": (b"data: a\r\ndata: b\r\n\r\n", ["a\nb"]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
    "byte order mark within": (b"data: \xef\xbb\xbfa\n\n", ["\ufeffa"]),
    "empty data": (b"data:\n\ndata: \n\ndata\n\ndata: a\n\n", ["a"]),
    "comments": (b": x\n\ndata: a\n:y\ndata: b\n\n", ["a\nb"]),
    "one space": (b"data:a\n\ndata:  b\n\n", ["a", " b"]),
    "no data": (b"event: ping\n\nid: 1\n\n\n\nretry: 10\n\ndata: a\n\n", ["a"]),
    "never completed": (b"data: a\n\ndata: b\n", ["a"]),
    "cut off": (b"data: a\n\ndata: b", ["a"]),
    "other line ends": ("data: a\u2028b\x0bc\x85d\n\n".encode(), ["a\u2028b\x0bc\x85d"]),
    "characters of several bytes": ("data: 😀é漢\n\n".encode(), ["😀é漢"]),
    "no UTF-8": (b"data: a\xffb\n\n", ["a\ufffdb"]),
    "other fields": (b"foo: 1\n data: x\ndata : y\ndata: a\n\n", ["a"]),
}


@pytest.mark.parametrize(("body", "expected"), STREAMS.values(), ids=STREAMS)
def test_events_are_read_as_the_standard_says_wherever_they_are_cut(body: bytes, expected: list[str]) -> None:
    for cut in range(len(body) + 1):
        stream = EventStream()
        events = stream.feed(body[:cut]) + stream.feed(body[cut:])
        assert [event.data for event in events] == expected, f"cut at {cut}"


@given(
    st.lists(st.sampled_from(["data: a", "data", ": hm", "event: error", "", "é"]), max_size=12),
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_cuts_change_nothing(lines: list[str], line_end: str, cuts: list[int]) -> None:
    body = "".join(line + line_end for line in lines).encode()
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    stream = EventStream()
    pieces = [body[a:b] for a, b in itertools.pairwise(places)]
    assert [event for piece in pieces for event in stream.feed(piece)] == EventStream().feed(body)


def test_an_event_keeps_its_name_and_the_next_has_none() -> None:
    events = EventStream().feed(b"event: error\ndata: a\n\ndata: b\n\n")
    assert events == [ServerSentEvent("a", "error"), ServerSentEvent("b")]


def test_a_line_ends_at_its_carriage_return_though_nothing_follows() -> None:
    stream = EventStream()
    assert stream.feed(b"data: a\r\r") == [ServerSentEvent("a")]
    assert stream.feed(b"\n") == []


@pytest.mark.parametrize(
    "endless", [b"data: " + b"x" * EVENT_BYTES_MAX, b"data: x\n" * (EVENT_BYTES_MAX // 7 + 1)]
)
def test_an_event_without_an_end_is_refused(endless: bytes) -> None:
    with pytest.raises(ValueError, match="without an end"):
        EventStream().feed(endless)
