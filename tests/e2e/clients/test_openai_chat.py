"""The stock `openai` client asks over plain HTTP: text and recordings, streamed and not, with tools."""

import asyncio
import base64
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from agent.api import (
    Agent,
    AgentEvent,
    AgentRequest,
    AudioPart,
    GenerationDone,
    GenerationFailed,
    Sampling,
    StageDone,
    TextDelta,
    TextPart,
    ToolCall,
    Usage,
    UserMessage,
)
from agent.scripted.agent import RECITAL
from tests import speech
from tests.agent.agents import EndlessAgent, SteeredAgent
from tests.conftest import Server, running_server
from tests.e2e.clients.talk import WEATHER, Attentive
from tests.recordings import recording
from tests.waiting import HANGS_S, unless_it_hangs

HELLO: list[Any] = [{"role": "user", "content": "Please recite."}]
TOOLS: list[Any] = [
    {"type": "function", "function": {name: WEATHER[name] for name in ("name", "description", "parameters")}}
]


class Asking:
    """client: the stock one, which asks once and does not try again."""

    def __init__(self, client: AsyncOpenAI, server: Server) -> None:
        self.client = client
        self.server = server

    async def whole(self, messages: Any = HELLO, **options: Any) -> ChatCompletion:
        completion = await self.client.chat.completions.create(model="any", messages=messages, **options)
        assert isinstance(completion, ChatCompletion)
        # The client itself checks nothing: this does, against its own types.
        ChatCompletion.model_validate(completion.model_dump(), strict=True)
        return completion

    async def chunks(self, messages: Any = HELLO, **options: Any) -> list[ChatCompletionChunk]:
        stream = await self.client.chat.completions.create(
            model="any", messages=messages, stream=True, **options
        )
        chunks = [chunk async for chunk in stream]
        for chunk in chunks:
            ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
        return chunks


@asynccontextmanager
async def asking(agent: Agent | None = None, key: str = "none", **settings: Any) -> AsyncIterator[Asking]:
    async with (
        running_server(agent, **settings) as server,
        AsyncOpenAI(base_url=f"{server.http}/v1", api_key=key, max_retries=0, timeout=HANGS_S) as client,
    ):
        yield Asking(client, server)


def steered(*events: AgentEvent) -> SteeredAgent:
    agent = SteeredAgent()
    for event in events:
        agent.events.put_nowait(event)
    return agent


def recorded(kind: str = "wav", hz: int = 16_000, n_channels: int = 1) -> dict[str, Any]:
    """The utterance "something", as a content part."""
    said = speech.utterance("something")
    if kind == "wav" and (hz, n_channels) == (16_000, 1):
        file = said.path.read_bytes()
    else:
        # Played too fast or too slow, if the rate is another: how long it is tells that it was kept.
        samples = np.frombuffer(said.pcm16k, "<i2")[:, None] / 32768
        file = recording(samples.repeat(n_channels, axis=1), hz, kind)
    audio = {"data": base64.b64encode(file).decode(), "format": kind}
    return {"type": "input_audio", "input_audio": audio}


# Answers --------------------------------------------------------------------------------


async def test_a_question_is_answered_in_one_piece() -> None:
    async with asking() as ask:
        completion = await ask.whole()
        [choice] = completion.choices
        assert (choice.message.role, choice.message.content) == ("assistant", RECITAL)
        assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)
        assert completion.id.startswith("chatcmpl-")
        assert (completion.object, completion.model) == ("chat.completion", "any")
        assert completion.usage
        n_prompt, n_answer = 2, len(RECITAL.split())
        assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (n_prompt, n_answer)
        assert completion.usage.total_tokens == n_prompt + n_answer


