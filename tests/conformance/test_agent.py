"""One suite for every `agent.api.Agent`: in process, behind a socket, in a child process."""

import asyncio
import json
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator

from agent.api import (
    SPEAKING_HZ,
    Agent,
    AgentError,
    AgentEvent,
    AgentRequest,
    AudioDelta,
    GenerationDone,
    GenerationFailed,
    TextDelta,
    TextPart,
    Tool,
    ToolCall,
    ToolCallMessage,
    ToolResultMessage,
    TranscribeRequest,
    Transcript,
    UserMessage,
)
from agent.client import RemoteAgent
from agent.scripted.agent import ScriptedAgent
from agent.settings import AgentSettings
from agent.supervisor import RestartPolicy, SupervisedAgent
from tests.agent.agents import PATIENT, served
from tests.waiting import HANGS_S, unless_it_hangs

pytestmark = pytest.mark.asyncio(loop_scope="module")

has_embedded = find_spec("agent.models.embedded") is not None and find_spec("faster_whisper") is not None
HELLO = (UserMessage((TextPart("Hello, who are you?"),)),)
WEATHER = Tool(
    "get_weather",
    "Tells the weather of a city.",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 2},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
)


# One agent for the whole suite, where models take seconds to load.
@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[
        "in process",
        "behind a socket",
        "supervised",
        pytest.param(
            "embedded",
            marks=[
                pytest.mark.models,
                pytest.mark.skipif(not has_embedded, reason="the embedded default is not installed"),
            ],
        ),
    ],
)
async def agent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agent]:
    async with AsyncExitStack() as stack:
        made: Agent
        match request.param:
            case "in process":
                made = ScriptedAgent()
            case "behind a socket":
                made = RemoteAgent(
                    uds=await stack.enter_async_context(
                        served(ScriptedAgent(), tmp_path_factory.mktemp("agent"))
                    ),
                    timeouts=PATIENT,
                )
            case kind:
                model = "scripted" if kind == "supervised" else "embedded"
                patience = RestartPolicy(ping_within_s=HANGS_S, call_s=HANGS_S)
                made = SupervisedAgent(
                    AgentSettings(model=model), lambda line: None, policy=patience, timeouts=PATIENT
                )
                await made.start()
        stack.push_async_callback(made.aclose)
        yield made


def asked(response_id: str = "r", **rest: object) -> AgentRequest:
    return AgentRequest("s", response_id, "Answer in one sentence.", **{"messages": HELLO, **rest})  # type: ignore[arg-type]


async def said(agent: Agent, request: AgentRequest) -> list[AgentEvent]:
    async with unless_it_hangs("the end of the answer"):
        return [event async for event in agent.respond(request)]


