"""Turns by server VAD and by push to talk, answers by voice and in writing."""

import pytest

from agent.api import (
    AssistantMessage,
    AudioDelta,
    AudioPart,
    GenerationDone,
    GenerationFailed,
    TextDelta,
    TextPart,
    ToolCall,
    ToolResultMessage,
    Usage,
    UserMessage,
)
from realtime.protocol import effects as do
from tests.protocol.driver import Driver, audio_b64, types


def test_a_spoken_turn_sends_the_ladder_of_the_reference_in_order() -> None:
    driver = Driver()
    driver.speak()
    driver.agent_says(TextDelta("Hello."))
    driver.agent_says(AudioDelta(bytes(4800), 6))
    driver.finish()
    assert types(driver.sent) == [
        "session.created",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert [effect.pcm for effect in driver.performed(do.Play)] == [bytes(4800)]
    done = driver.last("response.done")["response"]
    assert done["status"] == "completed"
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hello."}]


def test_the_user_item_holds_the_speech_with_its_prefix_and_no_more() -> None:
    driver = Driver()
    driver.hear(2000)
    driver.begin_speech()  # speech from 2,000 ms
    driver.hear(900)
    driver.end_speech()  # 1,500 ms are left after it; it ends 400 ms before the last sample
    (message,) = driver.request.messages
    assert isinstance(message, UserMessage)
    (part,) = message.parts
    assert isinstance(part, AudioPart)
    assert driver.last("input_audio_buffer.speech_started")["audio_start_ms"] == 1700
    assert driver.last("input_audio_buffer.speech_stopped")["audio_end_ms"] == 3100
    assert len(part.pcm) == (3100 - 1700) * 32


def test_what_was_warmed_at_the_pause_is_what_is_asked_at_the_end() -> None:
    driver = Driver()
    driver.speak()
    (warm,) = driver.performed(do.Warm)
    assert warm.request.messages == driver.request.messages
    assert warm.request.instructions == driver.request.instructions


def test_ids_link_each_item_to_the_one_before() -> None:
    driver = Driver()
    driver.speak()
    driver.say("One.", 0.1)
    driver.finish()
    driver.speak()
    added = driver.of_type("conversation.item.added")
    assert [event["previous_item_id"] for event in added] == [
        None,
        added[0]["item"]["id"],
        added[1]["item"]["id"],
    ]
    assert driver.last("input_audio_buffer.committed")["previous_item_id"] == added[1]["item"]["id"]


def test_a_written_answer_has_text_events_and_no_audio() -> None:
    driver = Driver()
    driver.client("session.update", session={"type": "realtime", "output_modalities": ["text"]})
    driver.write("hello")
    driver.client("response.create")
    assert driver.request.modality == "text"
    driver.agent_says(TextDelta("Hi "))
    driver.agent_says(AudioDelta(bytes(480), 2))  # an agent that speaks all the same is not heard
    driver.agent_says(TextDelta("there."))
    driver.finish(GenerationDone(usage=Usage(10, 0, 4, 3, 0)))
    assert driver.performed(do.Play) == []
    assert [event["delta"] for event in driver.of_type("response.output_text.delta")] == ["Hi ", "there."]
    assert driver.last("response.output_text.done")["text"] == "Hi there."
    assert driver.last("response.content_part.done")["part"] == {"type": "text", "text": "Hi there."}
    usage = driver.last("response.done")["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (10, 3, 13)
    assert usage["input_token_details"]["cached_tokens"] == 4


def test_push_to_talk_answers_only_when_asked() -> None:
    driver = Driver()
    driver.client("session.update", session={"audio": {"input": {"turn_detection": None}}})
    driver.client("input_audio_buffer.append", audio=audio_b64(500))
    committed = driver.client("input_audio_buffer.commit")
    assert types(committed) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert driver.requests == []
    driver.client("response.create")
    (message,) = driver.request.messages
    assert isinstance(message, UserMessage)
    assert isinstance(message.parts[0], AudioPart)
    assert len(message.parts[0].pcm) == 500 * 32


def test_push_to_talk_keeps_all_audio_until_the_commit() -> None:
    driver = Driver()
    driver.client("session.update", session={"audio": {"input": {"turn_detection": None}}})
    driver.hear(60_000)
    driver.client("input_audio_buffer.commit")
    driver.client("response.create")
    (message,) = driver.request.messages
    assert isinstance(message, UserMessage)
    assert isinstance(message.parts[0], AudioPart)
    assert len(message.parts[0].pcm) == 60_000 * 32


def test_settings_that_the_detector_does_not_need_can_change_in_mid_speech() -> None:
    driver = Driver()
    driver.begin_speech()
    patch = {"type": "server_vad", "interrupt_response": False, "idle_timeout_ms": 10_000}
    told = driver.client("session.update", session={"audio": {"input": {"turn_detection": patch}}})
    assert types(told) == ["session.updated"]
    assert driver.performed(do.ResetTurnDetector) == []
    driver.end_speech()
    (item_id,) = {event["item_id"] for event in driver.sent if "speech_" in event["type"]}
    assert driver.last("input_audio_buffer.committed")["item_id"] == item_id
    assert len(driver.requests) == 1


def test_a_new_detector_in_mid_speech_loses_nothing_of_what_was_said() -> None:
    driver = Driver()
    driver.hear(1000)
    driver.begin_speech()  # from 1,000 ms
    driver.hear(900)
    patch = {"type": "semantic_vad", "eagerness": "low"}
    told = driver.client("session.update", session={"audio": {"input": {"turn_detection": patch}}})
    assert types(told)[:3] == [
        "session.updated",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
    ]
    assert driver.performed(do.ResetTurnDetector)
    (message,) = driver.request.messages
    assert isinstance(message, UserMessage)
    assert isinstance(message.parts[0], AudioPart)
    assert len(message.parts[0].pcm) == (300 + 1000) * 32


def test_speech_that_began_before_push_to_talk_is_in_its_first_commit() -> None:
    driver = Driver()
    driver.begin_speech()
    told = driver.client("session.update", session={"audio": {"input": {"turn_detection": None}}})
    assert types(told) == ["session.updated"]
    driver.hear(900)
    driver.client("input_audio_buffer.commit")
    driver.client("response.create")
    (message,) = driver.request.messages
    assert isinstance(message, UserMessage)
    assert isinstance(message.parts[0], AudioPart)
    assert len(message.parts[0].pcm) == 1000 * 32


def test_listening_to_silence_keeps_no_more_than_a_prefix() -> None:
    driver = Driver()
    for _ in range(600):
        driver.hear(1000)
    assert driver.session.audio_ms == 600_000
    assert driver.session.state.input_buffer.held_ms < 8_000


def test_a_turn_that_ends_during_an_answer_is_answered_after_it() -> None:
    driver = Driver()
    quiet = {"type": "server_vad", "interrupt_response": False}
    driver.client("session.update", session={"audio": {"input": {"turn_detection": quiet}}})
    driver.speak()
    first = driver.request.response_id
    driver.speak()
    assert len(driver.requests) == 1
    driver.finish()
    assert len(driver.requests) == 2
    assert driver.request.response_id != first
    assert len(driver.request.messages) == 2


def test_cancelling_an_answer_does_not_forget_the_turn_that_waits() -> None:
    driver = Driver()
    quiet = {"type": "server_vad", "interrupt_response": False}
    driver.client("session.update", session={"audio": {"input": {"turn_detection": quiet}}})
    driver.speak()
    driver.speak()
    driver.client("response.cancel")
    assert len(driver.requests) == 2
    assert driver.session.state.responses.current is not None


def test_without_create_response_a_turn_is_committed_and_not_answered() -> None:
    driver = Driver()
    silent = {"type": "server_vad", "create_response": False}
    driver.client("session.update", session={"audio": {"input": {"turn_detection": silent}}})
    driver.speak()
    assert driver.of_type("input_audio_buffer.committed")
    assert driver.requests == []
    assert driver.performed(do.Warm) == []


def test_sound_without_words_gets_an_empty_completed_response() -> None:
    driver = Driver()
    driver.speak()
    driver.finish(GenerationDone("no_words"))
    done = driver.last("response.done")["response"]
    assert (done["status"], done["output"]) == ("completed", [])


def test_an_answer_that_was_cut_short_by_its_token_limit_says_so() -> None:
    driver = Driver()
    driver.speak()
    driver.say("One two")
    driver.finish(GenerationDone("max_tokens"))
    done = driver.last("response.done")["response"]
    assert done["status"] == "incomplete"
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert done["output"][0]["status"] == "incomplete"


def test_a_failure_ends_the_response_and_the_next_turn_works() -> None:
    driver = Driver()
    driver.speak()
    driver.say("One two three four.", 1.0)
    driver.agent_says(TextDelta(" Five six."))
    driver.finish(GenerationFailed("agent_unavailable", "It died."))
    done = driver.last("response.done")["response"]
    assert done["status"] == "failed"
    assert done["status_details"]["error"]["code"] == "agent_unavailable"
    driver.advance(5)
    driver.speak()
    assert driver.request.messages[1] == AssistantMessage("One two three four.")
    driver.say("Fine.", 0.1)
    driver.finish()
    assert driver.last("response.done")["response"]["status"] == "completed"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("agent_out_of_memory", "server_error"),
        ("context_length_exceeded", "invalid_request_error"),
        ("invalid_value", "invalid_request_error"),
    ],
)
def test_a_failure_says_whether_the_request_itself_is_at_fault(code: str, kind: str) -> None:
    driver = Driver()
    driver.speak()
    driver.finish(GenerationFailed(code, "In one sentence."))
    error = driver.last("response.done")["response"]["status_details"]["error"]
    assert error == {"type": kind, "code": code, "message": "In one sentence."}


