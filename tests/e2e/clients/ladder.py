"""The ladder of a response: which events come, in which order, how often, and how they fit together.

Sequences (b), (c), (d), (f) and (g) of the protocol reference.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.clients.shape import Event

_ENDED = frozenset({"completed", "cancelled", "failed", "incomplete"})


@dataclass
class Rung:
    """One output item on its way. part: None before its content begins."""

    item: Event
    in_history: bool
    part: str | None = None
    streamed: str = ""
    audio_bytes: int = 0
    finished: list[str] = field(default_factory=list)
    final_text: str = ""
    in_history_done: bool = False
    is_truncated: bool = False
    done: Event | None = None


class Ladder:
    """One response."""

    def __init__(self, response: Event) -> None:
        self.is_default = response.get("conversation_id") is not None
        self.rungs: list[Rung] = []
        self.speech_started_since = False

    def rung(self, event: Event) -> Rung:
        """Raises IndexError for an output_index that was not added."""
        return self.rungs[event["output_index"]]


class Ladders:
    """All responses of a connection."""

    def __init__(self) -> None:
        self._active: dict[str, Ladder] = {}
        self._ended: set[str] = set()
        self._expected_in_history: Rung | None = None

    def unfinished(self) -> list[str]:
        return [f"response.done of {response_id}" for response_id in self._active]

    def received(self, event: Event) -> Iterator[str]:
        kind = event["type"]
        if self._expected_in_history is not None and kind != "conversation.item.added":
            self._expected_in_history = None
            yield "conversation.item.added does not follow response.output_item.added"
        match kind:
            case "input_audio_buffer.speech_started":
                for ladder in self._active.values():
                    ladder.speech_started_since = True
            case "response.created":
                yield from self._created(event["response"])
            case "conversation.item.truncated":
                for rung in (rung for ladder in self._active.values() for rung in ladder.rungs):
                    rung.is_truncated |= rung.item["id"] == event["item_id"]
            case "conversation.item.added" | "conversation.item.done":
                yield from self._in_history(kind, event["item"])
            case _ if kind.startswith("response."):
                response_id = event["response_id"] if "response_id" in event else event["response"]["id"]
                if response_id not in self._active:
                    yield "after the end" if response_id in self._ended else "of an unknown response"
                    return
                yield from self._of_response(kind, self._active[response_id], event)

    def _created(self, response: Event) -> Iterator[str]:
        if response["id"] in self._active or response["id"] in self._ended:
            yield "a response id that was used before"
        ladder = Ladder(response)
        if ladder.is_default and any(other.is_default for other in self._active.values()):
            yield "a second response in the conversation"
        if (response["status"], response["output"]) != ("in_progress", []):
            yield "a response begins in progress and empty"
        self._active[response["id"]] = ladder

    def _in_history(self, kind: str, item: Event) -> Iterator[str]:
        ours = [(ladder, rung) for ladder in self._active.values() for rung in ladder.rungs]
        for ladder, rung in ours:
            if rung.item["id"] != item["id"]:
                continue
            if not ladder.is_default:
                yield "an item of an out-of-band response enters the conversation"
            if kind == "conversation.item.added":
                self._expected_in_history = None
                rung.in_history = True
                if item != rung.item:
                    yield "the item differs from that of response.output_item.added"
            else:
                rung.in_history_done = True
                yield from _final_item(rung, item)
            return
        if item.get("status") == "in_progress" or self._expected_in_history is not None:
            yield "an item of no response"
        self._expected_in_history = None

    def _of_response(self, kind: str, ladder: Ladder, event: Event) -> Iterator[str]:
        match kind.removeprefix("response."):
            case "output_item.added":
                if event["output_index"] != len(ladder.rungs):
                    yield f"output_index is {event['output_index']}, not {len(ladder.rungs)}"
                item = event["item"]
                if item["status"] != "in_progress" or item.get("content") or item.get("arguments"):
                    yield "an item begins in progress and empty"
                rung = Rung(item, in_history=False)
                ladder.rungs.append(rung)
                self._expected_in_history = rung if ladder.is_default else None
            case "output_item.done":
                rung = ladder.rung(event)
                if rung.done is not None:
                    yield "an item is done twice"
                if rung.in_history and not rung.in_history_done:
                    yield "response.output_item.done comes before conversation.item.done"
                rung.done = event["item"]
                yield from _final_item(rung, event["item"])
            case "done":
                yield from self._done(ladder, event["response"])
            case step:
                rung = ladder.rung(event)
                if event["item_id"] != rung.item["id"]:
                    yield "an item_id that is not that of its output_index"
                if event.get("content_index", 0) != 0:
                    yield "a content_index other than 0"
                if rung.done is not None:
                    yield "after the item's end"
                yield from _content(step, rung, event)

    def _done(self, ladder: Ladder, response: Event) -> Iterator[str]:
        del self._active[response["id"]]
        self._ended.add(response["id"])
        status, details = response["status"], response.get("status_details") or {}
        if status not in _ENDED:
            yield f"a response ends {status!r}"
        if details and details.get("type") != status:
            yield "status_details are of another status"
        if status in ("cancelled", "incomplete") and not details.get("reason"):
            yield f"a response is {status} without a reason"
        if status == "failed" and not (details.get("error") or {}).get("code"):
            yield "a response failed without an error"
        if details.get("reason") == "turn_detected" and not ladder.speech_started_since:
            yield "a response is cancelled by speech that did not start before it"
        if any(rung.done is None for rung in ladder.rungs):
            yield "response.output_item.done is missing"
        if response["output"] != [rung.done for rung in ladder.rungs]:
            yield "output differs from the items that were done"
        for rung in ladder.rungs:
            if status == "completed" and (rung.done or {}).get("status") != "completed":
                yield "a completed response with an item that is not"
            if status == "completed" and rung.part == "audio" and rung.streamed and not rung.audio_bytes:
                yield "an answer in audio without audio"
        yield from _about_usage(response.get("usage"))


# One item's content: in which order its events come. Done events close what their deltas opened.
_CLOSED_BY = {
    "audio": ["output_audio.done", "output_audio_transcript.done", "content_part.done"],
    "text": ["output_text.done", "content_part.done"],
    "function_call": ["function_call_arguments.done"],
}
_STREAMED_BY = {
    "output_audio_transcript.delta": "audio",
    "output_audio.delta": "audio",
    "output_text.delta": "text",
    "function_call_arguments.delta": "function_call",
}
_WHOLE = {
    "output_audio_transcript.done": "transcript",
    "output_text.done": "text",
    "function_call_arguments.done": "arguments",
}


def _content(step: str, rung: Rung, event: Event) -> Iterator[str]:
    if rung.item["type"] == "function_call":
        rung.part = "function_call"
        yield from _same_call(step, rung, event)
    if step == "content_part.added":
        if rung.part is not None:
            yield "a second content part"
        rung.part = event["part"]["type"]
        if event["part"].get("text") or event["part"].get("transcript"):
            yield "a content part begins empty"
    elif rung.part is None:
        yield "before response.content_part.added"
    elif step in _STREAMED_BY:
        if rung.finished or _STREAMED_BY[step] != rung.part:
            yield f"in a part of {rung.part} that has finished {rung.finished}"
        if step == "output_audio.delta":
            rung.audio_bytes += len(base64.b64decode(event["delta"]))
        else:
            rung.streamed += event["delta"]
    else:
        expected = _CLOSED_BY[rung.part][len(rung.finished) :][:1]
        if [step] != expected:
            yield f"where {expected} was to come"
        rung.finished.append(step)
        if step in _WHOLE:
            rung.final_text = event[_WHOLE[step]]
            if rung.final_text != rung.streamed:
                yield "the deltas do not add up to what is done"
        elif step == "content_part.done" and _text_of(event["part"]) != rung.final_text:
            yield "the part differs from what was streamed"


def _same_call(step: str, rung: Rung, event: Event) -> Iterator[str]:
    if event["call_id"] != rung.item["call_id"]:
        yield "a call_id that is not the item's"
    if step.endswith(".done") and event["name"] != rung.item["name"]:
        yield "a name that is not the item's"


def _final_item(rung: Rung, item: Event) -> Iterator[str]:
    """An item that is done must say what was streamed."""
    if rung.part is None or rung.finished != _CLOSED_BY[rung.part]:
        yield f"the item is done when only {rung.finished} had come"
    if item["id"] != rung.item["id"] or item["status"] == "in_progress":
        yield "the item is another one, or not done"
    if item["type"] == "function_call":
        if (item["arguments"], item["call_id"]) != (rung.final_text, rung.item["call_id"]):
            yield "the call differs from what was streamed"
        return
    types = {"audio": "output_audio", "text": "output_text"}
    if [part["type"] for part in item["content"]] != [types.get(rung.part or "")]:
        yield f"content of {[part['type'] for part in item['content']]}"
        return
    words = _text_of(item["content"][0])
    if words != rung.final_text and not (rung.is_truncated and rung.final_text.startswith(words)):
        yield "the item's words differ from what was streamed"


def _text_of(part: Event) -> Any:
    return part.get("transcript") if "audio" in part["type"] else part.get("text")


def _about_usage(usage: Event | None) -> Iterator[str]:
    if usage and usage["total_tokens"] != usage["input_tokens"] + usage["output_tokens"]:
        yield "usage does not add up"
