"""What the stock `openai` client gets for a bad event: its code, its event_id, a session that goes on."""

from typing import Any

import pytest

from tests.agent.reciter import Reciter
from tests.e2e.clients.talk import Talk, talking


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def heard(**audio_input: Any) -> dict[str, Any]:
    return update(audio={"input": audio_input})


def create(**item: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": item}


def respond(**response: Any) -> dict[str, Any]:
    return {"type": "response.create", "response": response}


def user(*content: Any) -> dict[str, Any]:
    return create(type="message", role="user", content=list(content))


TOOL = {"type": "function", "name": "f"}
UNKNOWN, UNSUPPORTED = "unknown_parameter", "unsupported_value"
MISSING, VALUE, TYPE = "missing_required_parameter", "invalid_value", "invalid_type"

BAD_EVENTS: list[tuple[dict[str, Any], str, str | None]] = [
    ({}, MISSING, "type"),
    ({"type": "no.such.event"}, VALUE, "type"),
    ({"type": 7}, VALUE, "type"),
    ({"type": "session.update"}, MISSING, "session"),
    ({"type": "session.update", "session": 3}, TYPE, "session"),
    (update(type="dictation"), VALUE, "session.type"),
    (update(modalities=["text"]), UNKNOWN, "session.modalities"),
    (update(prompt={"id": "p"}), UNSUPPORTED, "session.prompt"),
    (update(include=["item.input_audio_transcription.logprobs"]), UNSUPPORTED, "session.include"),
    (update(output_modalities=["video"]), VALUE, "session.output_modalities[0]"),
    (update(output_modalities=["text", "audio"]), VALUE, "session.output_modalities"),
    (update(instructions=5), TYPE, "session.instructions"),
    (update(max_output_tokens=0), VALUE, "session.max_output_tokens"),
    (update(tools=[{"type": "function"}]), VALUE, "session.tools"),
    (update(tool_choice="sometimes"), VALUE, "session.tool_choice"),
    (heard(format={"type": "audio/mp3"}), VALUE, "session.audio.input.format.type"),
    (heard(format={"type": "audio/pcm", "rate": 16000}), VALUE, "session.audio.input.format.rate"),
    (heard(turn_detection={"type": "psychic_vad"}), VALUE, "session.audio.input.turn_detection.type"),
    (
        heard(turn_detection={"type": "server_vad", "threshold": 7}),
        VALUE,
        "session.audio.input.turn_detection.threshold",
    ),
    (heard(turn_detection={"type": "server_vad", "silence_duration_ms": "long"}), TYPE, None),
    ({"type": "input_audio_buffer.append"}, MISSING, "audio"),
    ({"type": "input_audio_buffer.append", "audio": "%%%"}, VALUE, "audio"),
    ({"type": "input_audio_buffer.append", "audio": 5}, TYPE, "audio"),
    ({"type": "conversation.item.create"}, MISSING, "item"),
    (create(type="message"), MISSING, "item.content"),
    (create(type="message", content=[]), MISSING, "item.role"),
    (create(type="hologram"), VALUE, "item.type"),
    (create(type="function_call_output", call_id="c"), MISSING, "item.output"),
    (user({"type": "input_text"}), MISSING, "item.content[0].text"),
    (user({"type": "output_text", "text": "x"}), VALUE, "item.content[0].type"),
    (user({"type": "input_audio", "audio": "%%"}), VALUE, "item.content[0].audio"),
    (user({"type": "input_image", "image_url": "data:"}), VALUE, "item.content[0].type"),
    ({"type": "conversation.item.retrieve"}, MISSING, "item_id"),
    ({"type": "conversation.item.retrieve", "item_id": "x"}, "item_retrieve_invalid_item_id", "item_id"),
    ({"type": "conversation.item.delete", "item_id": "x"}, "item_delete_invalid_item_id", "item_id"),
    (
        {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 0},
        "item_truncate_invalid_item_id",
        "item_id",
    ),
    ({"type": "conversation.item.truncate", "item_id": "x", "content_index": 0}, MISSING, "audio_end_ms"),
    (
        {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 1.5},
        TYPE,
        "audio_end_ms",
    ),
    ({"type": "response.cancel"}, "response_cancel_not_active", None),
    ({"type": "response.cancel", "response_id": "x"}, "response_cancel_not_active", None),
    (respond(output_modalities=["smell"]), VALUE, "response.output_modalities[0]"),
    (respond(metadata={"n": 1}), TYPE, None),
    (respond(conversation="none", input="hello"), TYPE, "response.input"),
    (
        respond(conversation="none", input=[{"type": "item_reference", "id": "x"}]),
        "item_reference_invalid_item_id",
        None,
    ),
    ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
]


async def still_answers(talk: Talk) -> None:
    await talk.write("Hello.")
    await talk.connection.response.create(response={"output_modalities": ["text"]})
    assert (await talk.next("response.done")).response.status == "completed"


async def test_each_bad_event_gets_its_code_and_the_session_goes_on() -> None:
    async with talking(errors=tuple(code for _, code, _ in BAD_EVENTS)) as talk:
        for number, (event, code, param) in enumerate(BAD_EVENTS):
            event_id = f"client_{number}"
            await talk.send_raw({**event, "event_id": event_id})
            error = await talk.fails(code, event_id)
            assert error.type == "invalid_request_error"
            assert error.message
            if param is not None:
                assert error.param == param, event
        await still_answers(talk)


@pytest.mark.parametrize("text", ["{", "[]", "null", '"x"', "", "\ufeff{}", '{"type":'])
async def test_what_is_no_json_object_is_an_error_without_an_event_id(text: str) -> None:
    async with talking(errors=("invalid_json",)) as talk:
        await talk.connection._connection.send(text)
        await talk.fails("invalid_json")
        await still_answers(talk)


async def test_a_binary_frame_is_an_error() -> None:
    async with talking(errors=("invalid_json",)) as talk:
        await talk.connection._connection.send(b'{"type":"response.create"}')
        await talk.fails("invalid_json")
        await still_answers(talk)


async def test_a_commit_of_less_than_a_tenth_of_a_second_is_refused() -> None:
    async with talking(errors=("input_audio_buffer_commit_empty",)) as talk:
        await talk.update(audio={"input": {"turn_detection": None}})
        await talk.say(bytes(99 * 48))
        await talk.connection.input_audio_buffer.commit(event_id="short")
        error = await talk.fails("input_audio_buffer_commit_empty", "short")
        assert "100ms" in error.message
        await talk.say(bytes(5 * 48))
        await talk.connection.input_audio_buffer.commit()
        await talk.next("input_audio_buffer.committed")


async def test_a_second_response_is_refused_while_one_is_active() -> None:
    errors = ("conversation_already_has_active_response",)
    async with talking(Reciter(), errors=errors, playback_lead_s=0.3) as talk:
        await talk.write("Recite.")
        await talk.connection.response.create()
        first = await talk.next("response.created")
        await talk.connection.response.create(event_id="second")
        error = await talk.fails("conversation_already_has_active_response", "second")
        assert first.response.id in error.message
        await talk.connection.response.cancel()
        assert (await talk.next("response.done")).response.id == first.response.id


async def test_an_item_id_can_be_used_once() -> None:
    async with talking(errors=("item_create_duplicate_item_id",)) as talk:
        item = {
            "id": "mine",
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "a"}],
        }
        await talk.connection.conversation.item.create(item=item)  # type: ignore[arg-type]
        await talk.next("conversation.item.done")
        await talk.connection.conversation.item.create(item=item, event_id="again")  # type: ignore[arg-type]
        await talk.fails("item_create_duplicate_item_id", "again")


async def test_an_unknown_previous_item_is_an_error() -> None:
    async with talking(errors=("item_create_invalid_previous_item_id",)) as talk:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
        await talk.connection.conversation.item.create(
            item=item,  # type: ignore[arg-type]
            previous_item_id="nobody",
            event_id="e",
        )
        await talk.fails("item_create_invalid_previous_item_id", "e")


async def test_a_session_keeps_its_settings_when_an_update_fails() -> None:
    async with talking(errors=("invalid_value",)) as talk:
        await talk.update(instructions="Kept.")
        await talk.send_raw({**update(instructions="Lost.", output_modalities=["video"]), "event_id": "e"})
        await talk.fails("invalid_value", "e")
        session = await talk.update()
        assert (session.instructions, session.output_modalities) == ("Kept.", ["audio"])
