"""The stock `openai` client interrupts, cancels, edits the conversation and asks beside it."""

import base64
from typing import Any

import pytest

from agent.api import AssistantMessage, TextPart, UserMessage
from agent.scripted.agent import RECITAL
from tests.agent.reciter import Reciter
from tests.e2e.clients.talk import WEATHER, Attentive, AttentiveReciter, Talk, audio_of, talking

NEVER_AHEAD = 0.3
"""playback_lead_s for an answer that is still being generated while it is interrupted."""

THREE_SENTENCES = "This is sentence one of ten. This is sentence two of ten. This is sentence three of ten."
SOME_AUDIO = base64.b64encode(bytes(48_000)).decode()


async def start_reciting(talk: Talk) -> Any:
    """Ask in writing; return response.created once the first sound has come."""
    await talk.write("Please recite.")
    await talk.connection.response.create()
    created = await talk.next("response.created")
    await talk.next("response.output_audio.delta")
    return created


async def retrieve(talk: Talk, item_id: str) -> Any:
    await talk.connection.conversation.item.retrieve(item_id=item_id)
    return (await talk.next("conversation.item.retrieved")).item


async def words_of(talk: Talk, item_id: str) -> str:
    [content] = (await retrieve(talk, item_id)).content
    return str(content.transcript)


# Barge-in -----------------------------------------------------------------------------


async def test_speech_cuts_the_answer_short() -> None:
    async with talking(Reciter(), playback_lead_s=NEVER_AHEAD) as talk:
        created = await start_reciting(talk)
        await talk.speak()
        started = await talk.next("input_audio_buffer.speech_started")
        done = await talk.next("response.done")
        after = talk.since(started)
        assert (done.response.id, done.response.status) == (created.response.id, "cancelled")
        details = done.response.status_details
        assert (details.type, details.reason) == ("cancelled", "turn_detected")
        [item] = done.response.output
        assert item.status == "incomplete"
        assert audio_of(after) == b"", "nothing is sent once speech has started"
        kinds = [event.type for event in after]
        assert kinds[:3] == [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
        ]
        again = await talk.next("response.created")
        assert again.response.id != created.response.id
        await talk.connection.response.cancel()


async def test_barge_in_remembers_only_what_the_client_played() -> None:
    agent = AttentiveReciter()
    async with talking(agent, playback_lead_s=NEVER_AHEAD) as talk:
        await start_reciting(talk)
        await talk.speak()
        done = await talk.next("response.done")
        [item] = done.response.output
        await talk.connection.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=170)
        await talk.next("conversation.item.truncated")
        assert await words_of(talk, item.id) == "This"
        await talk.connection.response.cancel()
        await talk.next("response.done")
        await talk.connection.response.create()
        await talk.next("response.created")
        await talk.connection.response.cancel()
        await talk.next("response.done")
    assert AssistantMessage("This") in agent.requests[-1].messages


async def test_an_answer_can_be_cut_short_after_its_end() -> None:
    """Audio comes faster than it is heard, so most barge-ins find the response done."""
    agent = Attentive()
    async with talking(agent) as talk:
        await start_reciting(talk)
        done = await talk.next("response.done")
        assert done.response.status == "completed"
        [item] = done.response.output
        await talk.speak()
        await talk.next("input_audio_buffer.speech_started")
        await talk.connection.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=3000)
        truncated = await talk.next("conversation.item.truncated")
        assert (truncated.item_id, truncated.audio_end_ms) == (item.id, 3000)
        assert await words_of(talk, item.id) == THREE_SENTENCES
        await talk.next("response.done")
        await talk.connection.response.create()
        await talk.next("response.done")
    assert AssistantMessage(THREE_SENTENCES) in agent.requests[-1].messages


@pytest.mark.parametrize(
    ("audio_end_ms", "words"), [(0, ""), (1000, RECITAL[:28]), (10_000, RECITAL), (99_000, RECITAL)]
)
async def test_truncation_keeps_the_words_that_were_played(audio_end_ms: int, words: str) -> None:
    """Overshooting is no error: it would end pipecat's session."""
    async with talking() as talk:
        await start_reciting(talk)
        [item] = (await talk.next("response.done")).response.output
        await talk.connection.conversation.item.truncate(
            item_id=item.id, content_index=0, audio_end_ms=audio_end_ms
        )
        await talk.next("conversation.item.truncated")
        assert await words_of(talk, item.id) == words


