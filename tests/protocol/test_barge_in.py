"""Who speaks over whom, and what of it the history keeps."""

from agent.api import (
    AssistantMessage,
    AudioDelta,
    GenerationDone,
    GenerationFailed,
    SpeechSkipped,
    TextDelta,
)
from realtime.protocol import effects as do
from tests.protocol.driver import Driver, types

EXTENSIONS = {"parlour": {"playback_ack": True, "alignment": True}}


def answer(driver: Driver, n_clauses: int = 4) -> str:
    """An answer of clauses, each "Word N here." and one second long, sent in no time."""
    driver.speak()
    for index in range(n_clauses):
        driver.say(f"Word {index} here. ", 1.0)
    return str(driver.last("response.created")["response"]["id"])


def heard(driver: Driver) -> str:
    """What the history holds of the latest answer."""
    driver.client("response.create", response={"conversation": "none"})
    said = [message for message in driver.request.messages if isinstance(message, AssistantMessage)]
    return said[-1].text if said else ""


def test_barge_in_is_told_first_then_ends_the_response_as_cancelled() -> None:
    driver = Driver()
    response_id = answer(driver)
    driver.now += 1.2
    told = driver.begin_speech()
    assert types(told) == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    done = told[-1]["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["output"][0]["status"] == "incomplete"
    assert driver.performed(do.StopGenerating) == [do.StopGenerating(response_id)]
    assert do.StopPlayback(response_id) in driver.effects


def test_barge_in_remembers_only_what_can_have_been_heard() -> None:
    driver = Driver()
    answer(driver)
    driver.now += 1.2
    driver.begin_speech()
    assert heard(driver) == "Word 0 here."


def test_barge_in_after_the_answer_was_sent_still_cuts_what_was_not_heard() -> None:
    driver = Driver()
    answer(driver)
    driver.finish()
    driver.now += 2.5
    told = driver.begin_speech()
    assert types(told) == ["input_audio_buffer.speech_started"]
    assert heard(driver) == "Word 0 here. Word 1 here. Word 2"


def test_an_answer_heard_to_its_end_is_kept_whole() -> None:
    driver = Driver()
    answer(driver)
    driver.finish()
    driver.now += 4.1
    driver.begin_speech()
    assert heard(driver) == "Word 0 here. Word 1 here. Word 2 here. Word 3 here. "


def test_words_that_were_written_but_never_spoken_are_not_history() -> None:
    driver = Driver()
    answer(driver, 1)
    driver.agent_says(TextDelta("Never spoken."))
    driver.client("response.cancel")
    driver.now += 10
    assert heard(driver) == "Word 0 here."


def test_the_clients_truncation_wins_over_the_clock() -> None:
    driver = Driver()
    answer(driver)
    driver.finish()
    item_id = driver.last("response.output_item.done")["item"]["id"]
    driver.now += 3.0
    driver.begin_speech()
    (told,) = driver.client("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=1000)
    assert (told["type"], told["audio_end_ms"]) == ("conversation.item.truncated", 1000)
    assert heard(driver) == "Word 0 here."
    driver.client("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=3000)
    assert heard(driver) == "Word 0 here. Word 1 here. Word 2 here."


def test_truncation_past_the_end_keeps_all_and_is_no_error() -> None:
    driver = Driver()
    answer(driver, 1)
    driver.finish()
    item_id = driver.last("response.output_item.done")["item"]["id"]
    told = driver.client("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=1040)
    assert types(told) == ["conversation.item.truncated"]
    assert heard(driver) == "Word 0 here. "


def test_a_retrieved_item_shows_what_was_heard() -> None:
    driver = Driver()
    answer(driver)
    driver.finish()
    item_id = driver.last("response.output_item.done")["item"]["id"]
    driver.client("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=2000)
    (told,) = driver.client("conversation.item.retrieve", item_id=item_id)
    assert told["item"]["content"] == [{"type": "output_audio", "transcript": "Word 0 here. Word 1 here."}]


def test_a_listener_who_reports_is_believed_over_the_clock() -> None:
    driver = Driver()
    driver.client("session.update", session=EXTENSIONS)
    answer(driver)
    item_id = driver.last("conversation.item.added")["item"]["id"]
    driver.now += 3.0
    driver.client("parlour.playback", item_id=item_id, played_ms=1000)
    told = driver.begin_speech()
    assert told[-1]["type"] == "parlour.heard"
    assert told[-1]["transcript"] == "Word 0 here."
    (later,) = driver.client("parlour.playback", item_id=item_id, played_ms=2000)
    assert (later["type"], later["transcript"]) == ("parlour.heard", "Word 0 here. Word 1 here.")
    assert heard(driver) == "Word 0 here. Word 1 here."


def test_parlours_own_events_go_only_to_a_client_that_asked() -> None:
    driver = Driver()
    answer(driver)
    driver.begin_speech()
    assert not [event for event in driver.sent if event["type"].startswith("parlour.")]


def test_alignment_tells_which_words_a_stretch_of_audio_holds() -> None:
    driver = Driver()
    driver.client("session.update", session=EXTENSIONS)
    answer(driver, 2)
    marks = [(mark["audio_end_ms"], mark["text_end"]) for mark in driver.of_type("parlour.alignment")]
    assert marks == [(1000, 13), (2000, 26)]


def test_text_that_is_not_spoken_is_told_and_kept() -> None:
    driver = Driver()
    driver.client("session.update", session=EXTENSIONS)
    driver.speak()
    driver.say("Привет!")
    driver.agent_says(SpeechSkipped(0, 7))
    skipped = driver.last("parlour.speech_skipped")
    assert (skipped["text_start"], skipped["text_end"]) == (0, 7)
    driver.finish(GenerationFailed("unspeakable_text", "It is in another language."))
    done = driver.last("response.done")["response"]
    assert done["status"] == "failed"
    assert done["output"][0]["id"] == skipped["item_id"]
    assert done["output"][0]["content"][0]["transcript"] == "Привет!"
    driver.speak()
    assert AssistantMessage("Привет!") in driver.request.messages


def test_a_client_that_asked_for_no_alignment_is_told_nothing_of_it() -> None:
    driver = Driver()
    driver.speak()
    driver.say("Привет!")
    assert driver.agent_says(SpeechSkipped(0, 7)) == []


def test_without_interrupt_response_the_answer_goes_on() -> None:
    driver = Driver()
    quiet = {"type": "server_vad", "interrupt_response": False}
    driver.client("session.update", session={"audio": {"input": {"turn_detection": quiet}}})
    answer(driver)
    assert types(driver.begin_speech()) == ["input_audio_buffer.speech_started"]
    assert driver.performed(do.StopGenerating) == []


def test_cancel_by_the_client_ends_the_response_once() -> None:
    driver = Driver()
    answer(driver)
    first = driver.client("response.cancel")
    assert first[-1]["response"]["status_details"]["reason"] == "client_cancelled"
    (second,) = driver.client("response.cancel", event_id="c2")
    assert second["error"]["code"] == "response_cancel_not_active"
    assert second["error"]["message"].startswith("Cancellation failed")
    assert second["error"]["event_id"] == "c2"
    assert driver.session.state.responses.current is None


def test_after_a_cancel_the_rest_of_the_sound_can_still_be_cut_off() -> None:
    driver = Driver()
    answer(driver)
    driver.client("response.cancel")
    driver.now += 2.0
    driver.begin_speech()
    assert heard(driver) == "Word 0 here. Word 1 here."


def test_two_answers_in_a_row_are_heard_one_after_the_other() -> None:
    driver = Driver()
    answer(driver, 2)
    driver.finish()
    driver.client("response.create")
    driver.say("Second answer now.", 2.0)
    driver.finish()
    driver.now += 1.0  # in the middle of the first
    driver.begin_speech()
    said = [item.heard_text for item in driver.session.conversation if hasattr(item, "heard_text")]
    assert said == ["Word 0 here.", ""]


def test_deleting_the_answer_while_it_is_made_leaves_the_session_whole() -> None:
    driver = Driver()
    answer(driver)
    item_id = driver.last("conversation.item.added")["item"]["id"]
    driver.client("conversation.item.delete", item_id=item_id)
    driver.say("More.", 0.5)
    driver.finish()
    driver.now += 0.1
    driver.begin_speech()
    driver.end_speech()
    assert driver.request.response_id != driver.requests[0].response_id


def test_a_written_answer_is_read_not_heard_so_it_stays_whole() -> None:
    driver = Driver()
    driver.client("session.update", session={"output_modalities": ["text"]})
    driver.speak()
    driver.agent_says(TextDelta("Half of"))
    driver.begin_speech()
    assert heard(driver) == "Half of"


def test_an_out_of_band_answer_is_not_interrupted_by_speech() -> None:
    driver = Driver()
    driver.client("response.create", response={"conversation": "none"})
    side = driver.request.response_id
    driver.begin_speech()
    ended = driver.agent_says(AudioDelta(bytes(480), 0), side) + driver.agent_says(GenerationDone(), side)
    assert ended[-1]["response"]["status"] == "completed"


def test_a_listener_who_goes_on_to_the_next_answer_has_left_the_one_before() -> None:
    driver = Driver()
    driver.client("session.update", session=EXTENSIONS)
    answer(driver, 2)
    driver.finish()
    first = driver.last("response.output_item.done")["item"]["id"]
    driver.client("parlour.playback", item_id=first, played_ms=1000)
    driver.client("response.create")
    driver.say("Second.", 1.0)
    second = driver.last("response.output_item.added")["item"]["id"]
    (told,) = driver.client("parlour.playback", item_id=second, played_ms=0)
    assert (told["item_id"], told["transcript"]) == (first, "Word 0 here.")


def test_a_truncation_is_not_lengthened_by_the_cancel_that_follows_it() -> None:
    driver = Driver()
    answer(driver)
    item_id = driver.last("conversation.item.added")["item"]["id"]
    driver.client("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=1000)
    driver.client("response.cancel")
    assert heard(driver) == "Word 0 here."
    driver.now += 10
    driver.begin_speech()
    assert heard(driver) == "Word 0 here."
