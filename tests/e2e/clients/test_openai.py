"""The stock `openai` client converses: spoken, written, push to talk, interrupted, with tools."""

import asyncio

import pytest
from openai import AsyncOpenAI
from websockets.exceptions import InvalidStatus

from agent.api import AgentRequest, AssistantMessage, AudioPart, UserMessage
from agent.scripted.agent import RECITAL
from realtime.audio.g711 import encode_alaw, encode_mulaw
from tests import speech
from tests.conftest import running_server
from tests.e2e.clients.talk import (
    END_SILENCE,
    TEN_SECONDS_BYTES,
    WEATHER,
    Attentive,
    Talk,
    audio_of,
    talking,
)
from tests.e2e.clients.tap import tapped


def heard_s(request: AgentRequest) -> float:
    """How long the only utterance in the request is, as the scripted agent noted it down."""
    [heard] = request.messages
    assert isinstance(heard, UserMessage)
    [part] = heard.parts
    assert isinstance(part, AudioPart)
    if part.transcript is None:
        return len(part.pcm) / 32_000
    return float(part.transcript.removeprefix("(scripted: ").removesuffix(" seconds of speech)"))


async def push_to_talk(talk: Talk) -> None:
    await talk.update(audio={"input": {"turn_detection": None}})


# Conversations ------------------------------------------------------------------------


async def test_a_spoken_question_is_answered_in_sound_and_words() -> None:
    async with talking() as talk:
        await talk.speak()
        started = await talk.next("input_audio_buffer.speech_started")
        done = await talk.next("response.done")
        answer = talk.since(started)
    assert done.response.status == "completed"
    assert len(audio_of(answer)) == TEN_SECONDS_BYTES
    words = [event.delta for event in answer if event.type == "response.output_audio_transcript.delta"]
    assert len(words) > 50
    assert "".join(words) == done.response.output[0].content[0].transcript == RECITAL


async def test_speech_is_placed_where_it_was_heard() -> None:
    truth = speech.utterance("something")
    async with talking() as talk:
        await talk.speak("something")
        started = await talk.next("input_audio_buffer.speech_started")
        stopped = await talk.next("input_audio_buffer.speech_stopped")
        await talk.next("response.done")
    assert truth.speech_start_ms - 400 <= started.audio_start_ms <= truth.voiced_start_ms
    assert abs(stopped.audio_end_ms - truth.speech_end_ms) <= 400


async def test_two_spoken_turns_make_one_conversation() -> None:
    agent = Attentive()
    async with talking(agent) as talk:
        await talk.update(audio={"input": {"turn_detection": {"interrupt_response": False}}})
        for utterance in ("cards_001", "goforward"):
            await talk.speak(utterance)
            await talk.next("response.done")
        first, second, third, _ = talk.tap.oracle.named("conversation.item.added")
    assert second["previous_item_id"] == first["item"]["id"]
    assert third["previous_item_id"] == second["item"]["id"]
    kinds = [type(message) for message in agent.requests[1].messages]
    assert kinds == [UserMessage, AssistantMessage, UserMessage]


async def test_a_written_question_is_answered_in_sound_and_words() -> None:
    async with talking() as talk:
        acknowledged = await talk.write("Please recite.")
        await talk.connection.response.create()
        done = await talk.next("response.done")
        answer = talk.since(acknowledged)
    assert done.response.output[0].content[0].transcript == RECITAL
    assert len(audio_of(answer)) == TEN_SECONDS_BYTES


async def test_a_session_of_text_answers_without_sound() -> None:
    async with talking() as talk:
        session = await talk.update(output_modalities=["text"])
        await talk.speak()
        done = await talk.next("response.done")
        kinds = {event.type for event in talk.seen}
    assert session.output_modalities == done.response.output_modalities == ["text"]
    assert done.response.output[0].content[0].text == RECITAL
    assert "response.output_text.delta" in kinds
    assert not any("audio.delta" in kind or "transcript" in kind for kind in kinds)


