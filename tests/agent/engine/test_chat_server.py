"""The chat protocol against a real server on loopback: streams, tools, faults, closing."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agent.api import AgentError, Sampling, TextDelta, TextPart, Tool, ToolCall, Usage, UserMessage
from agent.engine.base import EngineDelta, EngineDone, EngineRequest
from agent.engine.chat_server import ChatServer

ASKED = EngineRequest("c", "Be kind.", (UserMessage((TextPart("Hi"),)),))
Answer = Callable[[Request, dict[str, Any]], Response]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    async def complete(request: Request) -> Response:
        return answer(request, await request.json())

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        app = Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        )
        serve = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serve


def _stream(*chunks: dict[str, Any] | str) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        yield ": a comment\n\n"
        for chunk in chunks:
            yield f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\r\n\r\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


async def _deltas(url: str, request: EngineRequest = ASKED, **options: Any) -> list[EngineDelta]:
    engine = ChatServer(url, "m", **options)
    try:
        return [delta async for delta in engine.generate(request)]
    finally:
        await engine.aclose()


async def test_text_streams_and_usage_is_told() -> None:
    seen: list[Any] = []

    def answer(request: Request, body: dict[str, Any]) -> Response:
        seen.append((request.headers["authorization"], body))
        usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}
        return _stream(
            _delta({"role": "assistant", "content": ""}),
            _delta({"content": "Hel"}),
            _delta({"content": "lo é"}, "stop"),
            {"choices": [], "usage": usage},
            "[DONE]",
        )

    async with serving(answer) as url:
        deltas = await _deltas(f"{url}/v1/", key="secret")
    assert deltas == [TextDelta("Hel"), TextDelta("lo é"), EngineDone("stop", Usage(7, 0, 5, 2))]
    [(authorization, body)] = seen
    assert authorization == "Bearer secret"
    assert body["messages"][-1] == {"role": "user", "content": "Hi"}
    assert body["model"] == "m"
    assert "tools" not in body


async def test_arguments_of_tool_calls_come_in_pieces() -> None:
    seen: list[dict[str, Any]] = []

    def answer(_: Request, body: dict[str, Any]) -> Response:
        seen.append(body)
        return _stream(
            _delta(
                {
                    "tool_calls": [
                        {"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"ci'}}
                    ]
                }
            ),
            _delta({"tool_calls": [{"index": 0, "function": {"arguments": 'ty": "Rome"}'}}]}),
            _delta({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "clock"}}]}, "tool_calls"),
            "[DONE]",
        )

    tool = Tool("weather", "Tells it.", {"type": "object"})
    async with serving(answer) as url:
        deltas = await _deltas(
            url, EngineRequest("c", "", ASKED.messages, (tool,), tool_choice="weather", max_tokens=9)
        )
    assert deltas[:2] == [ToolCall("a", "weather", '{"city": "Rome"}'), ToolCall("b", "clock", "{}")]
    assert seen[0]["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert seen[0]["tools"][0]["function"]["name"] == "weather"
    assert seen[0]["max_tokens"] == 9


async def test_sampling_is_sent_as_far_as_it_was_asked_for() -> None:
    seen: list[dict[str, Any]] = []

    def answer(_: Request, body: dict[str, Any]) -> Response:
        seen.append(body)
        return _stream(_delta({"content": "Hi"}, "stop"), "[DONE]")

    async with serving(answer) as url:
        asked = Sampling(0.0, 0.9, 20, 1.1, 7, ("\n", "END"))
        await _deltas(url, replace(ASKED, sampling=asked))
        await _deltas(url, replace(ASKED, sampling=Sampling(temperature=0.5)))
        await _deltas(url)
    names = ("temperature", "top_p", "top_k", "repetition_penalty", "seed", "stop")
    assert [{name: body[name] for name in names if name in body} for body in seen] == [
        {
            "temperature": 0.0,
            "top_p": 0.9,
            "top_k": 20,
            "repetition_penalty": 1.1,
            "seed": 7,
            "stop": ["\n", "END"],
        },
        {"temperature": 0.5},
        {},
    ]


async def test_an_answer_cut_at_its_limit_says_so() -> None:
    async with serving(lambda *_: _stream(_delta({"content": "Once"}, "length"), "[DONE]")) as url:
        assert (await _deltas(url))[-1] == EngineDone("max_tokens", Usage())


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "agent_error"),
        (404, "agent_error"),
        (429, "agent_overloaded"),
        (503, "agent_overloaded"),
        (504, "agent_timeout"),
    ],
)
async def test_a_refusal_has_the_right_code_and_tells_no_words(status: int, code: str) -> None:
    async with serving(lambda *_: JSONResponse({"error": "you said Hi"}, status)) as url:
        with pytest.raises(AgentError) as failure:
            await _deltas(url)
    assert failure.value.code == code
    assert str(status) in failure.value.message
    assert "you said" not in failure.value.message


@pytest.mark.parametrize(
    "chunk", ["{not json", "[1]", '{"choices": 3}', '{"choices": [{"delta": {"tool_calls": [3]}}]}']
)
async def test_a_chunk_that_cannot_be_read_is_an_agent_error(chunk: str) -> None:
    async with serving(lambda *_: _stream(chunk)) as url:
        with pytest.raises(AgentError, match="cannot be read"):
            await _deltas(url)


async def test_a_stream_that_breaks_off_is_not_taken_for_a_whole_answer() -> None:
    async with serving(lambda *_: _stream(_delta({"content": "Half an"}))) as url:
        with pytest.raises(AgentError) as failure:
            await _deltas(url)
    assert failure.value.code == "agent_unavailable"


async def test_an_error_within_the_stream_is_told() -> None:
    async with serving(lambda *_: _stream({"error": {"message": "Hi is too long"}})) as url:
        with pytest.raises(AgentError, match="broke the answer off with an error"):
            await _deltas(url)


@pytest.mark.parametrize(
    "url", ["localhost:11434/v1", "http://", "http://host:port/v1", "ftp://host/v1", "qwen"]
)
def test_what_is_no_address_is_refused_before_anybody_asks(url: str) -> None:
    with pytest.raises(ValueError, match="expected an address like"):
        ChatServer(url, "m")


async def test_nobody_there_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and listening to nobody
        with pytest.raises(AgentError) as failure:
            await _deltas(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert failure.value.code == "agent_unavailable"


async def test_a_server_that_falls_silent_times_out() -> None:
    never = asyncio.Event()

    async def silence() -> AsyncIterator[str]:
        yield "data: " + json.dumps(_delta({"content": "Well"})) + "\n\n"
        await never.wait()

    async with serving(lambda *_: StreamingResponse(silence())) as url:
        with pytest.raises(AgentError) as failure:
            await _deltas(url, silence_timeout_s=0.1)
        never.set()
    assert failure.value.code == "agent_timeout"


async def test_closing_the_answer_closes_the_stream() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                yield "data: " + json.dumps(_delta({"content": "and "})) + "\n\n"
                await asyncio.sleep(0)
        finally:
            closed.set()

    async with serving(lambda *_: StreamingResponse(endless())) as url:
        engine = ChatServer(url, "m")
        answer = engine.generate(ASKED)
        assert await anext(answer) == TextDelta("and ")
        await answer.aclose()
        await closed.wait()
        await engine.aclose()
