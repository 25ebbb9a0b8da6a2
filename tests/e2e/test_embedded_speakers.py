"""Three speakers with the embedded default at the same time: real ears, a real small brain, a real voice."""

import asyncio
import difflib
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from agent.api import Agent, TranscribeRequest
from agent.models.embedded import build_embedded
from agent.settings import AgentSettings
from realtime.audio.resample import Resampler
from tests.conftest import running_server
from tests.e2e.device import Device, device
from tests.e2e.mosquitto import running_broker
from tests.speech import Utterance, utterances

pytestmark = pytest.mark.models

HEARS = {
    "type": "realtime",
    "max_output_tokens": 40,
    "audio": {"input": {"transcription": {"model": "any"}}},
}
TURNS = 2


@pytest.fixture
async def agent() -> Agent:
    return await build_embedded(AgentSettings(), lambda _: None)  # the server closes it


def known_words() -> list[Utterance]:
    """Whole sentences of which it is known what is said in them."""
    english = [one for one in utterances() if one.language == "en" and 2 < one.seconds < 8]
    return [one for one in english if one.transcript is not None]


def plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, plain(one), plain(other)).ratio()


async def converse(speaker: Device, said: list[Utterance]) -> None:
    """Each turn is heard, answered in words, and the answer played to its end."""
    await speaker.say("parlour.start", session=HEARS)
    await speaker.state("listening")
    for turn, utterance in enumerate(said, 1):
        await speaker.speak(utterance.pcm16k, paced=True)
        done = (await speaker.event("response.done", turn))["response"]
        assert done["status"] == "completed"
        heard = await speaker.event("conversation.item.input_audio_transcription.completed", turn)
        assert likeness(heard["transcript"], utterance.transcript or "") >= 0.6
        await speaker.until(lambda turn=turn: turn in speaker.played)
        await speaker.state("listening")
        await speaker.until(lambda turn=turn: speaker.played[turn] >= len(speaker.spoken(turn)) / 48 - 1)
    assert not speaker.of("error")


async def test_three_speakers_converse_and_each_is_answered_aloud_in_its_own_words(
    tmp_path: Path, agent: Agent
) -> None:
    said = known_words()
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(running_broker(tmp_path))
        server = running_server(agent, mqtt_url=broker.url, mqtt_follow_up_s=60.0)
        await stack.enter_async_context(server)
        speakers = [await stack.enter_async_context(device(broker.url, f"speaker-{n}")) for n in range(3)]
        async with asyncio.TaskGroup() as tasks:
            for number, speaker in enumerate(speakers):
                mine = said[number * TURNS : (number + 1) * TURNS]
                tasks.create_task(converse(speaker, mine), name=speaker.name)
        for speaker in speakers:
            # What was spoken is what was written: heard by the recogniser, it reads much the same.
            down = Resampler(24_000, 16_000)
            spoken = down.push(speaker.spoken(1)) + down.flush()
            written = speaker.of("response.output_audio_transcript.done")[0]["transcript"]
            read = (await agent.transcribe(TranscribeRequest("check", spoken))).text
            assert likeness(read, written) >= 0.6