async def test_push_to_talk_answers_when_asked() -> None:
    agent = Attentive()
    pcm = speech.utterance("something").pcm24k
    async with talking(agent) as talk:
        await push_to_talk(talk)
        await talk.say(pcm + END_SILENCE)
        await talk.connection.input_audio_buffer.commit()
        committed = await talk.next("input_audio_buffer.committed")
        added = await talk.next("conversation.item.done")
        assert (added.item.id, agent.requests) == (committed.item_id, [])
        await talk.connection.response.create()
        done = await talk.next("response.done")
        kinds = {event.type for event in talk.seen}
    assert done.response.status == "completed"
    assert "input_audio_buffer.speech_started" not in kinds
    [request] = agent.requests
    assert heard_s(request) == pytest.approx(len(pcm + END_SILENCE) / 48_000, abs=0.06)


async def test_cleared_audio_is_not_in_the_turn() -> None:
    agent = Attentive()
    async with talking(agent) as talk:
        await push_to_talk(talk)
        await talk.say(bytes(48_000))
        await talk.connection.input_audio_buffer.clear()
        await talk.next("input_audio_buffer.cleared")
        await talk.say(bytes(9_600))
        await talk.connection.input_audio_buffer.commit()
        await talk.next("input_audio_buffer.committed")
        await talk.connection.response.create()
        await talk.next("response.done")
    [request] = agent.requests
    assert heard_s(request) == pytest.approx(0.2, abs=0.06)


@pytest.mark.parametrize("eagerness", ["low", "medium", "high", "auto"])
async def test_semantic_vad_takes_turns(eagerness: str) -> None:
    async with talking() as talk:
        detection = {"type": "semantic_vad", "eagerness": eagerness}
        session = await talk.update(audio={"input": {"turn_detection": detection}})
        shown = session.audio.input.turn_detection
        assert (shown.type, shown.eagerness, shown.interrupt_response) == ("semantic_vad", eagerness, True)
        await talk.say(speech.utterance("something").pcm24k + 8 * END_SILENCE)
        done = await talk.next("response.done")
    assert done.response.status == "completed"


async def test_without_create_response_a_turn_waits_for_the_client() -> None:
    async with talking() as talk:
        detection = {"type": "server_vad", "create_response": False}
        await talk.update(audio={"input": {"turn_detection": detection}})
        await talk.speak()
        committed = await talk.next("conversation.item.done")
        await talk.update(instructions="Nothing has been answered by now.")
        assert not any(event.type == "response.created" for event in talk.since(committed))
        await talk.connection.response.create()
        await talk.next("response.done")


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
async def test_telephone_audio_goes_both_ways(kind: str) -> None:
    encode = encode_mulaw if kind == "audio/pcmu" else encode_alaw
    said = speech.utterance("something").pcm16k + bytes(32_000)
    async with talking() as talk:
        wire_format = {"type": kind}
        session = await talk.update(
            audio={"input": {"format": wire_format}, "output": {"format": wire_format}}
        )
        assert session.audio.input.format.type == session.audio.output.format.type == kind
        await talk.say(encode(_every_second_sample(said)))
        started = await talk.next("input_audio_buffer.speech_started")
        done = await talk.next("response.done")
        answer = audio_of(talk.since(started))
    truth = speech.utterance("something")
    assert truth.speech_start_ms - 400 <= started.audio_start_ms <= truth.voiced_start_ms + 100
    assert len(answer) == pytest.approx(10 * 8_000, abs=200)
    assert len(set(answer)) > 20, "a tone has many levels"
    assert done.response.audio.output.format.type == kind


def _every_second_sample(pcm16k: bytes) -> bytes:
    return b"".join(pcm16k[at : at + 2] for at in range(0, len(pcm16k), 4))


