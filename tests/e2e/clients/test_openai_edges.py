"""The stock `openai` client at the edges: what was heard once stays heard, parallel answers stay whole."""

import base64
from typing import Any

import pytest

from agent.scripted.agent import RECITAL
from tests import speech
from tests.agent.reciter import Reciter
from tests.e2e.clients.talk import END_SILENCE, Talk, talking
from tests.e2e.clients.test_openai_turns import NEVER_AHEAD, start_reciting, words_of


def begun_item(talk: Talk) -> str:
    """The answer that is being generated."""
    [added] = [event for event in talk.seen if event.type == "response.output_item.added"]
    return str(added.item.id)


async def truncate(talk: Talk, item_id: str, audio_end_ms: int) -> None:
    await talk.connection.conversation.item.truncate(
        item_id=item_id, content_index=0, audio_end_ms=audio_end_ms
    )
    await talk.next("conversation.item.truncated")


async def test_a_cancellation_does_not_lengthen_what_was_truncated() -> None:
    """openai-agents truncates first, and cancels then, where the server does not interrupt."""
    async with talking(Reciter(), playback_lead_s=NEVER_AHEAD) as talk:
        await start_reciting(talk)
        for _ in range(3):
            await talk.next("response.output_audio.delta")
        item_id = begun_item(talk)
        await truncate(talk, item_id, 170)
        await talk.connection.response.cancel()
        await talk.next("response.done")
        assert await words_of(talk, item_id) == "This"


async def test_a_later_barge_in_does_not_lengthen_what_was_truncated() -> None:
    """The client stopped playing at the truncation, though the answer went on being generated."""
    async with talking(Reciter(), playback_lead_s=NEVER_AHEAD) as talk:
        await start_reciting(talk)
        item_id = begun_item(talk)
        await truncate(talk, item_id, 0)
        for _ in range(6):
            await talk.next("response.output_audio.delta")
        await talk.speak()
        await talk.next("response.done")
        assert await words_of(talk, item_id) == ""
        await talk.connection.response.cancel()


async def test_parallel_spoken_answers_are_both_whole() -> None:
    async with talking(playback_lead_s=7.0) as talk:  # the last three seconds come in turns
        await talk.update(audio={"output": {"format": {"type": "audio/pcmu"}}})
        await start_reciting(talk)
        await talk.connection.response.create(response={"conversation": "none", "input": []})
        ids = [(await talk.next("response.done")).response.id for _ in range(2)]
    for response_id in ids:
        pieces = [
            event.delta
            for event in talk.seen
            if event.type == "response.output_audio.delta" and event.response_id == response_id
        ]
        sound = b"".join(base64.b64decode(piece) for piece in pieces)
        assert len(sound) == pytest.approx(10 * 8_000, abs=200)


async def test_a_turn_can_be_committed_before_its_end_is_heard() -> None:
    utterance = speech.utterance("something")
    middle = (utterance.speech_start_ms + 1_200) * 48
    async with talking() as talk:
        await talk.say(utterance.pcm24k[:middle])
        started = await talk.next("input_audio_buffer.speech_started")
        await talk.connection.input_audio_buffer.commit()
        committed = await talk.next("input_audio_buffer.committed")
        assert committed.item_id == started.item_id
        await talk.say(utterance.pcm24k[middle:] + END_SILENCE)
        rest = await talk.next("input_audio_buffer.speech_started")
        assert rest.item_id != started.item_id
        await talk.next("response.done")


async def test_push_to_talk_interrupts_as_pipecat_does() -> None:
    """Clear, the onset again, cancel whether or not there is something to cancel, truncate."""
    errors = ("response_cancel_not_active",)
    async with talking(Reciter(), errors=errors, playback_lead_s=NEVER_AHEAD) as talk:
        await talk.update(audio={"input": {"turn_detection": None}})
        await start_reciting(talk)
        item_id = begun_item(talk)
        await talk.connection.input_audio_buffer.clear()
        await talk.say(bytes(24_000))
        await talk.connection.response.cancel()
        assert (await talk.next("response.done")).response.status == "cancelled"
        await truncate(talk, item_id, 170)
        await talk.connection.input_audio_buffer.commit()
        await talk.connection.response.create(response={"output_modalities": ["text"]})
        assert (await talk.next("response.done")).response.status == "completed"
        await talk.connection.response.cancel()
        await talk.fails("response_cancel_not_active")
        assert await words_of(talk, item_id) == "This"


async def test_history_replayed_after_a_reconnection_keeps_its_order() -> None:
    """As LiveKit does: each item after the one before it, the first at the root."""
    async with talking() as talk:
        previous = "root"
        said = [
            ("user", "input_text", "Hello."),
            ("assistant", "output_text", "Hi."),
            ("user", "input_text", "Bye."),
        ]
        for number, (role, kind, words) in enumerate(said):
            item: dict[str, Any] = {
                "id": f"replayed_{number}",
                "type": "message",
                "role": role,
                "content": [{"type": kind, "text": words}],
            }
            await talk.connection.conversation.item.create(item=item, previous_item_id=previous)  # type: ignore[arg-type]
            added = await talk.next("conversation.item.added")
            assert added.previous_item_id == (None if previous == "root" else previous)
            previous = item["id"]
        await talk.connection.response.create()
        done = await talk.next("response.done")
    assert done.response.output[0].content[0].transcript == RECITAL
