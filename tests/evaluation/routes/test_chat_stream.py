"""A streamed answer is the model's own text, wherever the bytes are cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.routes.chat_stream import ChatStream, StreamError


def _body(*chunks: object, done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def _delta(text: str, finish_reason: str | None = None) -> dict[str, object]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish_reason}]}


def _read(body: bytes, *cuts: int) -> ChatStream:
    stream = ChatStream()
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(edges):
        stream.feed(body[start:end])
    stream.finish()
    return stream


ANSWER = _body(
    _delta(" <think>it</think> 你好 "),
    _delta("é\n"),
    _delta("", "length"),
    {"choices": [], "usage": {"completion_tokens": 7}},
)


@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_text_ending_and_tokens_are_the_same_wherever_it_is_cut(cuts: list[int]) -> None:
    stream = _read(ANSWER, *cuts)
    assert (stream.text, stream.finish_reason) == (" <think>it</think> 你好 é\n", "length")
    assert stream.output_tokens == 7


def test_a_server_that_does_not_stream_is_read_too() -> None:
    whole = {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}
    assert _read(json.dumps(whole).encode(), 5).text == "yes"


def test_a_raw_completion_is_read_too() -> None:
    chunks = ({"choices": [{"text": "ye"}]}, {"choices": [{"text": "s", "finish_reason": "stop"}]})
    assert _read(_body(*chunks)).text == "yes"


def test_thoughts_that_a_server_keeps_apart_are_no_answer() -> None:
    assert _read(_body({"choices": [{"delta": {"reasoning_content": "hm"}}]}, _delta("yes"))).text == "yes"


@pytest.mark.parametrize(
    "body",
    [
        _body(_delta("half an answer"), done=False),
        b"",
        _body(_delta("yes"), {"error": {"message": "out of memory"}}),
        b"event: error\ndata: out of memory\n\n",
        b"data: {not json\n\n",
        b"data: []\n\n",
        b'{"choices": 1',
    ],
    ids=str,
)
def test_what_is_no_whole_answer_is_none(body: bytes) -> None:
    with pytest.raises(StreamError):
        _read(body)
