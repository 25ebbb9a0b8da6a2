"""The oracle can see: a true recording passes, and each fault planted in it is found.

The faults are those of the protocol reference's fault matrix, each of which breaks some real client,
and slips of order and count that a gateway could make.
"""

import asyncio
import base64
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from agent.scripted.agent import RECITAL
from tests.agent.reciter import Reciter
from tests.e2e.clients.oracle import Oracle, Side
from tests.e2e.clients.shape import FRAME_BYTES_MAX, Event
from tests.e2e.clients.talk import WEATHER, talking
from tests.e2e.clients.test_openai_turns import retrieve

Line = tuple[Side, Event]
Change = Callable[[Event], list[Event]]
"""One event of the gateway -> what takes its place."""


@pytest.fixture(scope="module")
def recording() -> list[Line]:
    return asyncio.run(_record())


async def _record() -> list[Line]:
    """A conversation with everything in it: speech, tool, barge-in, out of band, edits, an error."""
    async with talking(Reciter(), errors=("response_cancel_not_active",), playback_lead_s=0.3) as talk:
        await talk.update(tools=[WEATHER], audio={"input": {"transcription": {"model": "whisper-1"}}})
        await talk.write("First.", previous_item_id="root")
        await talk.connection.response.create(response={"metadata": {"client_event_id": "abc"}})
        call = await talk.next("response.function_call_arguments.done")
        await talk.next("response.done")
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        await talk.connection.conversation.item.create(item=output)  # type: ignore[arg-type]
        await talk.connection.response.create()
        await talk.next("response.done")
        await talk.update(tools=[])
        await talk.speak()
        await talk.next("response.output_audio.delta")
        aside: dict[str, Any] = {"conversation": "none", "output_modalities": ["text"]}
        await talk.connection.response.create(response=aside)  # type: ignore[arg-type]
        await talk.next("response.done")
        await talk.speak("goforward")
        cut = await talk.next("response.done")
        [item] = cut.response.output
        await talk.connection.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=170)
        await retrieve(talk, item.id)
        await talk.connection.conversation.item.delete(item_id=item.id)
        await talk.connection.response.cancel()
        await talk.connection.response.cancel(event_id="again")
        await talk.next("error")
    return [(side, json.loads(frame)) for side, frame in talk.tap.oracle.frames]


def replayed(lines: list[Line]) -> Oracle:
    oracle = Oracle()
    for side, event in lines:
        if side == "client":
            oracle.sent(json.dumps(event))
        else:
            oracle.received(json.dumps(event))
    return oracle


def test_a_true_recording_passes(recording: list[Line]) -> None:
    oracle = replayed(recording)
    oracle.judge(("response_cancel_not_active",))
    assert oracle.types().count("response.done") == 5
    assert "".join(e["text"] for e in oracle.named("response.output_text.done")) == RECITAL


# The faults ---------------------------------------------------------------------------


def dropped(_: Event) -> list[Event]:
    return []


def twice(event: Event) -> list[Event]:
    again = {**event, "event_id": event["event_id"] + "_again"}
    return [event, again]


def without(*path: str | int) -> Change:
    def change(event: Event) -> list[Event]:
        target: Any = event
        for step in path[:-1]:
            target = target[step]
        del target[path[-1]]
        return [event]

    return change


def with_(value: Any, *path: str | int) -> Change:
    def change(event: Event) -> list[Event]:
        target: Any = event
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value
        return [event]

    return change


def also(**other: Any) -> Change:
    return lambda event: [event, {"event_id": f"{event['event_id']}_more", **other}]


def same_id(event: Event) -> list[Event]:
    return [event, {"type": "rate_limits.updated", "event_id": event["event_id"], "rate_limits": []}]


def flat(event: Event) -> list[Event]:
    """The session as the beta had it."""
    audio = event["session"].pop("audio")
    event["session"].update(input_audio_format="pcm16", turn_detection=audio["input"]["turn_detection"])
    return [event]


