"""Smart speakers over a real broker: what people do with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.scripted.agent import RECITAL
from realtime.protocol.limits import Limits
from realtime.session import registry
from tests.conftest import running_server
from tests.e2e.conftest import FollowUp
from tests.e2e.device import Device, device
from tests.e2e.mosquitto import running_broker
from tests.speech import utterances
from tests.waiting import HANGS_S, Lateness

SPEECH = utterances()[1].pcm16k
ONE_SECOND = {"type": "realtime", "max_output_tokens": 6}
"""Of the scripted agent's recital."""
ANSWER_MS = 10_000
"""All of it."""


@asynccontextmanager
async def kitchen(folder: Path, **settings: Any) -> AsyncIterator[Device]:
    async with (
        running_broker(folder) as broker,
        running_server(mqtt_url=broker.url, **settings),
        device(broker.url) as speaker,
    ):
        yield speaker


async def history(speaker: Device, item_id: str) -> str:
    """The words of an answer that the conversation keeps."""
    n = len(speaker.of("conversation.item.retrieved"))
    await speaker.say("conversation.item.retrieve", item_id=item_id)
    found = await speaker.event("conversation.item.retrieved", n + 1)
    return "".join(part.get("transcript") or "" for part in found["item"]["content"])


async def test_a_spoken_turn_from_the_wake_word_to_the_sleep(tmp_path: Path, follow_up: FollowUp) -> None:
    async with kitchen(tmp_path, mqtt_remembered_s=0.5) as speaker:
        await speaker.say("parlour.start", session=ONE_SECOND)
        await speaker.state("listening")
        await speaker.speak(SPEECH)
        await speaker.until(lambda: speaker.played)
        follow_up.window_s = 0.5
        await speaker.event("parlour.asleep")
        closed = await speaker.event("parlour.closed")
        assert closed["code"] == 1000
        shown = [state for state in speaker.states if state != "thinking"]  # too short to be seen, at times
        assert shown[:6] == ["idle", "listening", "hearing", "speaking", "listening", "idle"]
        assert speaker.played[1] == 1000
        assert not speaker.of("error")


async def test_in_the_follow_up_window_no_wake_word_is_needed(tmp_path: Path) -> None:
    async with kitchen(tmp_path, mqtt_follow_up_s=HANGS_S) as speaker:
        await speaker.say("parlour.start", session=ONE_SECOND)
        await speaker.state("listening")
        for turn in (1, 2):
            await speaker.speak(SPEECH)
            await speaker.event("response.done", turn)
            await speaker.until(lambda turn=turn: speaker.played.get(turn) == 1000)
        assert [event["answer"] for event in speaker.of("parlour.answer")] == [1, 2]


async def test_what_is_said_to_a_sleeping_device_is_not_heard(tmp_path: Path, follow_up: FollowUp) -> None:
    follow_up.window_s = 0.3
    async with kitchen(tmp_path) as speaker:
        await speaker.say("parlour.start", session=ONE_SECOND)
        await speaker.event("parlour.asleep")
        follow_up.window_s = HANGS_S
        await speaker.speak(SPEECH)
        await speaker.say("parlour.start")  # the same conversation again
        await speaker.state("listening")
        await speaker.speak(SPEECH)
        await speaker.event("response.done")
        assert len(speaker.of("input_audio_buffer.speech_started")) == 1
        assert len(speaker.of("session.created")) == 1


async def test_a_muted_microphone_is_not_heard(tmp_path: Path) -> None:
    async with kitchen(tmp_path, mqtt_follow_up_s=HANGS_S) as speaker:
        await speaker.client.publish(speaker.up("mute"), "on", qos=1)
        await speaker.say("parlour.start", session=ONE_SECOND)
        await speaker.event("session.updated", 2)
        await speaker.speak(SPEECH)
        await speaker.client.publish(speaker.up("mute"), "off", qos=1)
        await speaker.state("listening")
        await speaker.speak(SPEECH)
        await speaker.event("response.done")
        assert len(speaker.of("input_audio_buffer.speech_started")) == 1


async def test_barge_in_remembers_only_what_the_loudspeaker_played(tmp_path: Path) -> None:
    async with kitchen(tmp_path, mqtt_follow_up_s=HANGS_S) as speaker:
        await speaker.say("parlour.start")
        await speaker.state("listening")
        await speaker.speak(SPEECH)
        await speaker.until(lambda: speaker.played.get(1, 0) >= 1500)
        await speaker.speak(SPEECH)
        cleared = await speaker.event("output_audio_buffer.cleared")
        assert cleared["answer"] == 1
        await speaker.until(lambda: speaker.of("parlour.heard"))
        await speaker.until(
            lambda: abs(speaker.of("parlour.heard")[-1]["audio_end_ms"] - speaker.played[1]) <= 1
        )
        assert speaker.played[1] < ANSWER_MS
        heard = speaker.of("parlour.heard")[-1]
        assert await history(speaker, heard["item_id"]) == heard["transcript"]
        assert RECITAL.startswith(heard["transcript"])
        # And the turn that interrupted is answered.
        await speaker.until(lambda: speaker.played.get(2, 0) > 0)


