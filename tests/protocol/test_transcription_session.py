"""A session that only transcribes: words of each utterance, some while it is spoken, and no answers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.api import Transcript
from realtime.protocol import effects as do
from realtime.protocol.inputs import SpeechPaused, SpeechStopped, Transcribed
from tests.protocol.driver import Driver, audio_b64, types

DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"


def transcribing(**audio_input: Any) -> Driver:
    driver = Driver()
    session = {"type": "transcription", "audio": {"input": audio_input}}
    (told,) = driver.client("session.update", session=session)
    assert told["type"] == "session.updated", told
    return driver


def test_its_object_is_that_of_a_transcription_session() -> None:
    session = transcribing().last("session.updated")["session"]
    assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
    assert set(session) == {"type", "object", "id", "expires_at", "audio", "include"}
    assert session["audio"]["input"]["transcription"] == {}
    assert session["audio"]["input"]["turn_detection"]["create_response"] is False


def test_each_utterance_gets_its_words_and_no_answer() -> None:
    driver = transcribing(transcription={"model": "whisper-1", "language": "en"})
    for words in ("one", "two"):
        told = types(driver.speak())
        assert told[:3] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
        ]
        final = driver.transcriptions[-1]
        assert (final.is_final, final.language) == (True, "en")
        assert types(driver.transcribe(words, final.item_id)) == [DELTA, COMPLETED]
    driver.advance(60.0)
    assert driver.requests == []


def test_push_to_talk_too() -> None:
    driver = transcribing(turn_detection=None)
    driver.client("input_audio_buffer.append", audio=audio_b64(500))
    told = driver.client("input_audio_buffer.commit")
    assert types(told)[0] == "input_audio_buffer.committed"
    assert types(driver.transcribe("words", told[0]["item_id"])) == [DELTA, COMPLETED]
    assert driver.requests == []


@pytest.mark.parametrize(
    ("event_type", "fields"), [("response.create", {}), ("parlour.say", {"text": "Hello."})]
)
def test_an_answer_that_is_asked_for_is_refused(event_type: str, fields: dict[str, Any]) -> None:
    driver = transcribing()
    assert types(driver.client(event_type, **fields)) == ["error"]
    assert driver.requests == []


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"instructions": "x"}, "session.instructions"),
        ({"output_modalities": ["text"]}, "session.output_modalities"),
        ({"audio": {"output": {"voice": "amber"}}}, "session.audio.output"),
        ({"audio": {"input": {"transcription": None}}}, "session.audio.input.transcription"),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": True}}}},
            "session.audio.input.turn_detection.create_response",
        ),
        (
            {"audio": {"input": {"turn_detection": {"idle_timeout_ms": 6000}}}},
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        ({"audio": 5}, "session.audio"),
        ({"audio": {"input": []}}, "session.audio.input"),
        ({"type": "realtime"}, "session.type"),
    ],
)
def test_what_would_need_an_answer_is_refused_by_name(session: dict[str, Any], param: str) -> None:
    driver = transcribing()
    (told,) = driver.client("session.update", session={"type": "transcription", **session})
    assert (told["type"], told["error"]["param"]) == ("error", param)


def test_another_turn_detector_makes_no_answers_either() -> None:
    driver = transcribing()
    detection = {"type": "semantic_vad", "eagerness": "high"}
    (told,) = driver.client("session.update", session={"audio": {"input": {"turn_detection": detection}}})
    assert told["session"]["audio"]["input"]["turn_detection"]["create_response"] is False


def test_a_conversation_that_has_begun_stays_one() -> None:
    driver = Driver()
    driver.write("Hello")
    (told,) = driver.client("session.update", session={"type": "transcription"})
    assert told["error"]["param"] == "session.type"


# While the user speaks --------------------------------------------------------------------


def pause(driver: Driver, words: str) -> list[dict[str, Any]]:
    """The speaker goes on for a while and pauses, and the recogniser understands this so far."""
    driver.hear(500)
    driver.feed(SpeechPaused(driver.session.audio_ms - 200))
    wanted = driver.transcriptions[-1]
    assert not wanted.is_final
    return driver.feed(Transcribed(wanted.item_id, 0, Transcript(words, 1.0), is_final=False))


def deltas(driver: Driver) -> str:
    return "".join(event["delta"] for event in driver.sent if event["type"] == DELTA)


def test_the_words_before_the_last_are_sent_at_a_pause_and_the_rest_at_the_end() -> None:
    driver = transcribing()
    item_id = driver.begin_speech()[0]["item_id"]
    assert [event["delta"] for event in pause(driver, "So it is.")] == ["So it"]
    assert [event["delta"] for event in pause(driver, "So it isn't all.")] == [" isn't"]
    driver.end_speech()
    assert types(driver.transcribe("So it isn't all of it.", item_id)) == [DELTA, COMPLETED]
    assert deltas(driver) == "So it isn't all of it."


def test_words_that_turn_out_to_be_others_are_said_in_the_end_alone() -> None:
    driver = transcribing()
    item_id = driver.begin_speech()[0]["item_id"]
    pause(driver, "Recognise speech please")
    assert pause(driver, "Wreck a nice beach please") == []
    driver.end_speech()
    (completed,) = driver.transcribe("Wreck a nice beach, please.", item_id)
    assert (completed["type"], completed["transcript"]) == (COMPLETED, "Wreck a nice beach, please.")


def test_of_speech_that_the_client_clears_no_words_are_kept() -> None:
    driver = transcribing()
    driver.begin_speech()
    pause(driver, "one two three")
    driver.client("input_audio_buffer.clear")
    assert driver.session.state.transcribed_so_far == {}


def test_words_so_far_that_come_late_are_not_sent() -> None:
    driver = transcribing()
    item_id = driver.begin_speech()[0]["item_id"]
    driver.feed(SpeechPaused(driver.session.audio_ms))
    driver.feed(SpeechStopped(driver.session.audio_ms))
    late = Transcribed(item_id, 0, Transcript("one two", 1.0), is_final=False)
    assert driver.feed(late) == []
    driver.transcribe("one two three", item_id)
    assert driver.feed(late) == []
    assert deltas(driver) == "one two three"


@given(st.lists(st.sampled_from(["a", "bc", "d."]), min_size=1, max_size=12), st.data())
def test_where_no_word_is_taken_back_the_deltas_are_the_transcript(words: list[str], data: Any) -> None:
    driver = transcribing()
    item_id = driver.begin_speech()[0]["item_id"]
    for count in sorted(data.draw(st.lists(st.integers(0, len(words)), max_size=5))):
        pause(driver, " ".join(words[:count]))
    driver.end_speech()
    driver.transcribe(" ".join(words), item_id)
    assert deltas(driver) == " ".join(words)
    assert driver.performed(do.Generate) == []