def test_a_tool_call_is_shown_step_by_step_and_its_result_reaches_the_agent() -> None:
    driver = Driver()
    tool = {
        "type": "function",
        "name": "clock",
        "description": "tells the time",
        "parameters": {"type": "object"},
    }
    driver.client("session.update", session={"tools": [tool]})
    driver.write("what time is it")
    driver.client("response.create")
    assert driver.request.tools[0].name == "clock"
    shown = driver.agent_says(ToolCall("call_9", "clock", '{"zone": "UTC"}'))
    assert types(shown) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
    ]
    assert shown[0]["item"]["arguments"] == ""
    assert shown[-1]["item"]["status"] == "completed"
    assert shown[3]["name"] == "clock"
    driver.finish()
    result = {"type": "function_call_output", "call_id": "call_9", "output": "noon"}
    driver.client("conversation.item.create", item=result)
    driver.client("response.create")
    assert driver.request.messages[-1] == ToolResultMessage("call_9", "noon")


def test_an_out_of_band_response_leaves_the_conversation_alone() -> None:
    driver = Driver()
    driver.write("first", id="one")
    driver.client("response.create")
    shown = driver.client(
        "response.create",
        response={
            "conversation": "none",
            "metadata": {"topic": "x"},
            "output_modalities": ["text"],
            "input": [
                {"type": "item_reference", "id": "one"},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "second"}]},
            ],
        },
    )
    assert shown[0]["response"]["conversation_id"] is None
    assert shown[0]["response"]["metadata"] == {"topic": "x"}
    side = driver.request.response_id
    assert driver.request.messages == (
        UserMessage((TextPart("first"),)),
        UserMessage((TextPart("second"),)),
    )
    items = len(driver.session.conversation)
    written = driver.agent_says(TextDelta("aside"), side) + driver.agent_says(GenerationDone(), side)
    assert not [event for event in written if event["type"].startswith("conversation.item")]
    assert written[-1]["response"]["id"] == side
    assert len(driver.session.conversation) == items
    assert driver.session.state.responses.current is not None


