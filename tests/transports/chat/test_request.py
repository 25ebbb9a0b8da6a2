"""The body of a chat completion: what each field becomes, and what is said of one that cannot be used."""

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.api import (
    AssistantMessage,
    AudioPart,
    Sampling,
    SystemMessage,
    TextPart,
    Tool,
    ToolCallMessage,
    ToolResultMessage,
    UserMessage,
)
from realtime.errors import ClientError
from realtime.transports.chat.request import TEXT_CHARS_MAX, ChatRequest, parse_chat

HELLO = {"role": "user", "content": "Hello."}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}


def wav(seconds: float, hz: int = 16_000) -> bytes:
    sound = (8_000 * np.sin(np.arange(int(seconds * hz)) / 20)).astype("<i2").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, hz, 2 * hz, 2, 16)
    chunks = form + struct.pack("<4sI", b"data", len(sound)) + sound
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks


def clip(file: bytes, kind: Any = "wav") -> dict[str, Any]:
    audio = {"data": base64.b64encode(file).decode(), "format": kind}
    return {"type": "input_audio", "input_audio": audio}


def said(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def parse(messages: Any = (HELLO,), **fields: Any) -> ChatRequest:
    return parse_chat(json.dumps({"messages": messages, **fields}).encode())


# What is understood ---------------------------------------------------------------------


def test_a_plain_question() -> None:
    chat = parse(model="anything")
    assert chat.messages == (UserMessage((TextPart("Hello."),)),)
    assert (chat.model, chat.instructions, chat.sampling) == ("anything", "", Sampling())
    assert not chat.streams
    request = chat.for_agent("r")
    assert (request.modality, request.max_output_tokens, request.tool_choice) == ("text", None, "auto")


def test_what_stands_before_the_conversation_is_its_instructions() -> None:
    later = {"role": "system", "content": "Now in French."}
    system = {"role": "system", "content": "Be brief."}
    developer = {
        "role": "developer",
        "content": [{"type": "text", "text": "Be"}, {"type": "text", "text": "kind."}],
    }
    chat = parse([system, developer, HELLO, later])
    assert chat.instructions == "Be brief.\n\nBe\nkind."
    assert chat.messages == (UserMessage((TextPart("Hello."),)), SystemMessage("Now in French."))


def test_audio_and_text_keep_their_order() -> None:
    text = [{"type": "text", "text": word} for word in ("What is", "and what is")]
    chat = parse(said(text[0], clip(wav(0.5)), text[1], clip(wav(1.0, 24_000)), clip(wav(0.25, 48_000))))
    [message] = chat.messages
    assert isinstance(message, UserMessage)
    shape = [part.text if isinstance(part, TextPart) else len(part.pcm) for part in message.parts]
    assert shape == ["What is", 16_000, "and what is", 32_000, 8_000]
    assert all(part.transcript is None for part in message.parts if isinstance(part, AudioPart))
    assert chat.audio_s == pytest.approx(1.75)


def test_a_clip_at_the_agents_rate_is_not_changed() -> None:
    file = wav(0.5)
    [message] = parse(said(clip(file))).messages
    assert message == UserMessage((AudioPart(file[44:]),))


def test_a_conversation_with_tools() -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "c2"}]}
    chat = parse(
        [
            HELLO,
            {"role": "assistant", "content": "One moment."},
            calls,
            {"role": "tool", "tool_call_id": "c1", "content": "rain"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "sun"}]},
        ],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )
    assert chat.messages[1:] == (
        AssistantMessage("One moment."),
        ToolCallMessage("c1", "weather", "{}"),
        ToolCallMessage("c2", "weather", "{}"),
        ToolResultMessage("c1", "rain"),
        ToolResultMessage("c2", "sun"),
    )
    assert chat.tools == (Tool("weather", "", {"type": "object"}),)
    assert chat.tool_choice == "weather"


def test_how_tokens_are_chosen() -> None:
    chat = parse(
        temperature=0, top_p=1, top_k=5, repetition_penalty=1.1, seed=-3, stop="END", max_tokens=7, n=1
    )
    assert chat.sampling == Sampling(0.0, 1.0, 5, 1.1, -3, ("END",))
    assert chat.max_tokens == 7
    assert parse(max_tokens=7, max_completion_tokens=8).max_tokens == 8
    assert parse(stop=["a", "b"], top_k=-1).sampling == Sampling(top_k=0, stop=("a", "b"))


