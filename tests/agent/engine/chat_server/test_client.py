"""The chat protocol against a real server on loopback: streams, tools, faults, closing."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from agent.api import (
    AgentError,
    AssistantMessage,
    Health,
    KeepAlive,
    Sampling,
    TextDelta,
    TextPart,
    Tool,
    ToolCall,
    Truncation,
    Usage,
    UserMessage,
)
from agent.engine.base import EngineDelta, EngineDone, EngineRequest
from agent.engine.chat_server.client import ChatServer, Timeouts
from tests.agent.engine.chat_server.serving import Answer, serving

ASKED = EngineRequest("c", "Be kind.", (UserMessage((TextPart("Hi"),)),))
TOOLS = (Tool("weather", "Tells it.", {"type": "object"}),)


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
    ("status", "told"),
    [
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        (400, 'tool_choice="required" requires --tool-call-parser to be set'),
        (400, 'tool_choice=function "weather" requires --tool-call-parser to be set'),
        (400, "registry.ollama.ai/library/gemma:2b does not support tools"),
        (500, "tools param requires --jinja flag"),
        (404, "No endpoints found that support tool use."),
    ],
)
async def test_a_server_that_takes_no_tools_says_how_it_would(status: int, told: str) -> None:
    asked: list[dict[str, Any]] = []

    def answer(_: Request, body: dict[str, Any]) -> Response:
        asked.append(body)
        return JSONResponse({"error": {"message": told}}, status)

    async with serving(answer) as url:
        with pytest.raises(AgentError, match="--enable-auto-tool-choice") as failure:
            await _deltas(url, replace(ASKED, tools=TOOLS))
    assert failure.value.code == "invalid_value"
    assert len(asked) == 1


async def test_another_refusal_of_a_request_with_tools_is_not_taken_for_that() -> None:
    told = {"error": "'tool_calls' must be followed by tool messages"}
    async with serving(lambda *_: JSONResponse(told, 400)) as url:
        with pytest.raises(AgentError, match="refused the request"):
            await _deltas(url, replace(ASKED, tools=TOOLS))


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
            await _deltas(url, timeouts=Timeouts(silence_s=0.1))
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


async def test_a_second_call_with_a_servers_id_gets_its_own() -> None:
    call = _delta({"tool_calls": [{"id": "clock:0", "function": {"name": "clock"}}]}, "tool_calls")
    async with serving(lambda *_: _stream(call, "[DONE]")) as url:
        engine = ChatServer(url, "m")
        calls = [
            delta for _ in range(3) async for delta in engine.generate(ASKED) if isinstance(delta, ToolCall)
        ]
        await engine.aclose()
    assert calls[0].call_id == "clock:0"
    assert len({call.call_id for call in calls}) == 3


async def test_an_answer_is_over_though_its_connection_stays_open() -> None:
    never = asyncio.Event()

    async def open_ended() -> AsyncIterator[str]:
        yield "data: " + json.dumps(_delta({"content": "Well"}, "stop")) + "\n\n"
        await never.wait()

    async with serving(lambda *_: StreamingResponse(open_ended())) as url:
        deltas = await _deltas(url, timeouts=Timeouts(finish_s=0.01))
        never.set()
    assert deltas == [TextDelta("Well"), EngineDone("stop", Usage())]


async def test_a_model_that_is_silent_or_thinks_is_kept_alive() -> None:
    alive = asyncio.Event()

    async def loads() -> AsyncIterator[str]:
        await alive.wait()
        yield "data: " + json.dumps(_delta({"content": "Well"}, "stop")) + "\n\ndata: [DONE]\n\n"

    async with serving(lambda *_: StreamingResponse(loads())) as url:
        engine = ChatServer(url, "m", timeouts=Timeouts(keep_alive_s=0.01))
        async with aclosing(engine.generate(ASKED)) as answer:
            assert await anext(answer) == KeepAlive()
            assert await anext(answer) == KeepAlive()
            alive.set()
            rest = [delta async for delta in answer if delta != KeepAlive()]
        await engine.aclose()
    assert rest == [TextDelta("Well"), EngineDone("stop", Usage())]


async def test_a_model_that_only_thinks_is_given_up_and_the_setting_named() -> None:
    async def thinks() -> AsyncIterator[str]:
        while True:
            yield "data: " + json.dumps(_delta({"reasoning_content": "Hm. "})) + "\n\n"
            await asyncio.sleep(0)

    async with serving(lambda *_: StreamingResponse(thinks())) as url:
        with pytest.raises(AgentError, match="llm_thinking_s") as failure:
            await _deltas(url, timeouts=Timeouts(thinking_s=0.0, keep_alive_s=0.01))
    assert failure.value.code == "agent_timeout"


async def test_what_is_refused_is_learned_once() -> None:
    seen: list[dict[str, Any]] = []

    def answer(_: Request, body: dict[str, Any]) -> Response:
        seen.append(body)
        if "stream_options" in body:
            return JSONResponse({"message": "Extra inputs are not permitted: stream_options"}, 422)
        if "max_tokens" in body:
            return JSONResponse({"error": {"message": "Use 'max_completion_tokens', not 'max_tokens'."}}, 400)
        if body["messages"][0]["role"] == "system":
            return JSONResponse({"error": {"message": "System role not supported"}}, 500)
        return _stream(_delta({"content": "Hi"}, "stop"), "[DONE]")

    async with serving(answer) as url:
        engine = ChatServer(url, "m")
        for expected in (4, 5):  # requests so far
            deltas = [delta async for delta in engine.generate(replace(ASKED, max_tokens=9))]
            assert deltas[0] == TextDelta("Hi")
            assert len(seen) == expected
        await engine.aclose()
    assert seen[-1]["max_completion_tokens"] == 9


async def test_what_was_refused_for_another_reason_is_not_learned() -> None:
    seen: list[dict[str, Any]] = []

    def answer(_: Request, body: dict[str, Any]) -> Response:
        seen.append(body)
        return JSONResponse({"error": "Bad request"}, 400) if len(seen) < 3 else _stream("[DONE]")

    async with serving(answer) as url:
        engine = ChatServer(url, "m")
        with pytest.raises(AgentError, match="HTTP 400"):
            await anext(engine.generate(ASKED))
        await anext(engine.generate(ASKED))
        await engine.aclose()
    assert ["stream_options" in body for body in seen] == [True, False, True]


async def test_a_busy_server_is_asked_again_when_it_says() -> None:
    waits: list[float] = []
    refusals = [JSONResponse({}, 503, {"Retry-After": "1"}), JSONResponse({}, 429, {"Retry-After": "0"})]

    async def slept(seconds: float) -> None:
        waits.append(seconds)

    def answer(*_: object) -> Response:
        return refusals.pop(0) if refusals else _stream(_delta({"content": "Hi"}, "stop"), "[DONE]")

    async with serving(answer) as url:
        assert (await _deltas(url, sleep=slept))[0] == TextDelta("Hi")
    assert waits == [1.0, 0.5]


async def test_a_server_that_stays_busy_is_given_up_within_the_time_for_it() -> None:
    waits: list[float] = []

    async def slept(seconds: float) -> None:
        waits.append(seconds)

    async with serving(lambda *_: JSONResponse({}, 503, {"Retry-After": "8"})) as url:
        with pytest.raises(AgentError, match="overloaded"):
            await _deltas(url, sleep=slept, timeouts=Timeouts(retry_s=20.0))
    assert waits == [8.0, 8.0]


async def test_a_redirect_on_the_same_host_is_followed_with_all_that_was_asked() -> None:
    seen: list[Any] = []

    def answer(request: Request, body: dict[str, Any]) -> Response:
        seen.append(
            (request.query_params.get("moved"), request.headers.get("authorization"), body["messages"])
        )
        if "moved" not in request.query_params:
            return Response(status_code=301, headers={"Location": "?moved=1"})
        return _stream(_delta({"content": "Hi"}, "stop"), "[DONE]")

    async with serving(answer) as url:
        assert (await _deltas(url, key="secret"))[0] == TextDelta("Hi")
    assert [moved for moved, *_ in seen] == [None, "1"]
    assert seen[0][1:] == seen[1][1:]


async def test_a_redirect_to_another_host_or_in_a_circle_is_not_followed() -> None:
    seen: list[str] = []

    def answer(request: Request, _: object) -> Response:
        seen.append(request.url.path)
        return Response(status_code=307, headers={"Location": "http://127.0.0.2:9/v1/chat/completions"})

    async with serving(answer) as url:
        with pytest.raises(AgentError, match="another host"):
            await _deltas(url)
    assert len(seen) == 1
    async with serving(lambda *_: Response(status_code=307, headers={"Location": ""})) as url:
        with pytest.raises(AgentError, match="HTTP 307"):
            await _deltas(url)


# How much it reads -----------------------------------------------------------------------

LONG = replace(
    ASKED,
    messages=tuple(
        AssistantMessage("word " * 100) if n % 2 else UserMessage((TextPart(f"{n} " + "word " * 100),))
        for n in range(21)
    ),
)


def _small(most_chars: int, refusal: dict[str, Any], seen: list[int]) -> Answer:
    """A server that refuses what is longer."""

    def answer(_: Request, body: dict[str, Any]) -> Response:
        seen.append(len(json.dumps(body["messages"])))
        if seen[-1] > most_chars:
            return JSONResponse({"error": refusal}, 400)
        return _stream(_delta({"content": "Yes."}, "stop"), "[DONE]")

    return answer


NAMED = {"message": "This model's maximum context length is 2000 tokens.", "code": "context_length_exceeded"}
UNNAMED = {"message": "Please reduce the length of the messages."}


@pytest.mark.parametrize("refusal", [NAMED, UNNAMED])
async def test_a_conversation_that_is_refused_is_sent_again_with_less_and_the_next_one_at_once(
    refusal: dict[str, Any],
) -> None:
    seen: list[int] = []
    async with serving(_small(6000, refusal, seen)) as url:
        engine = ChatServer(url, "m")
        for n_requests in (2, 3):
            deltas = [delta async for delta in engine.generate(LONG)]
            assert deltas[0] == TextDelta("Yes.")
            assert len(seen) == n_requests
        await engine.aclose()
    assert seen[0] > 6000


@pytest.mark.parametrize("refusal", [NAMED, UNNAMED])
async def test_a_server_may_say_in_its_stream_that_it_is_too_long(refusal: dict[str, Any]) -> None:
    seen: list[int] = []

    def answer(_: Request, body: dict[str, Any]) -> Response:
        seen.append(len(json.dumps(body["messages"])))
        if seen[-1] > 6000:
            return _stream(_delta({"role": "assistant", "content": ""}), {"error": refusal})
        return _stream(_delta({"content": "Yes."}, "stop"), "[DONE]")

    async with serving(answer) as url:
        assert (await _deltas(url, LONG))[0] == TextDelta("Yes.")
        assert len(seen) == 2
        with pytest.raises(AgentError) as failure:
            await _deltas(url, replace(LONG, truncation=Truncation(None)))
    assert failure.value.code == "context_length_exceeded"


async def test_an_error_after_the_first_words_is_no_refusal() -> None:
    async with serving(lambda *_: _stream(_delta({"content": "Well"}), {"error": NAMED})) as url:
        with pytest.raises(AgentError, match="broke the answer off") as failure:
            await _deltas(url)
    assert failure.value.code == "agent_error"


async def test_a_text_too_long_by_itself_is_cut_and_told() -> None:
    seen: list[int] = []
    async with serving(_small(6000, NAMED, seen)) as url:
        engine = ChatServer(url, "m")
        request = replace(ASKED, messages=(UserMessage((TextPart("word " * 5000),)),))
        [*_, done] = [delta async for delta in engine.generate(request)]
        assert done == EngineDone("stop", Usage(), input_was_cut=True)
        [*_, done] = [delta async for delta in engine.generate(ASKED)]
        assert done == EngineDone("stop", Usage())
        await engine.aclose()


def _counts_to(context: int, bytes_per_token: int, seen: list[int]) -> Answer:
    """As vLLM: it counts as far as it reads, and no further. seen: tokens of all prompts."""

    def answer(_: Request, body: dict[str, Any]) -> Response:
        said = "".join(message["content"] for message in body["messages"])
        seen.append(len(said.encode()) // bytes_per_token)
        if body.get("max_tokens", 0) > context:
            return JSONResponse(
                {"error": f"max_tokens={body['max_tokens']} cannot be greater than max_model_len={context}."},
                400,
            )
        if seen[-1] + body.get("max_tokens", 0) > context:
            told = f"at least {context + 1}" if seen[-1] > context else str(seen[-1])
            sentence = (
                f"maximum context length is {context} tokens, but your prompt contains {told} input tokens"
            )
            return JSONResponse({"error": {"message": sentence}}, 400)
        usage = {"prompt_tokens": seen[-1], "completion_tokens": 1}
        return _stream(_delta({"content": "Yes."}, "stop"), {"choices": [], "usage": usage}, "[DONE]")

    return answer


@pytest.mark.parametrize("bytes_per_token", [1, 2, 4])
@pytest.mark.parametrize("max_tokens", [None, 1, 4096])
@pytest.mark.parametrize("told", [None, 2048])
async def test_a_server_that_stops_counting_where_it_stops_reading_is_understood(
    bytes_per_token: int, max_tokens: int | None, told: int | None
) -> None:
    seen: list[int] = []
    listing = {"data": [{"id": "m", "max_model_len": told}]}
    long = replace(ASKED, messages=(UserMessage((TextPart("word " * 5000),)),), max_tokens=max_tokens)
    async with serving(_counts_to(2048, bytes_per_token, seen), listing) as url:
        engine = ChatServer(url, "m")
        [*_, done] = [delta async for delta in engine.generate(long)]
        assert isinstance(done, EngineDone)
        assert done.input_was_cut
        del seen[:]
        [*_, done] = [delta async for delta in engine.generate(long)]
        assert len(seen) == 1, "what was learned is kept"
        assert seen[0] > 700, "and a guess that was too careful is not"
        await engine.aclose()


async def test_what_stays_too_long_has_a_code_of_its_own() -> None:
    seen: list[int] = []
    async with serving(_small(0, UNNAMED, seen)) as url:
        with pytest.raises(AgentError) as failure:
            await _deltas(url, LONG)
    assert failure.value.code == "context_length_exceeded"
    assert 1 < len(seen) <= 3
    assert seen == sorted(seen, reverse=True)


async def test_with_truncation_disabled_a_refusal_is_told_at_once() -> None:
    seen: list[int] = []
    async with serving(_small(6000, NAMED, seen)) as url:
        with pytest.raises(AgentError) as failure:
            await _deltas(url, replace(LONG, truncation=Truncation(None)))
    assert failure.value.code == "context_length_exceeded"
    assert len(seen) == 1


@pytest.mark.parametrize(("set_tokens", "told"), [(0, 2000), (2000, 100_000), (100_000, 2000)])
async def test_a_server_that_says_how_much_it_reads_has_nothing_to_refuse(set_tokens: int, told: int) -> None:
    """Less may be set."""
    seen: list[int] = []
    listing = {"data": [{"id": "m", "max_model_len": told}]}
    async with serving(_small(6000, NAMED, seen), listing) as url:
        [*_, done] = await _deltas(url, LONG, context_tokens=set_tokens)
    assert isinstance(done, EngineDone)
    assert len(seen) == 1


async def test_an_answer_has_a_limit_though_nobody_asked_for_one() -> None:
    seen: list[dict[str, Any]] = []

    def answer(_: Request, body: dict[str, Any]) -> Response:
        seen.append(body)
        return _stream(_delta({"content": "Yes."}, "stop"), "[DONE]")

    async with serving(answer) as url:
        await _deltas(url)
        await _deltas(url, replace(ASKED, tokens_max=100))
        await _deltas(url, replace(ASKED, max_tokens=9), context_tokens=1000)
    assert [body["max_tokens"] for body in seen] == [4096, 100, 9]


async def test_a_server_that_is_away_is_told_with_its_address_and_used_when_it_is_back() -> None:
    answer = _small(6000, NAMED, [])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        engine = ChatServer(f"http://127.0.0.1:{port}", "m")
        with pytest.raises(
            AgentError, match=f"at http://127.0.0.1:{port} does not answer: start it"
        ) as failure:
            [delta async for delta in engine.generate(ASKED)]
        assert failure.value.code == "agent_unavailable"
        health = await engine.checked(Health("ready", "m"))
        assert (health.status, health.detail) == ("away", failure.value.message)
    async with serving(answer, {"data": [{"id": "m", "max_model_len": 4096}]}, port):
        assert (await anext(engine.generate(ASKED))) == TextDelta("Yes.")
        health = await engine.checked(Health("ready", "m"))
        assert (health.status, health.instructions_bytes_max) == ("ready", (3072 - 64) * 4)
    await engine.aclose()
