"""What bad input gets: an error with code, param and the client's event_id; the session goes on."""

import json
from typing import Any

import pytest

from agent.api import TextDelta, ToolCall
from realtime.errors import InvalidEvent
from realtime.protocol.codec import decode
from realtime.protocol.inputs import AudioReceived
from realtime.protocol.limits import Limits
from tests.protocol.driver import Driver, audio_b64, types

BROKEN = [
    ("{", "invalid_json", None),
    ("[1]", "invalid_json", None),
    ("[" * 100_000, "invalid_json", None),
    ('{"event_id": "e1"}', "missing_required_parameter", "type"),
    ('{"event_id": "e1", "type": "no.such"}', "invalid_value", "type"),
    ('{"event_id": "e1", "type": 5}', "invalid_value", "type"),
    ('{"event_id": "e1", "type": "input_audio_buffer.append"}', "missing_required_parameter", "audio"),
    ('{"event_id": "e1", "type": "input_audio_buffer.append", "audio": 5}', "invalid_type", "audio"),
    ('{"event_id": "e1", "type": "input_audio_buffer.append", "audio": "A*"}', "invalid_value", "audio"),
    ('{"event_id": "e1", "type": "session.update"}', "missing_required_parameter", "session"),
    ('{"event_id": "e1", "type": "conversation.item.retrieve"}', "missing_required_parameter", "item_id"),
    ('{"event_id": "e1", "type": "response.create", "reponse": {}}', "unknown_parameter", "reponse"),
    (
        '{"event_id": "e1", "type": "parlour.resume", "token": "t", "played": {"item": "i"}}',
        "unknown_parameter",
        "played.item",
    ),
    (
        '{"event_id": "e1", "type": "conversation.item.truncate", "item_id": "a", "content_index": "0",'
        ' "audio_end_ms": 1}',
        "invalid_type",
        "content_index",
    ),
]


@pytest.mark.parametrize(
    ("text", "code", "param"), BROKEN, ids=[code + str(param) for _, code, param in BROKEN]
)
def test_an_event_that_cannot_be_read_says_what_was_expected(text: str, code: str, param: str | None) -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode(text)
    assert (caught.value.code, caught.value.param) == (code, param)
    if '"e1"' in text:
        assert caught.value.event_id == "e1"


HALVES = [
    ('{"type": "parlour.say", "event_id": "e1", "text": "a \\ud83d b"}', "text", "e1"),
    ('{"type": "parlour.say", "event_id": "e1", "text": "\\ude00"}', "text", "e1"),
    (
        '{"type": "conversation.item.create", "event_id": "e1", "item": {"content": [1, "\\ud800"]}}',
        "item.content[1]",
        "e1",
    ),
    ('{"type": "session.update", "event_id": "e1", "session": {"a": {"\\ud800": 1}}}', "session.a", "e1"),
    ('{"type": "parlour.say", "event_id": "\\ud800", "text": "x"}', "event_id", None),
]


@pytest.mark.parametrize(("text", "param", "event_id"), HALVES)
def test_half_a_surrogate_pair_is_told_as_what_it_is(text: str, param: str, event_id: str | None) -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode(text)
    error = caught.value
    assert (error.code, error.param, error.event_id) == ("invalid_value", param, event_id)
    assert "surrogate" in error.message


def test_a_whole_pair_is_a_character() -> None:
    event = decode('{"type": "parlour.say", "text": "\\ud83d\\ude00"}')
    assert getattr(event, "text", None) == "\U0001f600"