def test_settings_of_one_response_do_not_outlive_it() -> None:
    driver = Driver()
    driver.client("response.create", response={"instructions": "shout", "output_modalities": ["text"]})
    assert (driver.request.instructions, driver.request.modality) == ("shout", "text")
    driver.finish()
    driver.client("response.create")
    assert (driver.request.instructions, driver.request.modality) == ("", "audio")


def test_the_words_of_the_user_are_told_and_replace_the_sound_in_history() -> None:
    driver = Driver()
    driver.client("session.update", session={"audio": {"input": {"transcription": {"model": "any"}}}})
    driver.speak()
    (wanted,) = driver.performed(do.Transcribe)
    told = driver.transcribe("what time is it", wanted.item_id)
    assert types(told) == [
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert told[1]["usage"] == {"type": "duration", "seconds": 1.0}
    driver.finish()
    driver.speak()
    assert driver.request.messages[0] == UserMessage((AudioPart(b"", "what time is it"),))


def test_audio_beside_a_typed_instruction_stays_when_its_words_are_known() -> None:
    """It may be asked how long or how loud it is, now or later."""
    driver = Driver()
    audio = audio_b64(1_000)
    content = [{"type": "input_audio", "audio": audio}, {"type": "input_text", "text": "How long is it?"}]
    driver.client("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    (wanted,) = driver.performed(do.Transcribe)
    driver.transcribe("go forward", wanted.item_id)
    driver.client("response.create")
    (message,) = driver.request.messages
    assert isinstance(message, UserMessage)
    assert message.parts == (AudioPart(wanted.pcm, "go forward"), TextPart("How long is it?"))


def test_words_are_kept_but_not_told_to_a_client_that_did_not_ask() -> None:
    driver = Driver()
    driver.speak()
    item_id = driver.last("input_audio_buffer.committed")["item_id"]
    assert driver.transcribe("hello", item_id) == []
    shown = driver.client("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert [part["transcript"] for part in shown["content"]] == ["hello"]


def test_a_failed_transcription_is_told_once_and_harms_nothing() -> None:
    driver = Driver()
    driver.client("session.update", session={"audio": {"input": {"transcription": {"model": "any"}}}})
    driver.speak()
    item_id = driver.last("input_audio_buffer.committed")["item_id"]
    told = driver.fail_transcription(item_id)
    assert types(told) == ["conversation.item.input_audio_transcription.failed"]
    driver.finish()
    assert driver.session.state.responses.current is None


def test_late_events_of_an_ended_response_vanish() -> None:
    driver = Driver()
    driver.speak()
    old = driver.request.response_id
    driver.finish()
    assert driver.agent_says(TextDelta("late"), old) == []
    assert driver.agent_says(GenerationDone(), old) == []
    assert driver.agent_says(GenerationFailed("agent_error", "late"), old) == []


def test_new_instructions_are_read_ahead_of_the_first_turn() -> None:
    driver = Driver()
    driver.client("session.update", session={"instructions": "You are a lighthouse keeper."})
    (warm,) = driver.performed(do.Warm)
    assert warm.request.instructions == "You are a lighthouse keeper."
    driver.client("session.update", session={"output_modalities": ["text"]})
    assert len(driver.performed(do.Warm)) == 1