def test_null_is_the_default() -> None:
    names = [
        "model",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "repetition_penalty",
        "seed",
        "stop",
        "n",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "response_format",
        "modalities",
        "functions",
    ]
    assert parse(**dict.fromkeys(names)) == parse()


def test_what_has_no_effect_here_is_taken_all_the_same() -> None:
    ignored = {
        "frequency_penalty": 1,
        "presence_penalty": 1,
        "logit_bias": {"1": 2},
        "logprobs": True,
        "top_logprobs": 3,
        "user": "u",
        "metadata": {"a": "b"},
        "store": True,
        "service_tier": "auto",
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "verbosity": "low",
        "prediction": {},
        "audio": {"voice": "alloy", "format": "wav"},
        "chat_template_kwargs": {},
        "response_format": {"type": "text"},
        "modalities": ["text"],
    }
    assert parse([{**HELLO, "name": "Ada"}], **ignored) == parse()


# What is refused ------------------------------------------------------------------------

OK_DATA = base64.b64encode(wav(0.2)).decode()


def audio(**fields: Any) -> list[dict[str, Any]]:
    return said({"type": "input_audio", "input_audio": {"data": OK_DATA, "format": "wav"} | fields})


@pytest.mark.parametrize(
    ("fields", "param", "told"),
    [
        ({"messages": None}, "messages", "Missing"),
        ({"messages": []}, "messages", "not empty, got a list of 0"),
        ({"messages": "Hello"}, "messages", "list of objects"),
        ({"messages": ["Hello"]}, "messages[0]", "expected an object, got 'Hello'"),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "Missing"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role", "'tool', got 'function'"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "Missing"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "a string, got 5"),
        ({"messages": said()}, "messages[0].content", "not empty"),
        ({"messages": said({"text": "x"})}, "messages[0].content[0].type", "Missing"),
        ({"messages": said({"type": "image_url"})}, "messages[0].content[0].type", "got 'image_url'"),
        ({"messages": said({"type": "text"})}, "messages[0].content[0].text", "Missing"),
        ({"messages": said({"type": "input_audio"})}, "messages[0].content[0].input_audio", "Missing"),
        ({"messages": audio(format=None)}, "messages[0].content[0].input_audio.format", "Missing"),
        ({"messages": audio(format="wma")}, "messages[0].content[0].input_audio.format", "'wav' or 'mp3'"),
        ({"messages": audio(format=["wav"])}, "messages[0].content[0].input_audio.format", "got a list of 1"),
        ({"messages": audio(data=None)}, "messages[0].content[0].input_audio.data", "Missing"),
        ({"messages": audio(data="%%%%")}, "messages[0].content[0].input_audio.data", "base64"),
        ({"messages": audio(data=OK_DATA[:-1])}, "messages[0].content[0].input_audio.data", "base64"),
        ({"messages": audio(data="é" * 4)}, "messages[0].content[0].input_audio.data", "base64"),
        (
            {"messages": audio(data="AAAA")},
            "messages[0].content[0].input_audio.data",
            "not a file of the format wav",
        ),
        ({"messages": audio(format="mp3")}, "messages[0].content[0].input_audio.data", "format mp3"),
        ({"messages": said(clip(wav(0.099)))}, "messages[0].content[0].input_audio.data", "at least 100 ms"),
        ({"messages": said(clip(wav(0)))}, "messages[0].content[0].input_audio.data", "holds no sound"),
        ({"messages": said(clip(wav(601, 1_000)))}, "messages[0].content[0].input_audio.data", "600 seconds"),
        (
            {"messages": said(*[clip(wav(350, 1_000))] * 2)},
            "messages[0].content[1].input_audio.data",
            "600 seconds of sound in all",
        ),
        (
            {"messages": [{"role": "system", "content": [clip(wav(0.2))]}]},
            "messages[0].content[0].type",
            "'text', got 'input_audio'",
        ),
        ({"messages": [{"role": "assistant"}]}, "messages[0].content", "Missing"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]},
            "messages[0].tool_calls[0].id",
            "Missing",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "Missing"),
        (
            {"messages": [{"role": "tool", "tool_call_id": "c1", "content": "x"}]},
            "messages[0].tool_call_id",
            "in an assistant's message before",
        ),
        ({"model": 5}, "model", "a string, got 5"),
        ({"stream": "yes"}, "stream", "true or false, got 'yes'"),
        ({"stream_options": True}, "stream_options", "an object, got true"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage", "true or false"),
        ({"n": 2}, "n", "expected 1"),
        ({"modalities": ["text", "audio"]}, "modalities", "/v1/realtime"),
        ({"response_format": {"type": "json_object"}}, "response_format", "{'type': 'text'}"),
        ({"functions": []}, "functions", "'tools'"),
        ({"temperature": 2.1}, "temperature", "a number from 0 to 2, got 2.1"),
        ({"temperature": "hot"}, "temperature", "got 'hot'"),
        ({"temperature": True}, "temperature", "got true"),
        ({"top_p": 0}, "top_p", "a number above 0 to 1"),
        ({"top_k": -2}, "top_k", "from -1"),
        ({"top_k": 1.5}, "top_k", "a whole number"),
        ({"repetition_penalty": 0}, "repetition_penalty", "above 0"),
        ({"seed": 2**63}, "seed", "got a number beyond 64 bits"),
        ({"max_tokens": 0}, "max_tokens", "from 1"),
        ({"max_completion_tokens": True}, "max_completion_tokens", "got true"),
        ({"stop": ""}, "stop", "not empty"),
        ({"stop": ["a", 5]}, "stop", "got a list of 2"),
        ({"stop": ["a"] * 17}, "stop", "up to 16"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type", "'function', got 'custom'"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "Missing"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "got null"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters",
            "a JSON schema",
        ),
        ({"tool_choice": "required"}, "tool_choice", "names no tool"),
        ({"tool_choice": "any"}, "tool_choice", "got 'any'"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "f"}}},
            "tool_choice",
            "names no tool",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_field_that_cannot_be_used_is_named(fields: dict[str, Any], param: str, told: str) -> None:
    with pytest.raises(ClientError) as refused:
        parse(**{"messages": [HELLO], **fields})
    assert refused.value.param == param
    assert told in refused.value.message


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"messages":' * 5_000])
def test_what_is_no_json_object_is_told(body: bytes) -> None:
    with pytest.raises(ClientError, match="JSON") as refused:
        parse_chat(body)
    assert (refused.value.code, refused.value.param) == ("invalid_json", None)