STARTED = "input_audio_buffer.speech_started"
USER_ADDED = ("conversation.item.added", {"role": "user"})
SPOKEN_ADDED = ("conversation.item.added", {"content": [{"type": "input_audio", "transcript": None}]})
ANSWER_ADDED = ("conversation.item.added", {"role": "assistant"})
ANSWER_DONE = ("response.output_item.done", {"type": "message"})
CALL_ADDED = ("conversation.item.added", {"type": "function_call"})
CALL_DONE = ("response.output_item.done", {"type": "function_call"})
ARGUMENTS_DONE = "response.function_call_arguments.done"
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
HUGE = base64.b64encode(bytes(FRAME_BYTES_MAX)).decode()
A_PCM_RATE = ("session", "audio", "input", "format", "rate")
AN_ERROR: dict[str, Any] = {
    "type": "error",
    "error": {"type": "server_error", "code": "x", "message": "x", "param": None, "event_id": None},
}

FAULTS: dict[str, tuple[str | tuple[str, dict[str, Any]], Change]] = {
    # The matrix, row by row.
    "event_id missing": ("response.output_audio.delta", without("event_id")),
    "session.created without session": ("session.created", without("session")),
    "no session.created": ("session.created", dropped),
    "no session.updated": ("session.updated", dropped),
    "a flat session": ("session.updated", flat),
    "pcm at 16 kHz": ("session.updated", with_(16000, *A_PCM_RATE)),
    "a further key in transcription": (
        "session.updated",
        with_({"model": "m", "delay": 1}, "session", "audio", "input", "transcription"),
    ),
    "turn_detection without interrupt_response": (
        "session.created",
        without("session", "audio", "input", "turn_detection", "interrupt_response"),
    ),
    "input_audio without transcript": (SPOKEN_ADDED, without("item", "content", 0, "transcript")),
    "previous_item_id null": (ANSWER_ADDED, with_(None, "previous_item_id")),
    "previous_item_id absent": (USER_ADDED, without("previous_item_id")),
    "assistant's item not added": (ANSWER_ADDED, dropped),
    "transcription without usage": (TRANSCRIBED, without("usage")),
    "part of type output_audio": ("response.content_part.added", with_("output_audio", "part", "type")),
    "content of type audio": (ANSWER_DONE, with_("audio", "item", "content", 0, "type")),
    "an item cancelled": (ANSWER_DONE, with_("cancelled", "item", "status")),
    "a frame over 1 MiB": ("response.output_audio.delta", with_(HUGE, "delta")),
    "a gratuitous error": ("response.created", also(**AN_ERROR)),
    "no response.created": ("response.created", dropped),
    "no response.output_item.added": ("response.output_item.added", dropped),
    "no response.output_item.done": (ANSWER_DONE, dropped),
    "no response.output_item.done of a call": (CALL_DONE, dropped),
    "a call without status": (CALL_DONE, without("item", "status")),
    "a call without call_id": (CALL_DONE, without("item", "call_id")),
    "a call not added": (CALL_ADDED, dropped),
    "no arguments.done": (ARGUMENTS_DONE, dropped),
    "arguments.done without name": (ARGUMENTS_DONE, without("name")),
    "metadata not echoed": ("response.created", with_(None, "response", "metadata")),
    "no response.done": ("response.done", dropped),
    # Slips of order, count and content.
    "an event id twice": ("session.updated", same_id),
    "an unknown event": ("response.created", also(type="parlour.turn", turn={})),
    "a beta event": ("response.output_audio.delta", with_("response.audio.delta", "type")),
    "a fraction of a millisecond": (STARTED, with_(180.5, "audio_start_ms")),
    "a number as metadata": ("response.created", with_({"client_event_id": 7}, "response", "metadata")),
    "a second response.done": ("response.done", twice),
    "a second output_item.done": (ANSWER_DONE, twice),
    "a second item.added": (USER_ADDED, twice),
    "a lost transcript delta": ("response.output_audio_transcript.delta", dropped),
    "a lost text delta": ("response.output_text.delta", dropped),
    "a lost arguments delta": ("response.function_call_arguments.delta", dropped),
    "a lost transcription delta": ("conversation.item.input_audio_transcription.delta", dropped),
    "no content_part.added": ("response.content_part.added", dropped),
    "no content_part.done": ("response.content_part.done", dropped),
    "no output_audio.done": ("response.output_audio.done", dropped),
    "no transcript.done": ("response.output_audio_transcript.done", dropped),
    "no conversation.item.done": (("conversation.item.done", {"role": "assistant"}), dropped),
    "a null part": ("response.content_part.added", with_(None, "part", "text")),
    "another output_index": ("response.output_audio.delta", with_(1, "output_index")),
    "another content_index": ("response.output_audio.delta", with_(1, "content_index")),
    "another item_id": ("response.output_audio.delta", with_("item_x", "item_id")),
    "audio that is not base64": ("response.output_audio.delta", with_("%%%", "delta")),
    "other words at the end": ("response.done", with_([], "response", "output")),
    "a status of the response's own": ("response.done", with_("finished", "response", "status")),
    "an unasked deletion": ("conversation.item.deleted", with_("item_x", "item_id")),
    "truncated elsewhere": ("conversation.item.truncated", with_(99, "audio_end_ms")),
    "no item.retrieved": ("conversation.item.retrieved", dropped),
    "no item.truncated": ("conversation.item.truncated", dropped),
    "no item.deleted": ("conversation.item.deleted", dropped),
    "no committed": ("input_audio_buffer.committed", dropped),
    "no speech_started": (STARTED, dropped),
    "an error for another event": ("error", with_("other", "error", "event_id")),
    "a text written over": (
        ("conversation.item.added", {"content": [{"type": "input_text", "text": "First."}]}),
        with_("Other.", "item", "content", 0, "text"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_oracle_catches_each_fault(recording: list[Line], fault: str) -> None:
    wanted, change = FAULTS[fault]
    lines: list[Line] = []
    planted = False
    for side, event in deepcopy(recording):
        if side == "gateway" and not planted and _is(event, wanted):
            planted = True
            lines += [(side, one) for one in change(event)]
        else:
            lines.append((side, event))
    assert planted, "the recording holds no place for this fault"
    with pytest.raises(AssertionError):
        replayed(lines).judge(("response_cancel_not_active",))


def test_oracle_sees_a_cancellation_that_runs_ahead_of_the_speech_behind_it(recording: list[Line]) -> None:
    lines = deepcopy(recording)
    done = _index(lines, "response.done", lambda event: "turn_detected" in json.dumps(event))
    started = max(at for at in range(done) if lines[at][1].get("type") == STARTED)
    lines.insert(done, lines.pop(started))
    assert any("speech that did not start" in one for one in replayed(lines).complaints)


def test_oracle_sees_an_event_after_the_end(recording: list[Line]) -> None:
    lines = deepcopy(recording)
    done = _index(lines, "response.done", lambda event: event["response"]["output_modalities"] == ["audio"])
    delta = _index(lines, "response.output_audio_transcript.delta", lambda _: True)
    lines.insert(done + 1, lines.pop(delta))
    assert replayed(lines).complaints


def test_oracle_sees_an_out_of_band_item_in_the_conversation(recording: list[Line]) -> None:
    lines = deepcopy(recording)
    created = _index(lines, "response.created", lambda event: event["response"]["conversation_id"] is None)
    added = created + _index(lines[created:], "response.output_item.added", lambda _: True)
    item = lines[added][1]["item"]
    intruder = {"type": "conversation.item.added", "event_id": "x", "previous_item_id": None, "item": item}
    lines.insert(added + 1, ("gateway", intruder))
    assert any("out-of-band" in one for one in replayed(lines).complaints)


def _is(event: Event, wanted: str | tuple[str, dict[str, Any]]) -> bool:
    if isinstance(wanted, str):
        return bool(event["type"] == wanted)
    event_type, item = wanted
    return event["type"] == event_type and all(event["item"].get(key) == value for key, value in item.items())


def _index(lines: list[Line], event_type: str, fits: Callable[[Event], bool]) -> int:
    return next(
        at
        for at, (side, event) in enumerate(lines)
        if side == "gateway" and event["type"] == event_type and fits(event)
    )