def test_an_integer_may_be_written_with_a_point() -> None:
    driver = Driver()
    event = decode(
        '{"type": "conversation.item.truncate", "item_id": "a", "content_index": 0.0, "audio_end_ms": 1500.0}'
    )
    assert (getattr(event, "content_index", None), getattr(event, "audio_end_ms", None)) == (0, 1500)
    detection = {"silence_duration_ms": 700.0}
    (told,) = driver.client("session.update", session={"audio": {"input": {"turn_detection": detection}}})
    assert told["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 700
    assert driver.client("response.create", response={"max_output_tokens": 5.0})
    assert driver.request.max_output_tokens == 5
    with pytest.raises(InvalidEvent):
        decode(
            '{"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 1.5}'
        )


@pytest.mark.parametrize("levels", [101, 980, 985, 990, 995])
def test_nesting_that_only_the_decoder_can_follow_is_refused(levels: int) -> None:
    """It was read, with the whole stack free, and could not be sent on: the session ended."""
    tree = '{"tracing": ' + "[" * levels + "]" * levels + "}"
    with pytest.raises(InvalidEvent):
        decode('{"type": "session.update", "event_id": "deep", "session": ' + tree + "}")


def test_an_event_of_too_many_parts_is_refused_before_it_costs_others_their_time() -> None:
    driver = Driver()
    tools = [{"type": "function", "name": f"f{number}", "parameters": {}} for number in range(5000)]
    assert types(driver.client("session.update", session={"tools": tools[:4000]})) == ["session.updated"]
    (told,) = driver.client("session.update", session={"tools": tools}, event_id="wide")
    assert (told["error"]["code"], told["error"]["event_id"]) == ("invalid_value", "wide")


USER = {"type": "message", "role": "user"}
REFUSED: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("response.cancel", {}, "response_cancel_not_active", None),
    ("response.cancel", {"response_id": "resp_x"}, "response_cancel_not_active", None),
    ("input_audio_buffer.commit", {}, "input_audio_buffer_commit_empty", None),
    ("conversation.item.retrieve", {"item_id": "x"}, "item_retrieve_invalid_item_id", "item_id"),
    ("conversation.item.delete", {"item_id": "x"}, "item_delete_invalid_item_id", "item_id"),
    (
        "conversation.item.truncate",
        {"item_id": "x", "content_index": 0, "audio_end_ms": 0},
        "item_truncate_invalid_item_id",
        "item_id",
    ),
    ("conversation.item.create", {"item": {"type": "message"}}, "missing_required_parameter", "item.content"),
    ("conversation.item.create", {"item": {}}, "missing_required_parameter", "item.type"),
    ("conversation.item.create", {"item": {"type": "poem"}}, "invalid_value", "item.type"),
    ("conversation.item.create", {"item": {**USER, "content": [], "id": 5}}, "invalid_value", "item.id"),
    ("conversation.item.create", {"item": {**USER, "content": "hi"}}, "invalid_value", "item.content"),
    (
        "conversation.item.create",
        {"item": {**USER, "content": [{"type": "input_text"}]}},
        "missing_required_parameter",
        "item.content[0].text",
    ),
    (
        "conversation.item.create",
        {"item": {**USER, "content": [{"type": "input_text", "text": 7}]}},
        "invalid_type",
        "item.content[0].text",
    ),
    (
        "conversation.item.create",
        {"item": {**USER, "content": [{"type": "input_image", "image_url": "x"}]}},
        "invalid_value",
        "item.content[0].type",
    ),
    (
        "conversation.item.create",
        {"item": {**USER, "content": [{"type": "input_audio", "audio": "!"}]}},
        "invalid_value",
        "item.content[0].audio",
    ),
    (
        "conversation.item.create",
        {"item": {**USER, "content": [{"type": "input_audio", "audio": "AAAA"}]}},  # one and a half samples
        "invalid_value",
        "item.content[0].audio",
    ),
    (
        "conversation.item.create",
        {"item": {**USER, "content": [{"type": "input_audio", "audio": "AAA="}] * 101}},
        "invalid_value",
        "item.content",
    ),
    (
        "conversation.item.create",
        {"item": {**USER, "content": [{"type": "input_text", "text": "a" * 200_001}]}},
        "string_above_max_length",
        "item.content[0].text",
    ),
    (
        "conversation.item.create",
        {"item": {"type": "function_call_output", "output": "x"}},
        "missing_required_parameter",
        "item.call_id",
    ),
    (
        "conversation.item.create",
        {"item": {**USER, "content": []}, "previous_item_id": "nobody"},
        "item_create_invalid_previous_item_id",
        "previous_item_id",
    ),
    ("session.update", {"session": {"type": "dictation"}}, "invalid_value", "session.type"),
    (
        "session.update",
        {"session": {"output_modalities": ["smell"]}},
        "invalid_value",
        "session.output_modalities[0]",
    ),
    (
        "session.update",
        {"session": {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}},
        "invalid_value",
        "session.audio.input.format.rate",
    ),
    (
        "session.update",
        {"session": {"audio": {"input": {"turn_detection": {"type": "psychic_vad"}}}}},
        "invalid_value",
        "session.audio.input.turn_detection.type",
    ),
    ("session.update", {"session": {"tools": [{"type": "mcp"}]}}, "invalid_value", "session.tools"),
    ("session.update", {"session": {"max_output_tokens": 0}}, "invalid_value", "session.max_output_tokens"),
    ("conversation.item.create", {"item": {**USER, "content": [], "id": "root"}}, "invalid_value", "item.id"),
    ("response.create", {"response": {"input": "hello"}}, "invalid_type", "response.input"),
    (
        "response.create",
        {"response": {"input": [{"type": "item_reference", "id": "gone"}]}},
        "item_reference_invalid_item_id",
        "item_id",
    ),
    ("response.create", {"response": {"conversation": "some"}}, "invalid_value", "response.conversation"),
    ("response.create", {"response": {"metadata": {"a": 1}}}, "invalid_type", "response.metadata"),
    ("response.create", {"response": {"output_modalities": ["x"]}}, "invalid_value", None),
]