async def test_push_to_talk_hears_what_is_said_while_the_button_is_down(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as speaker:
        await speaker.sound(SPEECH)  # before it
        await speaker.say("parlour.start", push_to_talk=True, session=ONE_SECOND)
        await speaker.state("hearing")
        await speaker.sound(SPEECH)
        await speaker.say("parlour.release")
        await speaker.event("input_audio_buffer.committed")
        await speaker.sound(SPEECH)  # and after it
        await speaker.event("response.done")
        await speaker.until(lambda: speaker.played.get(1) == 1000)
        await speaker.state("idle")
        assert not speaker.of("error")
        [committed] = speaker.of("input_audio_buffer.committed")
        assert committed["previous_item_id"] is None


async def test_a_press_in_mid_answer_silences_it_and_is_heard(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as speaker:
        for turn in (1, 2):
            await speaker.say("parlour.start", push_to_talk=True)
            await speaker.sound(SPEECH)
            await speaker.say("parlour.release")
            await speaker.until(lambda turn=turn: speaker.played.get(turn, 0) >= 500)
        assert (await speaker.event("output_audio_buffer.cleared"))["answer"] == 1
        assert speaker.played[1] < ANSWER_MS


async def test_a_press_without_a_word_is_told_and_forgotten(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as speaker:
        await speaker.say("parlour.start", push_to_talk=True)
        await speaker.say("parlour.release")
        error = await speaker.event("error")
        assert error["error"]["code"] == "input_audio_buffer_commit_empty"
        await speaker.state("idle")


async def test_sound_comes_no_further_ahead_than_a_device_holds(tmp_path: Path, lateness: Lateness) -> None:
    async with kitchen(tmp_path, mqtt_lead_ms=300) as speaker:
        await speaker.say("parlour.start", push_to_talk=True)
        await speaker.sound(SPEECH)
        await speaker.say("parlour.release")
        ahead_ms = []
        while speaker.played.get(1, 0) < 2000:
            n = len(speaker.frames)
            await speaker.until(lambda n=n: len(speaker.frames) > n)
            ahead_ms.append(len(speaker.spoken(1)) / 48 - speaker.played.get(1, 0))
        # How exactly 300 ms are kept is told with a fake clock (transports/mqtt/test_paced.py); unpaced, the
        # answer's ten seconds come as fast as they are made.
        assert max(ahead_ms) < lateness.allowed_ms(1500)
        sizes = [len(pcm) // 2 for _, _, pcm in speaker.frames]
        assert [offset for _, offset, _ in speaker.frames] == [sum(sizes[:at]) for at in range(len(sizes))]


async def test_the_device_may_end_the_conversation(tmp_path: Path) -> None:
    async with kitchen(tmp_path, mqtt_follow_up_s=HANGS_S) as speaker:
        await speaker.say("parlour.start")
        await speaker.state("listening")
        await speaker.say("parlour.stop")
        assert (await speaker.event("parlour.closed"))["code"] == 1000
        await speaker.state("idle")
        await speaker.say("parlour.start")
        await speaker.event("session.created", 2)


async def test_fifty_speakers_converse_at_once_and_nobody_hears_anothers_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between two pieces of one's sound come those of all others: no silence, and no end of a turn.
    monkeypatch.setattr(registry, "Limits", partial(Limits, input_stall_s=HANGS_S))
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(running_broker(tmp_path))
        server = await stack.enter_async_context(
            running_server(mqtt_url=broker.url, mqtt_follow_up_s=HANGS_S)
        )
        speakers = [
            await stack.enter_async_context(device(broker.url, f"speaker-{number}")) for number in range(50)
        ]

        async def converse(speaker: Device) -> None:
            await speaker.say("parlour.start", session=ONE_SECOND)
            await speaker.state("listening")
            for turn in (1, 2):
                await speaker.speak(SPEECH)
                await speaker.event("response.done", turn)
                await speaker.until(lambda turn=turn: speaker.played.get(turn) == 1000)

        async with asyncio.TaskGroup() as tasks:
            for speaker in speakers:
                tasks.create_task(converse(speaker), name=speaker.name)
        sessions = {speaker.of("session.created")[0]["session"]["id"] for speaker in speakers}
        assert len(sessions) == server.sessions.open_count == 50
        for speaker in speakers:
            assert not speaker.of("error")
            assert {number for number, _, _ in speaker.frames} == {1, 2}