async def test_a_question_is_answered_piece_by_piece() -> None:
    async with asking() as ask:
        chunks = await ask.chunks()
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == RECITAL
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len({chunk.id for chunk in chunks}) == len({chunk.created for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


async def test_a_stream_ends_with_what_it_took_where_that_was_asked_for() -> None:
    usage = Usage(30, 20, 40, 5, 0)
    agent = steered(StageDone("prefill", 1.0), TextDelta("Hi"), GenerationDone("stop", usage))
    async with asking(agent) as ask:
        chunks = await ask.chunks(stream_options={"include_usage": True})
    *others, last = chunks
    assert all(chunk.usage is None and len(chunk.choices) == 1 for chunk in others)
    assert last.choices == []
    assert last.usage
    assert last.usage.prompt_tokens_details
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (50, 5, 55)
    assert last.usage.prompt_tokens_details.audio_tokens == 20
    assert last.usage.prompt_tokens_details.cached_tokens == 40


async def test_words_are_streamed_as_they_come() -> None:
    agent = SteeredAgent()
    async with asking(agent) as ask, unless_it_hangs("what is asked"):
        asked = asyncio.create_task(
            ask.client.chat.completions.create(model="any", messages=HELLO, stream=True)
        )
        await agent.events.put(TextDelta("One"))
        stream = aiter(await asked)
        assert (await anext(stream)).choices[0].delta.content == ""
        for word in ("One", " two", " three"):
            assert (await anext(stream)).choices[0].delta.content == word
            await agent.events.put(TextDelta({"One": " two", " two": " three"}.get(word, ".")))
        await agent.events.put(GenerationDone())
        assert [chunk.choices[0].finish_reason async for chunk in stream] == [None, "stop"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_at_its_limit_says_so(stream: bool) -> None:
    async with asking() as ask:
        if stream:
            last = (await ask.chunks(max_tokens=3))[-1].choices[0].finish_reason
        else:
            completion = await ask.whole(max_completion_tokens=3)
            last = completion.choices[0].finish_reason
            assert completion.choices[0].message.content == "This is sentence"
    assert last == "length"


async def test_an_answer_without_end_is_ended() -> None:
    agent = EndlessAgent()
    async with asking(agent) as ask:
        completion = await ask.whole()
        assert completion.choices[0].finish_reason == "length"
        assert 100_000 <= len(completion.choices[0].message.content or "") <= 120_000
        assert agent.freed.is_set()


async def test_audio_without_words_gets_an_empty_answer() -> None:
    async with asking(steered(GenerationDone("no_words"))) as ask:
        choice = (await ask.whole()).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("", "stop")


async def test_what_was_asked_reaches_the_agent() -> None:
    agent = Attentive()
    async with asking(agent) as ask:
        await ask.whole(
            [{"role": "developer", "content": "Be brief."}, *HELLO],
            temperature=0.3,
            top_p=0.9,
            seed=5,
            stop=["END"],
            max_tokens=9,
            tools=TOOLS,
            tool_choice="none",
            extra_body={"top_k": 20, "repetition_penalty": 1.1},
        )
        await ask.whole()
    first, second = agent.requests
    assert first.sampling == Sampling(0.3, 0.9, 20, 1.1, 5, ("END",))
    assert (first.instructions, first.modality, first.tool_choice) == ("Be brief.", "text", "none")
    assert first.max_output_tokens == 9
    assert first.tools[0].parameters == WEATHER["parameters"]
    assert first.session_id != second.session_id


# Recordings -----------------------------------------------------------------------------


async def test_a_recording_and_text_arrive_in_their_order() -> None:
    agent = Attentive()
    content = [{"type": "text", "text": "What is"}, recorded(), {"type": "text", "text": "?"}]
    async with asking(agent) as ask:
        await ask.whole([{"role": "user", "content": content}])
    [request] = agent.requests
    pcm = speech.utterance("something").pcm16k
    assert request.messages == (UserMessage((TextPart("What is"), AudioPart(pcm), TextPart("?"))),)


@pytest.mark.parametrize(
    ("kind", "hz", "n_channels"),
    [("wav", 48_000, 2), ("wav", 8_000, 1), ("mp3", 44_100, 2), ("flac", 48_000, 1), ("ogg", 24_000, 1)],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_recordings_of_all_kinds_are_heard(kind: str, hz: int, n_channels: int, stream: bool) -> None:
    agent = Attentive()
    messages = [{"role": "user", "content": [recorded(kind, hz, n_channels)]}]
    async with asking(agent) as ask:
        await (ask.chunks(messages) if stream else ask.whole(messages))
    [request] = agent.requests
    [message] = request.messages
    assert isinstance(message, UserMessage)
    [part] = message.parts
    assert isinstance(part, AudioPart)
    seconds = len(speech.utterance("something").pcm16k) / 2 / hz
    assert len(part.pcm) / 32_000 == pytest.approx(seconds, abs=0.1)


async def test_a_conversation_of_several_recordings() -> None:
    agent = Attentive()
    turn = {"role": "user", "content": [recorded()]}
    async with asking(agent) as ask:
        await ask.whole([turn, {"role": "assistant", "content": "Go on."}, turn])
    assert [type(message).__name__ for message in agent.requests[0].messages] == [
        "UserMessage",
        "AssistantMessage",
        "UserMessage",
    ]


# Tools ----------------------------------------------------------------------------------


async def test_a_tool_is_called_and_its_answer_used() -> None:
    async with asking() as ask:
        first = (await ask.whole(tools=TOOLS)).choices[0]
        assert (first.finish_reason, first.message.content) == ("tool_calls", None)
        assert first.message.tool_calls
        [call] = first.message.tool_calls
        assert call.type == "function"
        assert call.function.name == "weather"
        result = {"role": "tool", "tool_call_id": call.id, "content": "rain all day"}
        again = await ask.whole([*HELLO, first.message.model_dump(exclude_none=True), result], tools=TOOLS)
    assert again.choices[0].message.content == "The tool gave back: rain all day"
    assert again.choices[0].finish_reason == "stop"


async def test_tool_calls_are_streamed() -> None:
    calls = [ToolCall("c1", "weather", '{"place": "Rome"}'), ToolCall("c2", "weather", '{"place": "Oslo"}')]
    async with asking(steered(TextDelta("Well."), *calls, GenerationDone())) as ask:
        chunks = await ask.chunks(tools=TOOLS)
    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert [(piece.index, piece.id, piece.type) for piece in pieces] == [
        (0, "c1", "function"),
        (1, "c2", "function"),
    ]
    assert [piece.function and piece.function.arguments for piece in pieces] == [
        call.arguments for call in calls
    ]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_the_clients_own_stream_helper_puts_it_together() -> None:
    async with (
        asking() as ask,
        ask.client.chat.completions.stream(model="any", messages=HELLO, tools=TOOLS) as stream,
    ):
        final = await stream.get_final_completion()
    assert final.choices[0].finish_reason == "tool_calls"
    assert final.choices[0].message.tool_calls
    assert final.choices[0].message.tool_calls[0].function.name == "weather"


# Faults ---------------------------------------------------------------------------------


async def test_a_field_that_cannot_be_used_is_named() -> None:
    async with asking() as ask:
        with pytest.raises(openai.BadRequestError) as refused:
            await ask.whole(temperature=3)
    assert (refused.value.code, refused.value.param) == ("invalid_value", "temperature")
    assert refused.value.type == "invalid_request_error"
    assert "a number from 0 to 2, got 3" in refused.value.message


async def test_a_clip_that_is_too_short_is_refused() -> None:
    pcm = speech.utterance("something").path.read_bytes()[: 44 + 2 * 1_500]
    short = {"type": "input_audio", "input_audio": {"data": base64.b64encode(pcm).decode(), "format": "wav"}}
    async with asking() as ask:
        with pytest.raises(openai.BadRequestError, match="at least 100 ms of sound, got 94 ms") as refused:
            await ask.whole([{"role": "user", "content": [short]}])
    assert refused.value.param == "messages[0].content[0].input_audio.data"


async def test_a_key_is_required_where_keys_are_set() -> None:
    async with asking(keys="right", key="wrong") as ask:
        with pytest.raises(openai.AuthenticationError) as refused:
            await ask.whole()
        assert refused.value.code == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            await ask.client.models.list()
    async with asking(keys="right", key="right") as ask:
        await ask.whole()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("agent_error", 500),
        ("agent_unavailable", 503),
        ("agent_overloaded", 503),
        ("agent_out_of_memory", 503),
        ("agent_timeout", 504),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_before_the_first_word_is_a_status(code: str, status: int, stream: bool) -> None:
    agent = steered(StageDone("recognition", 5.0), GenerationFailed(code, "in plain words"))
    async with asking(agent) as ask:
        with pytest.raises(openai.InternalServerError, match="in plain words") as failed:
            await (ask.chunks() if stream else ask.whole())
    assert (failed.value.status_code, failed.value.code) == (status, code)
    assert failed.value.type == "server_error"
    assert ("retry-after" in failed.value.response.headers) == (status == 503)


async def test_a_failure_within_the_stream_is_told_in_it() -> None:
    agent = steered(TextDelta("Once upon"), GenerationFailed("agent_unavailable", "in plain words"))
    async with asking(agent) as ask:
        with pytest.raises(openai.APIError, match="in plain words") as failed:
            await ask.chunks()
    assert failed.value.code == "agent_unavailable"


async def test_an_agent_that_falls_silent_is_a_timeout_and_is_closed() -> None:
    agent = SteeredAgent()
    async with asking(agent, agent_first_event_s=0.05) as ask:
        with pytest.raises(openai.InternalServerError) as failed:
            await ask.whole()
        assert failed.value.status_code == 504
        assert agent.freed.is_set()


async def test_too_many_at_once_are_asked_to_come_again() -> None:
    agent = SteeredAgent()
    async with asking(agent, completions_max=1) as ask:
        first = asyncio.create_task(ask.whole())
        await agent.begun.wait()
        with pytest.raises(openai.RateLimitError) as refused:
            await ask.whole()
        assert refused.value.code == "too_many_requests"
        assert int(refused.value.response.headers["retry-after"]) > 0
        await agent.events.put(GenerationDone())
        await first
        await agent.events.put(GenerationDone())
        await ask.whole()


# Whoever hangs up -----------------------------------------------------------------------


async def test_hanging_up_in_the_middle_of_a_stream_aborts_the_answer() -> None:
    agent = SteeredAgent()
    await agent.events.put(TextDelta("Once upon"))
    async with asking(agent, completions_max=1) as ask, unless_it_hangs("what is asked"):
        stream = await ask.client.chat.completions.create(model="any", messages=HELLO, stream=True)
        await anext(aiter(stream))
        assert not agent.freed.is_set()
        await stream.close()
        await agent.freed.wait()
        await _outcome(ask, "peer_left")
        await agent.events.put(GenerationDone())
        await ask.whole()  # the only place is free again


async def test_hanging_up_while_the_whole_answer_is_made_aborts_it() -> None:
    agent = SteeredAgent()
    async with asking(agent) as ask, unless_it_hangs("what is asked"):
        asked = asyncio.create_task(ask.whole())
        await agent.begun.wait()
        asked.cancel()
        await agent.freed.wait()


@pytest.mark.parametrize("reads", [True, False])
async def test_a_place_is_free_when_the_agent_has_let_go(reads: bool) -> None:
    agent = _Clinging(TextDelta("x" * 50_000) if reads else ToolCall("c", "f", "x" * 1_000_000))
    async with asking(agent, completions_max=1, slow_peer_s=0.2) as ask, unless_it_hangs("what is asked"):
        asked = asyncio.create_task(
            ask.client.chat.completions.create(model="any", messages=HELLO, stream=not reads)
        )
        await agent.closing.wait()
        with pytest.raises(openai.RateLimitError):
            await ask.whole()
        agent.may_go.set()
        answer = await asked
        if not isinstance(answer, ChatCompletion):
            await answer.close()
        await _outcome(ask, "completed" if reads else "peer_left")


class _Clinging(EndlessAgent):
    """Says the same without end, and takes its time when it is closed.

    A megabyte at once is soon more than all buffers between here and a client that does not read.
    """

    def __init__(self, event: AgentEvent) -> None:
        super().__init__()
        self.closing, self.may_go = asyncio.Event(), asyncio.Event()
        self._event = event

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        try:
            while True:
                await asyncio.sleep(0)
                yield self._event
        finally:
            self.closing.set()
            await self.may_go.wait()


# What is counted, and what is told ------------------------------------------------------


async def _outcome(ask: Asking, outcome: str) -> None:
    """Wait until one request has been counted as this."""
    wanted = f'parlour_chat_completions_total{{outcome="{outcome}"}} 1.0'
    while wanted not in (await ask.client._client.get(f"{ask.server.http}/metrics")).text:
        await asyncio.sleep(0)


async def test_requests_are_counted_by_their_outcome() -> None:
    agent = steered(GenerationDone(), GenerationFailed("agent_error", "no"))
    async with asking(agent) as ask:
        await ask.whole()
        with pytest.raises(openai.InternalServerError):
            await ask.whole()
        with pytest.raises(openai.BadRequestError):
            await ask.whole(n=2)
        for outcome in ("completed", "failed", "refused"):
            await _outcome(ask, outcome)
        metrics = (await ask.client._client.get(f"{ask.server.http}/metrics")).text
        assert "parlour_chat_completions_open 0.0" in metrics


async def test_the_id_of_a_request_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with asking() as here:
        create = here.client.chat.completions.with_raw_response.create
        answered = await create(model="any", messages=HELLO)
        with pytest.raises(openai.BadRequestError) as refused:
            await create(model="any", messages=[])
    ids = [vars(record)["request_id"] for record in caplog.records if record.name == "parlour.chat"]
    assert ids == [answered.request_id, refused.value.request_id]


async def test_nothing_that_was_said_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    secret = "xylophone"
    failed, done = GenerationFailed("agent_error", "no"), GenerationDone("stop", Usage(3, 0, 0, 2))
    agent = steered(TextDelta(secret), failed, TextDelta(secret), done)
    messages = [{"role": "user", "content": [{"type": "text", "text": secret}, recorded()]}]
    async with asking(agent) as ask:
        with pytest.raises(openai.InternalServerError):
            await ask.whole(messages)
        await ask.whole(messages)
        with pytest.raises(openai.BadRequestError):
            await ask.whole([{"role": secret, "content": secret}])
    lines = [record for record in caplog.records if record.name.startswith(("parlour", "uvicorn"))]
    told = [record.__dict__ for record in lines if record.name == "parlour.chat"]
    assert [(line["outcome"], line["status"]) for line in told] == [
        ("failed", 500),
        ("completed", 200),
        ("refused", 400),
    ]
    assert told[1]["seconds"]["audio"] == pytest.approx(speech.utterance("something").seconds, abs=0.01)
    assert told[1]["usage"]["output_text_tokens"] == 2
    assert secret not in str([record.__dict__ for record in lines])


# The models -----------------------------------------------------------------------------


async def test_the_one_model_is_listed() -> None:
    async with asking() as ask:
        [model] = (await ask.client.models.list()).data
    assert (model.id, model.object, model.owned_by) == ("scripted", "model", "parlour")
    assert model.created > 1_700_000_000