def text(events: list[AgentEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_an_answer_ends_exactly_once_and_with_done(agent: Agent) -> None:
    events = await said(agent, asked())
    ends = [event for event in events if isinstance(event, GenerationDone | GenerationFailed)]
    assert ends == events[-1:]
    assert isinstance(events[-1], GenerationDone)
    assert text(events).strip()


async def test_closing_takes_effect_within_one_event(agent: Agent) -> None:
    events = agent.respond(asked())
    await anext(events)
    await events.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(events)
    assert isinstance((await said(agent, asked("next")))[-1], GenerationDone)


async def test_cancelling_passes_and_the_next_answer_works(agent: Agent) -> None:
    call = asyncio.create_task(said(agent, asked()))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert isinstance((await said(agent, asked("next")))[-1], GenerationDone)


async def test_the_spoken_text_never_goes_back_and_ends_with_the_answer(agent: Agent) -> None:
    events = await said(agent, asked())
    text_ends = [event.text_end for event in events if isinstance(event, AudioDelta)]
    assert text_ends
    assert text_ends == sorted(text_ends)
    assert text_ends[-1] == len(text(events))


async def test_no_audio_is_spoken_ahead_of_its_text(agent: Agent) -> None:
    n_characters = 0
    for event in await said(agent, asked()):
        if isinstance(event, TextDelta):
            n_characters += len(event.text)
        elif isinstance(event, AudioDelta):
            assert event.text_end <= n_characters


async def test_a_piece_of_audio_is_whole_samples_of_at_most_200_ms(agent: Agent) -> None:
    for event in await said(agent, asked()):
        if isinstance(event, AudioDelta):
            assert len(event.pcm) % 2 == 0
            assert 0 < len(event.pcm) // 2 <= SPEAKING_HZ // 5


async def test_an_answer_in_text_has_no_audio(agent: Agent) -> None:
    events = await said(agent, asked(modality="text"))
    assert text(events).strip()
    assert not any(isinstance(event, AudioDelta) for event in events)


async def test_an_unknown_voice_is_the_agents_own_choice(agent: Agent) -> None:
    events = await said(agent, asked(voice="no such voice"))
    assert any(isinstance(event, AudioDelta) for event in events)


async def test_the_token_limit_is_kept(agent: Agent) -> None:
    events = await said(agent, asked(modality="text", max_output_tokens=2))
    assert len(text(events).split()) <= 2
    assert isinstance(events[-1], GenerationDone)
    assert events[-1].reason == "max_tokens"


async def test_a_tool_call_fits_the_schema_and_its_result_is_answered(agent: Agent) -> None:
    events = await said(agent, asked(tools=(WEATHER,), tool_choice="required"))
    calls = [event for event in events if isinstance(event, ToolCall)]
    if not calls:  # a small model may answer in words instead; the scripted one never does
        assert (await agent.health()).model != "scripted"
        assert isinstance(events[-1], GenerationDone)
        return
    arguments = json.loads(calls[0].arguments)
    Draft202012Validator(WEATHER.parameters).validate(arguments)
    assert calls[0].name == "get_weather"
    after = (
        *HELLO,
        ToolCallMessage(calls[0].call_id, "get_weather", calls[0].arguments),
        ToolResultMessage(calls[0].call_id, "Sunny, 21 degrees."),
    )
    assert text(await said(agent, asked("next", tools=(WEATHER,), messages=after))).strip()


async def test_calls_at_the_same_time_do_not_mix(agent: Agent) -> None:
    def after(n: int) -> AgentRequest:
        result = (ToolCallMessage("c", "count", "{}"), ToolResultMessage("c", f"number {n}"))
        return AgentRequest(f"s{n}", f"r{n}", "Say the number.", (*HELLO, *result), modality="text")

    alone = [text(await said(agent, after(n))) for n in range(4)]
    together = await asyncio.gather(*(said(agent, after(n)) for n in range(4)))
    assert all(isinstance(events[-1], GenerationDone) for events in together)
    if (await agent.health()).model == "scripted":
        assert [text(events) for events in together] == alone


async def test_transcribing_returns_a_transcript_or_raises_an_agent_error(agent: Agent) -> None:
    request = TranscribeRequest("s", speech())
    if not (await agent.health()).transcribes:
        with pytest.raises(AgentError):
            await agent.transcribe(request)
        return
    transcript = await agent.transcribe(request)
    assert isinstance(transcript, Transcript)
    assert transcript.duration_s == pytest.approx(len(request.pcm) / 32_000, abs=0.1)


async def test_warming_is_silent(agent: Agent) -> None:
    await agent.warm(asked())


async def test_health_is_ready(agent: Agent) -> None:
    health = await agent.health()
    assert health.status == "ready"
    assert health.model


async def test_closing_the_agent_twice_is_harmless(agent: Agent) -> None:  # and so the last test
    await agent.aclose()
    await agent.aclose()


def speech() -> bytes:
    """Some speech at 16 kHz if the test recordings are there, else two seconds of silence."""
    for path in sorted(Path(__file__).parents[1].glob("data/speech/*.wav")):
        with wave.open(str(path)) as recording:
            if (recording.getframerate(), recording.getnchannels()) == (16_000, 1):
                return recording.readframes(16_000 * 5)
    return bytes(2 * 16_000 * 2)