async def test_without_interrupt_response_the_answer_goes_on() -> None:
    async with talking(Reciter(), playback_lead_s=NEVER_AHEAD) as talk:
        detection = {"type": "server_vad", "interrupt_response": False}
        await talk.update(audio={"input": {"turn_detection": detection}})
        created = await start_reciting(talk)
        await talk.speak()
        await talk.next("conversation.item.done")
        await talk.next("response.output_audio.delta")
        await talk.connection.response.cancel(response_id=created.response.id)
        done = await talk.next("response.done")
        assert done.response.status_details.reason == "client_cancelled"
        waiting = await talk.next("response.created")
        assert waiting.response.id != created.response.id
        await talk.connection.response.cancel()


async def test_cancelling_twice_says_so_once() -> None:
    async with talking(
        Reciter(), errors=("response_cancel_not_active",), playback_lead_s=NEVER_AHEAD
    ) as talk:
        await start_reciting(talk)
        await talk.connection.response.cancel()
        await talk.connection.response.cancel(event_id="again")
        done = await talk.next("response.done")
        assert (done.response.status, done.response.status_details.reason) == (
            "cancelled",
            "client_cancelled",
        )
        error = await talk.fails("response_cancel_not_active", "again")
        assert error.message.startswith("Cancellation failed")


# The conversation ---------------------------------------------------------------------


async def test_items_go_where_the_client_puts_them_under_its_own_ids() -> None:
    agent = Attentive()
    async with talking(agent) as talk:
        ids = ["9f8b1c6e-hex", "item_from_the_client", "x" * 32, "last"]

        async def add(name: str, item_id: str, **place: str) -> Any:
            content = [{"type": "input_text", "text": name}]
            item = {"type": "message", "role": "user", "id": item_id, "content": content}
            await talk.connection.conversation.item.create(item=item, **place)  # type: ignore[arg-type]
            added = await talk.next("conversation.item.added")
            assert added.item.id == item_id
            return added.previous_item_id

        assert await add("second", ids[0]) is None
        assert await add("first", ids[1], previous_item_id="root") is None
        assert await add("fourth", ids[3]) == ids[0]
        assert await add("third", ids[2], previous_item_id=ids[0]) == ids[0]
        await talk.connection.response.create()
        await talk.next("response.done")
        await talk.connection.conversation.item.delete(item_id=ids[0])
        assert (await talk.next("conversation.item.deleted")).item_id == ids[0]
        await talk.connection.response.create(response={"output_modalities": ["text"]})
        await talk.next("response.done")
    said = [
        [message.parts[0].text for message in request.messages if isinstance(message, UserMessage)]  # type: ignore[union-attr]
        for request in agent.requests
    ]
    assert said == [["first", "second", "third", "fourth"], ["first", "third", "fourth"]]


async def test_every_kind_of_item_can_be_written_and_read_back() -> None:
    items: list[dict[str, Any]] = [
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": SOME_AUDIO}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "Hi."}]},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
    ]
    async with talking() as talk:
        for number, item in enumerate(items):
            item["id"] = f"client_{number}"
            await talk.connection.conversation.item.create(item=item)  # type: ignore[arg-type]
            shown = (await talk.next("conversation.item.done")).item
            back = await retrieve(talk, f"client_{number}")
            assert back.type == shown.type == item["type"]
            for key in ("role", "call_id", "name", "arguments", "output"):
                assert getattr(back, key, None) == item.get(key)
            for part, written in zip(
                getattr(back, "content", None) or [], item.get("content", []), strict=True
            ):
                assert part.type == written["type"]
                assert part.text == written.get("text")