async def test_what_was_said_is_transcribed_for_whoever_wants_it() -> None:
    async with talking() as talk:
        wanted = {"model": "gpt-4o-mini-transcribe", "language": "en"}
        session = await talk.update(audio={"input": {"transcription": wanted}})
        assert session.audio.input.transcription.model == "gpt-4o-mini-transcribe"
        await talk.speak()
        completed = await talk.next("conversation.item.input_audio_transcription.completed")
        await talk.connection.conversation.item.retrieve(item_id=completed.item_id)
        retrieved = await talk.next("conversation.item.retrieved")
        deltas = [e.delta for e in talk.seen if e.type.endswith("input_audio_transcription.delta")]
    assert completed.transcript.startswith("(scripted: ")
    assert "".join(deltas) == completed.transcript == retrieved.item.content[0].transcript
    assert completed.usage.type == "duration"
    assert completed.usage.seconds == pytest.approx(speech.utterance("something").seconds, abs=1.0)


async def test_what_was_said_is_not_shown_unasked() -> None:
    async with talking() as talk:
        await talk.speak()
        await talk.next("response.done")
    assert not any("transcription" in kind for kind in talk.tap.oracle.types())


# Tools --------------------------------------------------------------------------------


async def test_a_tool_is_called_and_its_answer_spoken() -> None:
    async with talking() as talk:
        await talk.update(tools=[WEATHER])
        await talk.write("Will it rain?")
        await talk.connection.response.create()
        call = await talk.next("response.function_call_arguments.done")
        done = await talk.next("response.done")
        assert (call.name, done.response.output[0].status) == ("weather", "completed")
        answer = {"type": "function_call_output", "call_id": call.call_id, "output": "rain all day"}
        await talk.connection.conversation.item.create(item=answer)  # type: ignore[arg-type]
        shown = (await talk.next("conversation.item.done")).item
        assert (shown.type, shown.call_id, shown.output) == (
            "function_call_output",
            call.call_id,
            "rain all day",
        )
        await talk.connection.response.create()
        spoken = await talk.next("response.done")
    assert spoken.response.output[0].content[0].transcript == "The tool gave back: rain all day"


async def test_tool_choice_none_calls_nothing() -> None:
    async with talking() as talk:
        await talk.update(tools=[WEATHER])
        await talk.write("Will it rain?")
        await talk.connection.response.create(response={"tool_choice": "none"})
        done = await talk.next("response.done")
    assert [item.type for item in done.response.output] == ["message"]


# At the door --------------------------------------------------------------------------


async def test_a_key_is_required_where_keys_are_set() -> None:
    async with running_server(keys="right") as server, tapped(server.ws) as tap:
        for key in ("wrong", "righ", "right "[:4]):
            async with AsyncOpenAI(base_url=f"{tap.http}/v1", api_key=key) as client:
                with pytest.raises(InvalidStatus) as refused:
                    async with client.realtime.connect(model="scripted"):
                        pass
                assert refused.value.response.status_code == 401
        assert server.sessions.open_count == 0
    async with talking(keys="right") as talk:
        await talk.update(instructions="The right key opens.")


async def test_a_key_among_the_subprotocols_opens_and_realtime_is_chosen() -> None:
    async with running_server(keys="right") as server, tapped(server.ws) as tap:
        async with AsyncOpenAI(base_url=f"{tap.http}/v1", api_key="ignored") as client:
            offered = ["realtime", "openai-insecure-api-key.right", "openai-agents-sdk.0.20.0"]
            options = {"subprotocols": offered}
            async with client.realtime.connect(
                model="scripted",
                extra_headers={"Authorization": ""},
                websocket_connection_options=options,  # type: ignore[arg-type]
            ) as connection:
                assert (await connection.recv()).type == "session.created"
                assert connection._connection.subprotocol == "realtime"
        tap.oracle.judge()


async def test_sessions_of_several_clients_keep_apart() -> None:
    async def converse(word: str) -> str:
        async with talking() as talk:
            await talk.write(word)
            await talk.connection.response.create()
            done = await talk.next("response.done")
            return str(done.response.id)

    ids = await asyncio.gather(*(converse(str(number)) for number in range(3)))
    assert len(set(ids)) == 3
