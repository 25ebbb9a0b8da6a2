"""The stock `openai` client configures its session: updates merge, null means off, the rest is ignored."""

import asyncio

from tests import speech
from tests.e2e.clients.talk import talking


async def test_session_updates_merge_and_null_means_off() -> None:
    async with talking() as talk:
        first = await talk.update(
            instructions="Be brief.",
            audio={
                "input": {"transcription": {"model": "whisper-1", "language": "en"}},
                "output": {"voice": "ash", "speed": 1.5},
            },
        )
        assert (first.instructions, first.audio.output.voice) == ("Be brief.", "ash")
        detection = {"type": "server_vad", "silence_duration_ms": 900}
        second = await talk.update(
            audio={"input": {"turn_detection": detection, "noise_reduction": {"type": "near_field"}}}
        )
        assert second.instructions == "Be brief."
        assert (second.audio.output.voice, second.audio.output.speed) == ("ash", 1.5)
        assert second.audio.input.transcription.language == "en"
        assert second.audio.input.turn_detection.silence_duration_ms == 900
        assert second.audio.input.turn_detection.threshold == 0.5
        assert second.audio.input.noise_reduction.type == "near_field"
        third = await talk.update(tracing="auto")
        assert (third.tracing, third.audio) == ("auto", second.audio)
        off = {"turn_detection": None, "transcription": None, "noise_reduction": None}
        fourth = await talk.update(audio={"input": off}, tracing=None)
        heard = fourth.audio.input
        assert (heard.turn_detection, heard.transcription, heard.noise_reduction) == (None, None, None)
        assert fourth.tracing is None
        assert fourth.instructions == "Be brief."
        fifth = await talk.update(audio={"input": {"turn_detection": {"type": "server_vad"}}})
        assert fifth.audio.input.turn_detection.interrupt_response is True


async def test_what_stock_clients_ask_for_unasked_is_taken() -> None:
    async with talking() as talk:
        session = await talk.update(
            model="gpt-realtime",
            tracing={"workflow_name": "w"},
            truncation="disabled",
            include=None,
            parallel_tool_calls=True,
            reasoning=None,
            prompt=None,
            max_output_tokens="inf",
        )
        assert session.truncation == "disabled"
        assert talk.tap.oracle.errors == []


async def test_a_question_during_the_answer_is_answered_after_it() -> None:
    """Audio appended before session.updated and during an answer is heard, in order."""
    async with talking() as talk:
        await asyncio.gather(
            talk.connection.session.update(session={"type": "realtime", "instructions": "x"}),
            talk.say(speech.utterance("something").pcm24k),
        )
        await talk.say(bytes(48_000))
        await talk.next("response.done")
        await talk.speak("goforward")
        await talk.next("response.done")
        users = [e for e in talk.tap.oracle.named("conversation.item.added") if e["item"]["role"] == "user"]
    assert len(users) == 2