def test_text_beyond_all_contexts_is_refused() -> None:
    half = {"role": "user", "content": "x" * (TEXT_CHARS_MAX // 2)}
    parse([half, half])
    with pytest.raises(ClientError) as refused:
        parse([half, half, HELLO])
    assert refused.value.param == "messages[2].content"


def test_a_refusal_quotes_nothing_long() -> None:
    secret = "what a person said, and would not want to read in anybody's list of errors"
    with pytest.raises(ClientError) as refused:
        parse([{"role": secret, "content": secret}])
    assert secret not in refused.value.message


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
fields = st.sampled_from(
    [
        "role",
        "content",
        "type",
        "text",
        "input_audio",
        "data",
        "format",
        "tool_calls",
        "tool_call_id",
        "id",
        "function",
        "name",
        "arguments",
    ]
)
known = st.sampled_from(
    ["user", "assistant", "tool", "system", "text", "input_audio", "function", "wav", "flac"]
)
messages = st.recursive(
    known | plain,
    lambda inner: st.dictionaries(fields, inner, max_size=5) | st.lists(inner, min_size=1, max_size=3),
    max_leaves=12,
)
tops = st.sampled_from(
    [
        "model",
        "stream",
        "stream_options",
        "n",
        "modalities",
        "response_format",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "stop",
        "max_tokens",
        "repetition_penalty",
        "tools",
        "tool_choice",
        "functions",
    ]
)


@given(st.lists(messages, max_size=3) | messages, st.dictionaries(tops, values, max_size=3))
def test_any_body_is_a_request_or_a_refusal(said: Any, more: dict[str, Any]) -> None:
    try:
        chat = parse_chat(json.dumps({"messages": said, **more}).encode())
    except ClientError as refused:
        assert refused.message
    else:
        assert chat.for_agent("r").modality == "text"