async def test_a_response_can_override_the_session() -> None:
    agent = Attentive()
    async with talking(agent) as talk:
        await talk.update(instructions="The session's.", tools=[WEATHER])
        await talk.write("Hello.")
        overrides: dict[str, Any] = {
            "instructions": "The response's.",
            "output_modalities": ["text"],
            "tools": [],
            "metadata": {"topic": "one", "client_event_id": "abc"},
            "audio": {"output": {"voice": "verse", "format": {"type": "audio/pcmu"}}},
        }
        await talk.connection.response.create(response=overrides)  # type: ignore[arg-type]
        created = await talk.next("response.created")
        done = await talk.next("response.done")
        assert created.response.metadata == done.response.metadata == overrides["metadata"]
        assert done.response.output_modalities == ["text"]
        assert done.response.output[0].content[0].text == RECITAL
        await talk.connection.response.create(
            response={"tool_choice": {"type": "function", "name": "weather"}}
        )
        call = await talk.next("response.function_call_arguments.done")
        await talk.next("response.done")
        assert call.name == "weather"
    first, second = agent.requests
    assert (first.instructions, first.modality, first.tools) == ("The response's.", "text", ())
    assert (second.instructions, second.modality, second.tool_choice) == (
        "The session's.",
        "audio",
        "weather",
    )
    assert [tool.name for tool in second.tools] == ["weather"]


async def test_an_answer_ends_at_max_output_tokens() -> None:
    async with talking() as talk:
        await talk.write("Recite.")
        await talk.connection.response.create(response={"max_output_tokens": 6})
        done = await talk.next("response.done")
    assert done.response.status == "incomplete"
    assert done.response.max_output_tokens == 6
    assert done.response.status_details.reason == "max_output_tokens"
    assert done.response.output[0].content[0].transcript == "This is sentence one of ten."
    assert done.response.usage.output_tokens == 6


# Out of band --------------------------------------------------------------------------


async def test_an_out_of_band_response_runs_beside_the_conversation() -> None:
    agent = AttentiveReciter()
    async with talking(agent, playback_lead_s=NEVER_AHEAD) as talk:
        asked = await talk.write("Please recite.")
        await talk.connection.response.create()
        main = await talk.next("response.created")
        await talk.next("response.output_audio.delta")
        aside: dict[str, Any] = {
            "conversation": "none",
            "metadata": {"purpose": "classify"},
            "output_modalities": ["text"],
            "input": [
                {"type": "item_reference", "id": asked.item.id},
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Sort this."}],
                },
            ],
        }
        await talk.connection.response.create(response=aside)  # type: ignore[arg-type]
        created = await talk.next("response.created")
        assert created.response.conversation_id is None
        assert created.response.metadata == {"purpose": "classify"}
        done = await talk.next("response.done")
        assert done.response.id == created.response.id, "it ends while the other goes on"
        assert done.response.output[0].content[0].text == RECITAL
        aside_item = done.response.output[0].id
        await talk.next("response.output_audio.delta")
        await talk.connection.response.cancel()
        assert (await talk.next("response.done")).response.id == main.response.id
        added = [event["item"]["id"] for event in talk.tap.oracle.named("conversation.item.added")]
        assert aside_item not in added
        await talk.connection.response.create(response={"output_modalities": ["text"]})
        await talk.next("response.done")
    texts = [
        [
            part.text
            for message in request.messages
            if isinstance(message, UserMessage)
            for part in message.parts
            if isinstance(part, TextPart)
        ]
        for request in agent.requests
    ]
    assert texts == [["Please recite."], ["Please recite.", "Sort this."], ["Please recite."]]


async def test_an_out_of_band_response_can_be_cancelled_by_its_id() -> None:
    async with talking(Reciter(), playback_lead_s=NEVER_AHEAD) as talk:
        main = await start_reciting(talk)
        await talk.connection.response.create(response={"conversation": "none", "input": []})
        aside = await talk.next("response.created")
        await talk.connection.response.cancel(response_id=aside.response.id)
        done = await talk.next("response.done")
        assert (done.response.id, done.response.status) == (aside.response.id, "cancelled")
        await talk.connection.response.cancel(response_id=main.response.id)
        assert (await talk.next("response.done")).response.id == main.response.id
