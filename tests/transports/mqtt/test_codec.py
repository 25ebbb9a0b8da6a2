"""Topics, frames and events of devices: what is read, and what is refused with which words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import InvalidEvent
from realtime.protocol.events import ResponseCreate
from realtime.transports.mqtt.codec import (
    AUDIO_BYTES_MAX,
    Address,
    Frame,
    OfServer,
    Played,
    Start,
    Topics,
    read_audio,
    read_event,
    read_frame,
    read_volume,
    write_frame,
)
from realtime.transports.mqtt.membership import Kind

TOPICS = Topics("parlour/v1")
WORDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def test_a_topic_is_read_as_it_is_written() -> None:
    assert TOPICS.address(TOPICS.up("kitchen", "audio")) == Address("kitchen", "audio")
    assert TOPICS.address(TOPICS.up("kitchen", "lamp")) == Address("kitchen", None)


@pytest.mark.parametrize(
    "topic",
    [
        "parlour/v1/server",
        "parlour/v1/kitchen/down/event",
        "parlour/v1/kitchen/up",
        "parlour/v1/kitchen/up/event/x",
        "parlour/v2/kitchen/up/event",
        "parlour/v1//up/event",
        "parlour/v1/a\tb/up/event",
        f"parlour/v1/{'x' * 65}/up/event",
        "parlour/v1/server/0123456789abcdef",
        "parlour/v1/server/0123456789abcdef/device/kitchen",
    ],
)
def test_what_is_no_devices_topic_has_no_address(topic: str) -> None:
    assert TOPICS.address(topic) is None


@pytest.mark.parametrize(
    "name", ["AA:BB:CC:DD:EE:FF", "living room", "sat.1", "Küche", "x" * 64, "server", "$up", "{kitchen}"]
)
def test_a_device_may_have_any_name_that_a_topic_can_hold(name: str) -> None:
    assert TOPICS.address(f"parlour/v1/{name}/up/event") == Address(name, "event")
    assert TOPICS.unusable_name(f"parlour/v1/{name}/up/event") is None


@pytest.mark.parametrize("name", ["", "x" * 65, "a\tb", "a\x7fb"])
def test_a_name_that_cannot_be_used_is_known_so_that_it_can_be_told(name: str) -> None:
    assert TOPICS.unusable_name(f"parlour/v1/{name}/up/event") == name
    assert TOPICS.unusable_name(f"parlour/v1/{name}/down/event") is None


def test_what_servers_say_is_read_as_it_is_written() -> None:
    server = "0123456789abcdef"
    assert TOPICS.of_server(TOPICS.presence(server)) == OfServer(server)
    for kind, name in CLAIMED:
        assert TOPICS.of_server(TOPICS.claim(server, kind, name)) == OfServer(server, kind, name)
    for other in (TOPICS.server, TOPICS.up("server", "event"), f"{TOPICS.server}/me", TOPICS.server + "/"):
        assert TOPICS.of_server(other) is None


CLAIMED: list[tuple[Kind, str]] = [("device", "kitchen"), ("site", "living room"), ("site", "device")]


@given(st.text(max_size=60))
def test_any_topic_has_an_address_or_none(topic: str) -> None:
    for whole in (topic, f"parlour/v1/{topic}", f"parlour/v1/{topic}/up/event"):
        address = TOPICS.address(whole)
        if address is not None and address.channel is not None:
            assert TOPICS.up(address.device, address.channel) == whole


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=100).filter(lambda b: len(b) % 2 == 0),
)
def test_a_frame_is_read_as_it_is_written(answer: int, offset: int, pcm: bytes) -> None:
    assert read_frame(write_frame(Frame(answer, offset, pcm))) == Frame(answer, offset, pcm)


def test_a_frame_lies_in_bytes_as_the_page_says() -> None:
    assert write_frame(Frame(1, 960, b"\xaa\xbb")) == bytes.fromhex("01000000c0030000aabb")


@given(st.binary(max_size=200))
def test_sound_is_whole_samples_or_refused(payload: bytes) -> None:
    if payload and len(payload) % 2 == 0:
        assert read_audio(payload) == payload
    else:
        with pytest.raises(InvalidEvent):
            read_audio(payload)


def test_more_than_two_seconds_at_once_are_refused() -> None:
    assert read_audio(bytes(AUDIO_BYTES_MAX))
    with pytest.raises(InvalidEvent) as refused:
        read_audio(bytes(AUDIO_BYTES_MAX + 2))
    assert refused.value.code == "invalid_audio"


def test_a_devices_own_events_are_read() -> None:
    assert read_event(b'{"type": "parlour.start"}') == Start()
    played = b'{"type": "parlour.played", "answer": 3, "played_ms": 200}'
    assert read_event(played) == Played(answer=3, played_ms=200)


def test_any_event_of_the_protocol_may_be_sent() -> None:
    assert isinstance(read_event(b'{"type": "response.create"}'), ResponseCreate)


def test_what_is_wrong_is_named_with_the_devices_own_event_id() -> None:
    with pytest.raises(InvalidEvent) as refused:
        read_event(b'{"type": "parlour.played", "answer": "one", "played_ms": 0, "event_id": "mine"}')
    assert refused.value.event_id == "mine"
    assert refused.value.param == "answer"


@given(st.binary(max_size=300) | WORDS.map(lambda value: json.dumps(value).encode()))
def test_anything_is_read_or_refused_and_nothing_else(payload: bytes) -> None:
    try:
        read_event(payload)
    except InvalidEvent as refused:
        assert refused.code
        assert refused.message


@given(
    st.sampled_from(["parlour.start", "parlour.played", "session.update"]),
    st.dictionaries(
        st.sampled_from(["session", "answer", "played_ms", "push_to_talk", "event_id"]), WORDS, max_size=4
    ),
)
def test_any_event_of_a_known_kind_is_read_or_refused(kind: str, rest: dict[str, object]) -> None:
    try:
        read_event(json.dumps({**rest, "type": kind}).encode())
    except InvalidEvent as refused:
        assert refused.code


@pytest.mark.parametrize("payload", [b"", b"-1", b"101", b"050", b"1.5", b"\xb2", b"100\n"])
def test_a_volume_is_a_whole_number_to_a_hundred(payload: bytes) -> None:
    with pytest.raises(InvalidEvent):
        read_volume(payload)
    assert [read_volume(str(value).encode()) for value in (0, 7, 100)] == [0, 7, 100]
