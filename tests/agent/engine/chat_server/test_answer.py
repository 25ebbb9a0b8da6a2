"""A body becomes an answer: the same one wherever it is cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.api import AgentError, Usage
from agent.engine.base import EngineDone
from agent.engine.chat_server.answer import Answer
from agent.engine.chat_server.event_stream import EVENT_BYTES_MAX
from agent.engine.chat_server.tool_calls import PartialCall

Heard = tuple[str, list[PartialCall], EngineDone]
DONE = "[DONE]"


def sse(*chunks: dict[str, Any] | str) -> bytes:
    return b"".join(f"data: {c if isinstance(c, str) else json.dumps(c)}\n\n".encode() for c in chunks)


def delta(content: object = None, finish: str | None = None, **rest: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content, **rest}, "finish_reason": finish}]}


def read(*pieces: bytes) -> Heard:
    answer = Answer(frozenset({"weather"}))
    text = "".join(map(answer.feed, pieces)) + answer.finish()
    return text, answer.calls(), answer.done()


STOP = EngineDone("stop", Usage())
PARIS = '{"city": "Paris"}'
WEATHER = {"id": "a", "function": {"name": "weather", "arguments": PARIS}}
BODIES: dict[str, tuple[bytes, Heard]] = {
    "text": (sse(delta("Hel"), delta("lo", "stop"), DONE), ("Hello", [], STOP)),
    "done without a reason": (sse(delta("Hello"), DONE), ("Hello", [], STOP)),
    "a reason without done": (sse(delta("Hello"), delta("", "stop")), ("Hello", [], STOP)),
    "a reason in each chunk": (sse(delta("Hel", "stop"), delta("lo", "stop"), DONE), ("Hello", [], STOP)),
    "cut at the limit": (sse(delta("Hel", "length"), DONE), ("Hel", [], EngineDone("max_tokens", Usage()))),
    "parts": (
        sse(
            delta([{"type": "thinking", "thinking": [{"type": "text", "text": "Pizza."}]}]),
            delta(
                [{"type": "text", "text": "Hel"}, {"type": "output_text", "text": "lo"}, {"type": "image"}],
                "stop",
            ),
        ),
        ("Hello", [], STOP),
    ),
    "thoughts beside": (
        sse(delta(None, reasoning="Pizza."), delta(None, reasoning_content="Pizza."), delta("Hello", "stop")),
        ("Hello", [], STOP),
    ),
    "thoughts within": (
        sse(delta("<thi"), delta("nk>Pizza.</think>\n"), delta("Hello", "stop")),
        ("Hello", [], STOP),
    ),
    "a refusal": (sse(delta(None, refusal="I cannot."), delta("", "stop")), ("I cannot.", [], STOP)),
    "half a character in each chunk": (
        b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n'
        b'data: {"choices":[{"delta":{"content":"\\ude00"},"finish_reason":"stop"}]}\n\n',
        ("😀", [], STOP),
    ),
    "what looks like a mark at the end": (sse(delta("1 <"), delta("", "stop"), DONE), ("1 <", [], STOP)),
    "another choice": (
        sse(
            {
                "choices": [
                    {"index": 0, "delta": {"content": "Hello"}},
                    {"index": 1, "delta": {"content": "No"}},
                ]
            },
            DONE,
        ),
        ("Hello", [], STOP),
    ),
    "pings": (
        b"event: ping\ndata: now\n\n: hm\n\n"
        + sse({}, {"choices": None}, {"choices": [{"delta": None}]}, delta("Hi", "stop")),
        ("Hi", [], STOP),
    ),
    "the whole message at last": (
        sse(delta("Hello"), {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}),
        ("Hello", [], STOP),
    ),
    "the whole message in one event": (
        sse({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}, DONE),
        ("Hello", [], STOP),
    ),
    "not streamed": (
        b"\xef\xbb\xbf\n"
        + json.dumps(
            {
                "choices": [
                    {"message": {"content": "Hello", "tool_calls": [WEATHER]}, "finish_reason": "stop"}
                ],
                "usage": {"prompt_tokens": 7, "completion_tokens": "2"},
            }
        ).encode(),
        ("Hello", [PartialCall("a", "weather", PARIS)], EngineDone("stop", Usage(7, 0, 0, 2))),
    ),
    "a call": (
        sse(delta(tool_calls=[WEATHER]), delta(None, "tool_calls"), DONE),
        ("", [PartialCall("a", "weather", PARIS)], STOP),
    ),
    "a call as it was before there were tools": (
        sse(
            delta(function_call={"name": "weather"}),
            delta(function_call={"arguments": PARIS}),
            delta(None, "stop"),
        ),
        ("", [PartialCall("", "weather", PARIS)], STOP),
    ),
    "a call within the text": (
        sse(
            delta('<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>'),
            delta("", "stop"),
        ),
        ("", [PartialCall("", "weather", PARIS)], STOP),
    ),
    "a call that the limit cut": (
        sse(
            delta(tool_calls=[{"id": "a", "function": {"name": "weather", "arguments": '{"ci'}}]),
            delta("", "length"),
        ),
        ("", [], EngineDone("max_tokens", Usage())),
    ),
    "a call that the limit cut before its arguments": (
        sse(
            delta(tool_calls=[{"index": 0, "function": {"name": "weather", "arguments": PARIS}}]),
            delta(tool_calls=[{"index": 1, "function": {"name": "weather", "arguments": ""}}]),
            delta("", "length"),
        ),
        ("", [PartialCall("", "weather", PARIS)], EngineDone("max_tokens", Usage())),
    ),
    "odd numbers": (
        sse(
            {"usage": {"prompt_tokens": "many", "completion_tokens": -1, "prompt_tokens_details": 3}},
            delta("Hi", "stop"),
        ),
        ("Hi", [], STOP),
    ),
}


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
def test_a_body_becomes_an_answer_wherever_it_is_cut(body: bytes, expected: Heard) -> None:
    assert read(*(body[at : at + 1] for at in range(len(body)))) == expected
    for cut in range(len(body) + 1):
        assert read(body[:cut], body[cut:]) == expected, f"cut at {cut}"


FAULTS = {
    "an error event": (
        sse(delta("Hel")) + b'event: error\ndata: {"message": "x"}\n\n' + sse(DONE),
        "with an error",
    ),
    "an error object": (sse(delta("Hel"), {"error": {"message": "x"}}, DONE), "with an error"),
    "an error of older servers": (sse({"object": "error", "message": "x"}), "with an error"),
    "an error as the reason": (sse(delta("Hel", "error"), DONE), "with an error"),
    "an error, not streamed": (b'{"error": {"message": "x"}}', "with an error"),
    "broken off": (sse(delta("Hel")), "broke the answer off"),
    "broken off in a line": (sse(delta("Hel")) + b'data: {"choi', "broke the answer off"),
    "nothing": (b"", "broke the answer off"),
    "no JSON": (sse("{not"), "cannot be read"),
    "no JSON, not streamed": (b'{"choices": [', "cannot be read"),
    "depths": (sse("[" * 100_000), "cannot be read"),
    "no end": (b"{" + b" " * EVENT_BYTES_MAX, "without an end"),
    "no end of a line": (b"data: " + b" " * EVENT_BYTES_MAX, "without an end"),
    "arguments that are no JSON": (
        sse(delta(tool_calls=[{"function": {"name": "weather", "arguments": "{"}}]), DONE),
        "no JSON object",
    ),
}


@pytest.mark.parametrize(("body", "sentence"), FAULTS.values(), ids=FAULTS)
def test_what_is_no_answer_is_a_failure(body: bytes, sentence: str) -> None:
    with pytest.raises(AgentError, match=sentence):
        read(body)


def test_text_is_not_held_back() -> None:
    answer = Answer()
    assert answer.feed(sse(delta("It is "))) == "It is "
    assert answer.feed(sse(delta("sunny."))) == "sunny."
    assert not answer.has_finished
    answer.feed(sse(delta("", "stop")))
    assert answer.has_finished
    assert not answer.is_over
    answer.feed(sse({"choices": [], "usage": {"prompt_tokens": 3}}, DONE))
    assert answer.is_over
    assert answer.done().usage.input_text_tokens == 3


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "content",
                    "tool_calls",
                    "function",
                    "index",
                    "id",
                    "usage",
                    "text",
                    "type",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(values)
def test_whatever_json_comes_is_read_or_an_agent_error(chunk: object) -> None:
    answer = Answer()
    try:
        answer.feed(sse(json.dumps(chunk), DONE))
        answer.finish()
        answer.calls()
        answer.done()
    except AgentError:
        pass
