"""What is put on the wire comes back equal, and what is malformed is an AgentError."""

import contextlib
import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import api, wire

words = st.text(max_size=20)
pcm = st.binary(max_size=64).map(lambda raw: raw[: len(raw) // 2 * 2])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
parts = st.builds(api.TextPart, words) | st.builds(api.AudioPart, pcm, st.none() | words)
messages = st.one_of(
    st.builds(api.SystemMessage, words),
    st.builds(api.UserMessage, st.lists(parts, max_size=3).map(tuple)),
    st.builds(api.AssistantMessage, words),
    st.builds(api.ToolCallMessage, words, words, words),
    st.builds(api.ToolResultMessage, words, words),
)
tools = st.builds(api.Tool, words, words, st.dictionaries(words, json_values, max_size=3))
samplings = st.builds(
    api.Sampling,
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(0, 10**6),
    repetition_penalty=st.none() | st.floats(0, 2),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    stop=st.lists(words, max_size=3).map(tuple),
)
agent_requests = st.builds(
    api.AgentRequest,
    session_id=words,
    response_id=words,
    instructions=words,
    messages=st.lists(messages, max_size=4).map(tuple),
    modality=st.sampled_from(["audio", "text"]),
    voice=words,
    tools=st.lists(tools, max_size=2).map(tuple),
    tool_choice=words,
    max_output_tokens=st.none() | st.integers(0, 4096),
    sampling=samplings,
    truncation=st.builds(
        api.Truncation, st.none() | st.floats(0.0, 1.0), st.none() | st.integers(1, 10**6), st.booleans()
    ),
)
transcribe_requests = st.builds(api.TranscribeRequest, words, pcm, st.none() | words)
counts = st.integers(0, 10**6)
milliseconds = st.floats(0, 1e6)
events = st.one_of(
    st.builds(api.TextDelta, words),
    st.builds(api.AudioDelta, pcm, counts),
    st.builds(api.SpeechSkipped, counts, counts),
    st.builds(api.ToolCall, words, words, words),
    st.builds(api.StageDone, words, milliseconds),
    st.just(api.KeepAlive()),
    st.builds(api.PromptRead, st.builds(api.Usage, counts, counts, counts)),
    st.builds(
        api.GenerationDone,
        st.sampled_from(["stop", "max_tokens", "no_words"]),
        st.builds(api.Usage, counts, counts, counts, counts, counts),
        st.booleans(),
    ),
    st.builds(api.GenerationFailed, words, words),
)
health = st.builds(
    api.Health,
    status=st.sampled_from(["starting", "ready", "failed", "away"]),
    model=words,
    detail=words,
    voices=st.lists(words, max_size=3).map(tuple),
    transcribes=st.booleans(),
    wants_audio_history=st.booleans(),
    facts=st.dictionaries(words, words, max_size=3),
    calls_tools=st.booleans(),
    languages=st.lists(words, max_size=3).map(tuple),
    instructions_bytes_max=counts,
)


@given(agent_requests)
def test_an_agent_request_comes_back_equal(request: api.AgentRequest) -> None:
    assert wire.decode_request(wire.encode(request), api.AgentRequest) == request


@given(transcribe_requests)
def test_a_transcribe_request_comes_back_equal(request: api.TranscribeRequest) -> None:
    assert wire.decode_request(wire.encode(request), api.TranscribeRequest) == request


@given(events)
def test_an_event_comes_back_equal(event: api.AgentEvent) -> None:
    assert wire.decode_event(wire.encode(event)) == event


@given(health)
def test_health_comes_back_equal(told: api.Health) -> None:
    assert wire.decode_reply(wire.encode(told), api.Health) == told


@given(words, milliseconds)
def test_a_transcript_comes_back_equal(text: str, duration_s: float) -> None:
    transcript = api.Transcript(text, duration_s)
    assert wire.decode_reply(wire.encode(transcript), api.Transcript) == transcript


def test_a_failure_in_place_of_a_reply_is_raised_with_its_code() -> None:
    frame = wire.encode(api.GenerationFailed("agent_out_of_memory", "no room"))
    with pytest.raises(api.AgentError, match="no room") as caught:
        wire.decode_reply(frame, api.Transcript)
    assert caught.value.code == "agent_out_of_memory"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_agent_error(frame: bytes) -> None:
    with contextlib.suppress(api.AgentError):
        wire.decode_event(frame)
    with contextlib.suppress(api.AgentError):
        wire.decode_request(frame, api.AgentRequest)


@given(agent_requests, st.data())
def test_a_damaged_request_is_a_request_or_an_agent_error(
    request: api.AgentRequest, data: st.DataObject
) -> None:
    frame = bytearray(wire.encode(request))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(api.AgentError):
        assert isinstance(wire.decode_request(bytes(frame), api.AgentRequest), api.AgentRequest)


def test_nesting_without_end_is_an_agent_error() -> None:
    with pytest.raises(api.AgentError, match="malformed"):
        wire.decode_event(b"\x91" * 100_000)


def test_a_field_of_the_wrong_type_is_an_agent_error_that_quotes_nothing() -> None:
    secret = "what a person said"
    with pytest.raises(api.AgentError) as caught:
        wire.decode_event(msgspec.msgpack.encode({"is": "AudioDelta", "pcm": b"", "text_end": secret}))
    assert secret not in caught.value.message


def test_half_a_sample_is_an_agent_error() -> None:
    half = api.AgentRequest("s", "r", "", (api.UserMessage((api.AudioPart(b"abc"),)),))
    with pytest.raises(api.AgentError, match="half a sample"):
        wire.decode_request(wire.encode(half), api.AgentRequest)
    with pytest.raises(api.AgentError, match="half a sample"):
        wire.decode_request(wire.encode(api.TranscribeRequest("s", b"abc")), api.TranscribeRequest)
    with pytest.raises(api.AgentError, match="half a sample"):
        wire.decode_event(wire.encode(api.AudioDelta(b"abc", 0)))


def test_a_message_of_another_kind_is_named() -> None:
    with pytest.raises(api.AgentError, match="AgentRequest was expected, TranscribeRequest came"):
        wire.decode_request(wire.encode(api.TranscribeRequest("s", b"")), api.AgentRequest)
    with pytest.raises(api.AgentError, match="Transcript came"):
        wire.decode_event(wire.encode(api.Transcript("hello", 1.0)))


def test_a_message_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(api.AgentError, match="at most"):
        wire.decode_event(wire.encode(api.TextDelta("x" * wire.MAX_EVENT_BYTES)))


@pytest.mark.parametrize("schema", [{"a": object()}, {"a": 2**70}, {"a": "\ud800"}])
def test_what_cannot_be_written_is_an_agent_error(schema: dict[str, object]) -> None:
    request = api.AgentRequest("s", "r", "", (), tools=(api.Tool("t", "", schema),))
    with pytest.raises(api.AgentError, match="AgentRequest cannot be sent"):
        wire.encode(request)


def test_every_dataclass_of_the_contract_is_on_the_wire() -> None:
    kinds = [kind for kind in vars(api).values() if isinstance(kind, type)]
    contract = {kind for kind in kinds if dataclasses.is_dataclass(kind)}
    assert contract == set(wire._structs)