@pytest.mark.parametrize(("event_type", "fields", "code", "param"), REFUSED)
def test_a_refused_event_names_code_param_and_event_and_changes_nothing(
    event_type: str, fields: dict[str, Any], code: str, param: str | None
) -> None:
    driver = Driver()
    before = driver.session.config
    (told,) = driver.client(event_type, event_id="mine", **fields)
    assert told["type"] == "error"
    error = told["error"]
    assert (error["type"], error["code"], error["event_id"]) == ("invalid_request_error", code, "mine")
    if param is not None:
        assert error["param"] == param
    assert driver.session.config == before
    assert len(driver.session.conversation) == 0
    assert driver.effects == []
    driver.speak()
    driver.say("Still here.", 0.1)
    assert driver.finish()[-1]["response"]["status"] == "completed"


def test_a_second_response_is_refused_while_one_is_active() -> None:
    driver = Driver()
    driver.client("response.create")
    (told,) = driver.client("response.create", event_id="second")
    assert told["error"]["code"] == "conversation_already_has_active_response"
    assert len(driver.requests) == 1


def test_out_of_band_responses_have_a_limit() -> None:
    driver = Driver(limits=Limits(out_of_band=2))
    for _ in range(2):
        driver.client("response.create", response={"conversation": "none"})
    (told,) = driver.client("response.create", response={"conversation": "none"})
    assert told["error"]["code"] == "too_many_responses"


def test_a_duplicate_item_id_is_refused_and_the_first_stays() -> None:
    driver = Driver()
    driver.write("first", id="same")
    (told,) = driver.write("second", id="same")
    assert told["error"]["code"] == "item_create_duplicate_item_id"
    shown = driver.client("conversation.item.retrieve", item_id="same")[0]["item"]
    assert shown["content"][0]["text"] == "first"


def test_a_commit_of_less_than_100_ms_keeps_the_audio_for_the_next() -> None:
    driver = Driver()
    driver.client("session.update", session={"audio": {"input": {"turn_detection": None}}})
    driver.client("input_audio_buffer.append", audio=audio_b64(90))
    (told,) = driver.client("input_audio_buffer.commit")
    assert told["error"]["code"] == "input_audio_buffer_commit_empty"
    driver.client("input_audio_buffer.append", audio=audio_b64(20))
    assert types(driver.client("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_only_a_spoken_answer_can_be_truncated() -> None:
    driver = Driver()
    driver.write("hi", id="mine")
    (told,) = driver.client("conversation.item.truncate", item_id="mine", content_index=0, audio_end_ms=0)
    assert (told["error"]["code"], told["error"]["param"]) == ("invalid_value", "item_id")


def test_a_buffer_that_is_never_committed_is_refused_more_and_loses_nothing() -> None:
    driver = Driver(limits=Limits(input_buffer_ms=1000))
    driver.client("session.update", session={"audio": {"input": {"turn_detection": None}}})
    driver.hear(1100)
    (told,) = driver.client("input_audio_buffer.append", audio=audio_b64(20), event_id="one too many")
    assert told["error"]["code"] == "input_audio_buffer_overflow"
    assert told["error"]["event_id"] == "one too many"
    driver.client("input_audio_buffer.commit")
    assert driver.client("input_audio_buffer.append", audio=audio_b64(20)) == []


def test_a_partial_update_changes_only_what_it_names() -> None:
    driver = Driver()
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "required": ["a"]}}
    driver.client("session.update", session={"instructions": "be kind", "tools": [tool]})
    patch = {"audio": {"input": {"turn_detection": {"silence_duration_ms": 700}}, "output": {"speed": None}}}
    (told,) = driver.client("session.update", session=patch)
    session = told["session"]
    assert session["instructions"] == "be kind"
    assert session["tools"] == [tool]
    detection = session["audio"]["input"]["turn_detection"]
    assert (detection["silence_duration_ms"], detection["interrupt_response"]) == (700, True)
    assert session["audio"]["output"]["speed"] == 1.0


def test_every_setting_is_echoed_with_its_default() -> None:
    session = Driver().sent[0]["session"]
    assert session["type"] == "realtime"
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["input"]["transcription"] is None
    assert "parlour" not in session


