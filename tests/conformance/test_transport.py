"""One suite for every transport: real sockets, a real broker, recorded speech, the scripted agent.

What was heard is each peer's own record: what its loudspeaker played, or what came over RTP and was decoded.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import permutations
from pathlib import Path

import pytest

from agent.api import AssistantMessage
from agent.scripted.agent import RECITAL
from realtime.transports.webrtc import peer as webrtc_peer
from tests.peers.base import Refused
from tests.peers.place import TRANSPORTS, Place, place
from tests.peers.recital import SENTENCE_MS, end_of_words_ms, recital, sentences
from tests.speech import utterance
from tests.waiting import Lateness, polled

QUESTION = utterance("cards_001")
INTERRUPTION = utterance("cards_003")
WITHIN_MS = 200
"""How far what the history holds may be from what was heard."""
N_MOVED = 5  # sentences of an answer that moves, and is heard on until it does
ASIDE = {"conversation": "none", "input": []}
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Serve = Callable[..., AbstractAsyncContextManager[Place]]


@pytest.fixture
def serve(transport: str, tmp_path: Path) -> Serve:
    return lambda **settings: place(tmp_path, transport, **settings)


async def test_a_session_starts_with_what_was_asked_for(serve: Serve, transport: str) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin(instructions="Be brief.")
        created = await peer.until("session.created")
        updated = peer.of("session.updated")[-1]["session"]
        assert updated["id"] == created["session"]["id"]
        assert updated["instructions"] == "Be brief."
        assert there.server.sessions.open_count == 1
        await peer.close()
        await there.server.emptied()


async def test_a_spoken_turn_is_heard_once_and_answered_aloud(serve: Serve, transport: str) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin(**sentences(1))
        await peer.speak(QUESTION)
        item_id = await peer.answer()
        await peer.hears(item_id, SENTENCE_MS - WITHIN_MS)
        [started] = peer.of("input_audio_buffer.speech_started")
        [stopped] = peer.of("input_audio_buffer.speech_stopped")
        assert len(peer.of("input_audio_buffer.committed")) == 1
        spoken_ms = QUESTION.speech_end_ms - QUESTION.speech_start_ms
        padding_ms = 300 + 100  # before the speech, and what the detector takes for its end
        assert abs(stopped["audio_end_ms"] - started["audio_start_ms"] - spoken_ms - padding_ms) < WITHIN_MS
        assert peer.words(item_id) == recital(1)
        assert len(peer.of("response.done")) == 1
        assert not peer.of("error")


async def test_a_typed_turn_is_answered_in_text_without_sound(serve: Serve, transport: str) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin(output_modalities=["text"])
        await peer.ask("Hello.")
        done = (await peer.until("response.done"))["response"]
        assert done["output"][0]["content"][0]["text"] == RECITAL
        assert there.agent.requests[0].messages[-1].parts[0].text == "Hello."
        assert not peer.heard_ms


async def test_who_speaks_over_an_answer_ends_it_and_is_answered(
    serve: Serve, transport: str, lateness: Lateness
) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin()
        await peer.ask()
        first = await peer.answer()
        await peer.hears(first, 500)
        await peer.speak(INTERRUPTION)
        second = await peer.answer(2)
        await peer.hears(second, 300)
        heard_ms = peer.heard_ms[first]
        assert heard_ms < lateness.allowed_ms(500 + INTERRUPTION.seconds * 1_000)
        assert peer.heard_ms[first] == heard_ms
        assert len(peer.of("input_audio_buffer.speech_started")) == 1
        kept = await peer.history(first)
        assert_heard(kept, heard_ms, lateness)
        assert said_by_assistant(there) == [kept]


async def test_the_history_and_the_agent_have_what_was_heard_and_only_that(
    serve: Serve, transport: str, lateness: Lateness
) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin()
        await peer.ask()
        item_id = await peer.answer()
        await peer.hears(item_id, 700)
        await peer.hush()
        await peer.until("response.done")
        await peer.falls_silent()
        kept = await peer.history(item_id)
        assert_heard(kept, peer.heard_ms[item_id], lateness)
        assert peer.heard_ms[item_id] < lateness.allowed_ms(1_500)
        await peer.ask("Go on.")
        await peer.answer(2)
        assert said_by_assistant(there) == [kept]


async def test_of_two_answers_at_once_each_is_heard_in_one_piece(
    serve: Serve, transport: str, lateness: Lateness
) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin(**sentences(4))
        await peer.send("response.create")
        await peer.send("response.create", response=ASIDE)
        first, second = await peer.answer(), await peer.answer(2)
        await peer.hears(second, 100)
        assert 4 * SENTENCE_MS - peer.heard_ms[first] < lateness.allowed_ms(WITHIN_MS)
        before_ms = peer.heard_ms[first]
        await peer.hears(second, 4 * SENTENCE_MS - WITHIN_MS)
        assert peer.heard_ms[first] == before_ms


async def test_an_answer_beside_the_conversation_is_silenced_as_any_other(
    serve: Serve, transport: str, lateness: Lateness
) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin()
        await peer.send("response.create", response=ASIDE)
        item_id = await peer.answer()
        await peer.hears(item_id, 700)
        await peer.hush()
        done = (await peer.until("response.done"))["response"]
        await peer.falls_silent()
        assert done["status"] == "cancelled"
        assert peer.heard_ms[item_id] < lateness.allowed_ms(1_500)
        assert not peer.of("conversation.item.truncated")


async def test_push_to_talk_hears_what_is_said_while_the_button_is_down(
    serve: Serve, transport: str, lateness: Lateness
) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin(**sentences(1))
        await peer.press()
        await peer.speak(QUESTION)
        await peer.release()
        await peer.hears(await peer.answer(), SENTENCE_MS - WITHIN_MS)
        assert len(peer.of("input_audio_buffer.committed")) == 1
        assert not peer.of("input_audio_buffer.speech_started")
        assert not peer.of("error")
        [heard_s] = there.agent.clips_s
        assert abs(heard_s - QUESTION.seconds - 1.0) * 1_000 < lateness.allowed_ms(300)


async def test_a_tool_is_called_and_what_it_gave_is_spoken(serve: Serve, transport: str) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin(tools=[WEATHER])
        await peer.ask("How is the weather?")
        call = await peer.until("response.function_call_arguments.done")
        await peer.until("response.done")
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
        await peer.send("conversation.item.create", item=output)
        await peer.send("response.create")
        item_id = await peer.answer()
        await peer.hears(item_id, 500)
        assert peer.words(item_id) == "The tool gave back: rain"


async def test_a_bad_event_is_told_by_its_id_and_the_session_goes_on(serve: Serve, transport: str) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin(**sentences(1))
        bad = [
            await peer.send("no.such.event"),
            await peer.send("conversation.item.retrieve", item_id="item_none"),
            await peer.send("conversation.item.create", item={"type": "message", "role": "nobody"}),
            await peer.send("session.update", session={"type": "realtime", "audio": 3}),
        ]
        await peer.until("error", len(bad))
        assert [event["error"]["event_id"] for event in peer.of("error")] == bad
        assert {event["error"]["type"] for event in peer.of("error")} == {"invalid_request_error"}
        await peer.ask()
        await peer.hears(await peer.answer(), SENTENCE_MS - WITHIN_MS)


async def test_a_full_server_says_so_and_the_others_feel_nothing(serve: Serve, transport: str) -> None:
    async with serve(sessions_max=1) as there:
        inside, outside = there.peer(transport), there.peer(transport)
        await inside.begin(**sentences(2))
        await inside.ask()
        item_id = await inside.answer()
        await inside.hears(item_id, 300)
        with pytest.raises(Refused) as refused:
            await outside.begin()
        assert refused.value.code == "server_full"
        await inside.hears(item_id, 2 * SENTENCE_MS - WITHIN_MS)
        assert not inside.of("error")
        await inside.close()
        await there.server.emptied()
        late = there.peer(transport)
        await late.begin()


async def test_one_who_is_gone_for_good_leaves_nothing_behind(
    serve: Serve, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(resume_grace_s=0.2) as there:
        before = len(asyncio.all_tasks())
        for moment in ("in mid-utterance", "in mid-answer"):
            peer = there.peer(transport)
            await peer.begin()
            if moment == "in mid-utterance":
                speaking = asyncio.create_task(peer.speak(QUESTION), name="user")
                await peer.until("input_audio_buffer.speech_started")
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)
            else:
                await peer.ask()
                await peer.hears(await peer.answer(), 200)
            with monkeypatch.context() as impatient:
                impatient.setattr(webrtc_peer, "SILENT_S_MAX", 1.0)
                await peer.kill()
                await there.server.emptied()
            await peer.close()
        await polled(lambda: len(asyncio.all_tasks()) <= before, "the end of all tasks")


async def test_killed_in_mid_answer_no_word_is_lost_or_repeated(
    serve: Serve, transport: str, lateness: Lateness
) -> None:
    async with serve(playback_lead_s=0.5) as there:
        peer = there.peer(transport)
        await peer.begin(**sentences(3))
        await peer.speak(QUESTION)
        item_id = await peer.answer()
        await peer.hears(item_id, 1_100)
        await peer.kill()
        resumed = await peer.resume()
        assert resumed["type"] == "parlour.resumed"
        await peer.hears(item_id, 3 * SENTENCE_MS - lateness.allowed_ms(WITHIN_MS))
        await peer.until("response.done")
        await peer.until("response.output_audio.done")
        await peer.falls_silent()
        assert abs(peer.heard_ms[item_id] - 3 * SENTENCE_MS) < lateness.allowed_ms(WITHIN_MS)
        assert peer.words(item_id) == recital(3)
        assert peer.answers() == [item_id]
        ids = [event["event_id"] for event in peer.events if "event_id" in event]
        assert len(set(ids)) == len(ids)
        assert len(there.agent.requests) == 1
        await peer.ask()
        await peer.answer(2)
        assert said_by_assistant(there) == [recital(3)]


async def test_killed_in_mid_sentence_what_was_said_is_one_turn(
    serve: Serve, transport: str, lateness: Lateness
) -> None:
    async with serve() as there:
        peer = there.peer(transport)
        await peer.begin(**sentences(1))
        speaking = asyncio.create_task(peer.speak(QUESTION), name="user")
        await peer.until("input_audio_buffer.speech_started")
        await peer.kill()
        assert (await peer.resume())["type"] == "parlour.resumed"
        await speaking
        await peer.hears(await peer.answer(), SENTENCE_MS - WITHIN_MS)
        assert len(peer.of("input_audio_buffer.committed")) == 1
        [heard_s] = there.agent.clips_s
        assert abs(heard_s - QUESTION.seconds) * 1_000 < lateness.allowed_ms(1_000)


@pytest.mark.parametrize(("there", "here"), list(permutations(TRANSPORTS, 2)))
async def test_an_answer_moves_to_another_transport_in_mid_word(
    there: str, here: str, tmp_path: Path, lateness: Lateness
) -> None:
    async with place(tmp_path, there, here, playback_lead_s=0.5) as both:
        old, new = both.peer(there), both.peer(here)
        await old.begin(**sentences(N_MOVED))
        token = await old.hand_over()
        await old.ask()
        item_id = await old.answer()
        await old.hears(item_id, 1_100)
        resumed = await new.take_over(token)
        assert resumed["type"] == "parlour.resumed"
        await old.until("parlour.moved")
        [playing] = resumed["playing"]
        assert playing["item_id"] == item_id
        assert abs(playing["heard_ms"] - old.heard_ms[item_id]) < lateness.allowed_ms(WITHIN_MS)
        await new.hears(item_id, N_MOVED * SENTENCE_MS - playing["heard_ms"] - lateness.allowed_ms(WITHIN_MS))
        await new.until("response.output_audio.done")
        goes_on = item_id in new.answers()  # a busy server may have made all of it before it moved
        if goes_on:
            await new.until("response.done")
        await new.falls_silent()
        heard_ms = old.heard_ms[item_id] + new.heard_ms[item_id]
        assert abs(heard_ms - N_MOVED * SENTENCE_MS) < lateness.allowed_ms(WITHIN_MS)
        assert not goes_on or new.words(item_id) == recital(N_MOVED)
        await new.ask()
        await new.hears(await new.answer(1 + goes_on), 300)
        assert said_by_assistant(both) == [recital(N_MOVED)]


# -----------------------------------------------------------------------------------------


def said_by_assistant(there: Place) -> list[str]:
    """What the agent was told, in its last request, that it had said before."""
    messages = there.agent.requests[-1].messages
    return [message.text for message in messages if isinstance(message, AssistantMessage)]


def assert_heard(kept: str, heard_ms: float, lateness: Lateness) -> None:
    """The words that were spoken in that time, to WITHIN_MS, and no half ones."""
    within_ms = lateness.allowed_ms(WITHIN_MS)
    assert RECITAL.startswith(kept)
    assert (RECITAL + " ")[len(kept)] in " ."
    spoken_ms = end_of_words_ms(len(kept.split()))
    assert -within_ms < heard_ms - spoken_ms < within_ms + 200  # it may have been in the middle of a word
