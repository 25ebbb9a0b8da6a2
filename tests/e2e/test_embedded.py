"""The embedded default behind the real gateway: real ears, a real small brain, a real voice."""

import base64
import difflib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from agent.api import Agent, TranscribeRequest
from agent.models.embedded import build_embedded
from agent.settings import AgentSettings
from realtime.audio.resample import Resampler
from realtime.audio.wav import write_wav
from realtime.commands.analyse import AnalyseOptions, analyse
from tests import speech
from tests.conftest import Server, running_server
from tests.e2e.talk import Talk

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio(loop_scope="module"),  # one server for all of them: its models take seconds to load
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agent() -> Agent:
    return await build_embedded(AgentSettings(), lambda _: None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(agent: Agent) -> AsyncIterator[Server]:
    async with running_server(agent) as running:  # which closes the agent
        yield running


async def opened(server: Server) -> Talk:
    talk = await Talk.with_server(server)
    await talk.say(
        type="session.update",
        session={"type": "realtime", "audio": {"input": {"transcription": {"model": "any"}}}},
    )
    await talk.until("session.updated")
    return talk


async def test_a_recorded_sentence_is_heard_answered_and_spoken(server: Server, agent: Agent) -> None:
    utterance = speech.utterance("goforward")
    talk = await opened(server)
    await talk.speak(utterance.pcm24k)
    done = (await talk.until("response.done"))["response"]
    heard = [e["transcript"] for e in talk.events if e["type"].endswith("transcription.completed")]
    assert "ten meters" in " ".join(heard).lower().replace("10", "ten")
    assert done["status"] == "completed"
    answer = done["output"][0]["content"][0]["transcript"]
    assert answer.strip()
    # What was spoken is what was written: heard by the recogniser, it reads much the same. By the letter,
    # for the voice differs a little each time, and "forward 10" is at times heard as "4-10".
    down = Resampler(24_000, 16_000)
    pcm16k = down.push(talk.spoken()) + down.flush()
    said = (await agent.transcribe(TranscribeRequest("check", pcm16k))).text
    assert difflib.SequenceMatcher(None, plain(said), plain(answer)).ratio() >= 0.6


async def test_it_knows_the_turns_before(server: Server) -> None:
    talk = await opened(server)
    await talk.ask("My name is Clara.")
    assert "Clara" in await talk.ask("What is my name?")


async def test_sound_that_holds_no_words_gets_no_answer(server: Server) -> None:
    noise = (np.random.default_rng(7).normal(0, 1500, 48_000)).astype("<i2").tobytes()
    talk = await opened(server)
    await talk.say(
        type="session.update",
        session={"type": "realtime", "audio": {"input": {"turn_detection": None}}},
    )
    await talk.speak(noise)
    await talk.say(type="input_audio_buffer.commit")
    await talk.say(type="response.create")
    done = (await talk.until("response.done"))["response"]
    assert (done["status"], done["output"]) == ("completed", [])


async def test_a_clip_is_analysed_over_every_way(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What can be measured is told, by voice too; what takes hearing is declined."""
    talk = await opened(server)
    audio = base64.b64encode(speech.utterance("goforward").pcm24k).decode()
    content = [
        {"type": "input_audio", "audio": audio},
        {"type": "input_text", "text": "How long is it, and what is said?"},
    ]
    item = {"type": "message", "role": "user", "content": content}
    await talk.say(type="conversation.item.create", item=item)
    await talk.until("conversation.item.input_audio_transcription.completed")
    answer = (await talk.answer())["output"][0]["content"][0]["transcript"]
    assert answer.startswith("It is 2.8 seconds long.")
    assert "10 meters" in answer
    assert len(talk.spoken()) > 2 * 24_000  # it takes more than a second to say
    assert (await talk.ask("How loud was the recording?")).startswith("Its level is -31 dBFS")

    asked = AnalyseOptions((speech.utterance("goforward").path,), "Does he sound happy?", url=server.http)
    assert await analyse(asked) == 0
    assert "Qwen2-Audio can" in capsys.readouterr().out
    write_wav(tmp_path / "silence.wav", bytes(64_000), 16_000)
    assert await analyse(replace(asked, files=(tmp_path / "silence.wav",), question="Summarise it.")) == 0
    assert capsys.readouterr().out == "There is no speech in it. It is silent.\n"


def plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower())