def test_another_kind_of_turn_detection_replaces_the_old_one_whole() -> None:
    driver = Driver()
    patch = {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}}
    (told,) = driver.client("session.update", session=patch)
    assert told["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "low",
        "create_response": True,
        "interrupt_response": True,
    }


@pytest.mark.parametrize("before", [{"type": "server_vad"}, None])
def test_nulls_in_another_kind_of_turn_detection_stand_for_its_defaults(before: Any) -> None:
    driver = Driver()
    driver.client("session.update", session={"audio": {"input": {"turn_detection": before}}})
    patch = {"type": "semantic_vad", "eagerness": None, "create_response": None, "interrupt_response": False}
    (told,) = driver.client("session.update", session={"audio": {"input": {"turn_detection": patch}}})
    assert told["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": False,
    }


def test_the_transcription_echo_holds_no_key_but_its_own() -> None:
    driver = Driver()
    patch = {"audio": {"input": {"transcription": {"model": "m", "language": None}}}}
    (told,) = driver.client("session.update", session=patch)
    assert told["session"]["audio"]["input"]["transcription"] == {"model": "m"}


def test_items_go_where_the_client_puts_them() -> None:
    driver = Driver()
    driver.write("b", id="b")
    root = driver.client(
        "conversation.item.create",
        previous_item_id="root",
        item={**USER, "id": "a", "content": [{"type": "input_text", "text": "a"}]},
    )
    middle = driver.client(
        "conversation.item.create",
        previous_item_id="a",
        item={**USER, "id": "m", "content": [{"type": "input_text", "text": "m"}]},
    )
    assert (root[0]["previous_item_id"], middle[0]["previous_item_id"]) == (None, "a")
    assert [item.id for item in driver.session.conversation] == ["a", "m", "b"]


def test_an_error_names_no_words_of_the_conversation() -> None:
    driver = Driver()
    secret = "my secret is 42"
    told = driver.client("conversation.item.create", item={**USER, "content": [{"type": secret}]})
    assert secret not in json.dumps(told)


def test_a_number_that_no_float_holds_is_refused_and_the_session_goes_on() -> None:
    driver = Driver()
    driver.speak()
    driver.say("One.", 1.0)
    item_id = driver.last("response.output_item.added")["item"]["id"]
    for event_type in ("conversation.item.truncate", "parlour.playback"):
        huge = {"audio_end_ms": 10**400, "played_ms": 10**400, "content_index": 0}
        (told,) = driver.client(event_type, item_id=item_id, **huge)
        assert told["type"] == "error"
    assert driver.finish()[-1]["response"]["status"] == "completed"


def test_a_transcript_for_an_item_whose_id_was_given_anew_is_dropped() -> None:
    driver = Driver()
    audio = [{"type": "input_audio", "audio": audio_b64(200)}]
    driver.client("conversation.item.create", item={**USER, "id": "x", "content": audio})
    driver.client("conversation.item.delete", item_id="x")
    driver.write("hello", id="x")
    assert driver.transcribe("too late", "x") == []
    shown = driver.client("conversation.item.retrieve", item_id="x")[0]["item"]
    assert shown["content"] == [{"type": "input_text", "text": "hello"}]


def test_a_conversation_of_any_length_keeps_a_bounded_amount_of_text_and_sound() -> None:
    driver = Driver(limits=Limits(history_chars=1000, history_audio_bytes=32_000))
    for number in range(50):
        driver.write("a" * 100, id=f"text_{number}")
    assert 1 <= len(driver.session.conversation) <= 10
    for number in range(10):
        audio = [{"type": "input_audio", "audio": audio_b64(500)}]
        driver.client("conversation.item.create", item={**USER, "id": f"sound_{number}", "content": audio})
    parts = [part for item in driver.session.conversation for part in getattr(item, "parts", ())]
    assert sum(len(getattr(part, "pcm", b"")) for part in parts) <= 32_000


def test_the_text_of_answers_calls_and_transcripts_is_bounded_too() -> None:
    driver = Driver(limits=Limits(history_chars=1000))
    for number in range(50):
        driver.speak()
        driver.transcribe("b" * 50, driver.last("input_audio_buffer.committed")["item_id"])
        driver.agent_says(TextDelta("a" * 100))
        driver.agent_says(ToolCall(f"call_{number}", "f", "c" * 100))
        driver.finish()
    assert 1 <= len(driver.session.conversation) <= 15


def test_a_commit_of_exactly_100_ms_is_taken() -> None:
    driver = Driver()
    driver.client("session.update", session={"audio": {"input": {"turn_detection": None}}})
    driver.feed(AudioReceived(bytes(97 * 32), 100.0))  # the resampler still holds some of it
    assert types(driver.client("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"
