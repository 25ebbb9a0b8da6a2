"""The embedded default as a whole: heard, answered, spoken, and heard again."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soxr
from starlette.requests import Request
from starlette.responses import JSONResponse

from agent.api import (
    LISTENING_HZ,
    SPEAKING_HZ,
    Agent,
    AgentEvent,
    AgentRequest,
    AssistantMessage,
    AudioDelta,
    AudioPart,
    GenerationDone,
    StageDone,
    TextDelta,
    TextPart,
    TranscribeRequest,
    UserMessage,
)
from agent.models.files import present
from agent.models.manifest import LEXICON, PIPER_JOE, SMOLLM2, WHISPER_TINY_EN
from agent.settings import AgentSettings
from tests.agent.engine.chat_server.serving import serving
from tests.speech import utterance, white_noise

pytest.importorskip("xllamacpp")
embedded = pytest.importorskip("agent.models.embedded", exc_type=ImportError)

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio(loop_scope="module"),  # one agent for all of them: it takes seconds to load
    pytest.mark.skipif(
        not present([SMOLLM2, PIPER_JOE, *LEXICON, *WHISPER_TINY_EN["model.bin"]]),
        reason="the packages of models.txt are not installed",
    ),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agent() -> AsyncIterator[Agent]:
    lines: list[str] = []
    agent = await embedded.build_embedded(AgentSettings(recogniser="tiny.en"), lines.append)
    assert lines[0] == "loading the recogniser (Whisper tiny.en) ..."
    assert lines[-1].endswith(" s")
    yield agent
    await agent.aclose()


def _asked(*parts: TextPart | AudioPart) -> AgentRequest:
    return AgentRequest("s", "r", "", (UserMessage(parts),))


async def _events(agent: Agent, request: AgentRequest) -> list[AgentEvent]:
    return [event async for event in agent.respond(request)]


def _text(events: list[AgentEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def _pcm(events: list[AgentEvent]) -> bytes:
    return b"".join(event.pcm for event in events if isinstance(event, AudioDelta))


def _for_listening(pcm: bytes) -> bytes:
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    return soxr.resample(samples, SPEAKING_HZ, LISTENING_HZ).astype("<i2").tobytes()


async def test_what_it_says_is_what_it_writes(agent: Agent) -> None:
    events = await _events(agent, _asked(TextPart("What is the capital of Japan?")))
    assert "Tokyo" in _text(events)
    heard = await agent.transcribe(TranscribeRequest("s", _for_listening(_pcm(events))))
    assert "Tokyo" in heard.text


async def test_a_spoken_question_is_answered_aloud(agent: Agent) -> None:
    spoken = await _events(agent, AgentRequest("t", "q", "", (UserMessage((TextPart("Say hello to me."),)),)))
    events = await _events(agent, _asked(AudioPart(_for_listening(_pcm(spoken)))))
    assert isinstance(events[-1], GenerationDone)
    audio = [event for event in events if isinstance(event, AudioDelta)]
    assert audio[-1].text_end == len(_text(events))
    assert all(len(event.pcm) <= 0.2 * 2 * SPEAKING_HZ for event in audio)
    stages = [event.stage for event in events if isinstance(event, StageDone)]
    assert stages == ["recognition", "prefill", "decode", "synthesis"]


async def test_real_speech_is_transcribed_and_noise_gets_no_answer(agent: Agent) -> None:
    clip = utterance("librivox_0930")
    heard = await agent.transcribe(TranscribeRequest("s", clip.pcm16k))
    assert "amiable himself" in heard.text
    assert heard.duration_s == pytest.approx(clip.seconds, abs=0.01)
    events = await _events(agent, _asked(AudioPart(white_noise(3, 1000))))
    assert events[-1] == GenerationDone("no_words")


async def test_warm_leaves_little_to_read(agent: Agent) -> None:
    messages = (
        UserMessage((TextPart("I have a dog called Rex. He likes long walks in the forest."),)),
        AssistantMessage("Rex sounds like a lovely dog."),
        UserMessage((AudioPart(utterance("librivox_0930").pcm16k),)),
    )
    request = AgentRequest("s", "r", "You are a friend of dogs.", messages)
    await agent.warm(request)
    done = (await _events(agent, request))[-1]
    assert isinstance(done, GenerationDone)
    assert done.usage.input_text_tokens - done.usage.cached_tokens <= 2


async def test_an_answer_that_is_closed_leaves_the_agent_ready(agent: Agent) -> None:
    for _ in range(6):
        answer = agent.respond(_asked(TextPart("Tell me a long story about a dog.")))
        async for event in answer:
            if isinstance(event, TextDelta):
                break
        await answer.aclose()
    assert "Paris" in _text(await _events(agent, _asked(TextPart("What is the capital of France?"))))


async def test_health_names_the_voice(agent: Agent) -> None:
    health = await agent.health()
    assert health.status == "ready"
    assert health.voices == ("joe",)
    assert health.facts["recogniser"] == "whisper tiny.en"


async def test_a_chat_server_is_told_what_is_measured_of_a_clip_that_it_is_asked_about() -> None:
    bodies: list[dict[str, Any]] = []

    def answer(_: Request, body: dict[str, Any]) -> JSONResponse:
        bodies.append(body)
        message = {"role": "assistant", "content": "Not angry, as far as I can read."}
        return JSONResponse({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    clip = AudioPart(utterance("goforward").pcm16k)
    async with serving(answer) as url:
        settings = AgentSettings(model="m", llm_url=url, recogniser="tiny.en")
        chat = await embedded.build_chat_server(settings, lambda _: None)
        for question in ("Is the speaker angry?", "Where shall the robot go?"):
            asked = AgentRequest("s", "r", "", (UserMessage((clip, TextPart(question))),), modality="text")
            assert _text(await _events(chat, asked)) == "Not angry, as far as I can read."
        await chat.aclose()
    about_the_clip, about_its_words = (body["messages"][-1]["content"] for body in bodies)
    assert "It is 2.8 seconds long." in about_the_clip
    assert "seconds long" not in about_its_words
