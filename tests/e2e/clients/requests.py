"""Each of the client's requests is answered: by its event, or by one error that names it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.e2e.clients.shape import Event

_ANSWERS = {
    "session.update": "session.updated",
    "input_audio_buffer.commit": "input_audio_buffer.committed",
    "input_audio_buffer.clear": "input_audio_buffer.cleared",
    "conversation.item.create": "conversation.item.added",
    "conversation.item.retrieve": "conversation.item.retrieved",
    "conversation.item.truncate": "conversation.item.truncated",
    "conversation.item.delete": "conversation.item.deleted",
    "response.create": "response.created",
    "response.cancel": "response.done",
}


@dataclass(eq=False)
class Request:
    """event_id: None if the client gave none. is_quiet: nothing has to answer it but an error."""

    event: Event
    answer: str
    event_id: str | None

    @property
    def is_quiet(self) -> bool:
        return not self.answer


class Requests:
    def __init__(self) -> None:
        self._open: list[Request] = []

    def sent(self, event: Event) -> None:
        event_id = event.get("event_id")
        answer = _ANSWERS.get(str(event.get("type")), "")
        self._open.append(Request(event, answer, event_id if isinstance(event_id, str) else None))

    def received(self, event: Event) -> Iterator[str]:
        if event["type"] == "error":
            yield from self._failed(event["error"])
            return
        for request in self._open:
            if request.answer == event["type"] and _answers(event, request.event):
                self._open.remove(request)
                yield from _wrong_echo(event, request.event)
                return
        if event["type"] in _ANSWERED_ALONE:
            yield "an answer that nobody asked for"

    def unanswered(self) -> list[str]:
        return [f"{request.answer} for {request.event['type']}" for request in self._open if request.answer]

    def _failed(self, error: Event) -> Iterator[str]:
        culprit = error.get("event_id")
        for request in self._open:
            if request.event_id == culprit and not (culprit is None and _was_fine(request, error)):
                self._open.remove(request)
                return
        yield f"an error that nobody caused: {error.get('code')}, event_id {culprit!r}"


# These have one cause only: the client's request.
_ANSWERED_ALONE = frozenset(_ANSWERS.values()) - {
    "input_audio_buffer.committed",
    "conversation.item.added",
    "response.created",
    "response.done",
}


def _was_fine(request: Request, error: Event) -> bool:
    """An append without an event_id is no ready excuse for just any error."""
    is_append = request.event.get("type") == "input_audio_buffer.append"
    return is_append and error.get("param") != "audio"


def _answers(event: Event, request: Event) -> bool:
    match event["type"]:
        case "conversation.item.added":
            wanted = (request.get("item") or {}).get("id")
            return wanted is None or event["item"].get("id") == wanted
        case "conversation.item.retrieved":
            return bool(event["item"].get("id") == request.get("item_id"))
        case "conversation.item.truncated" | "conversation.item.deleted":
            return bool(event["item_id"] == request.get("item_id"))
        case "response.created":
            asked, response = request.get("response") or {}, event["response"]
            is_out_of_band = asked.get("conversation") == "none"
            return (
                response.get("metadata") == asked.get("metadata")
                and (response.get("conversation_id") is None) == is_out_of_band
            )
        case "response.done":
            reason = (event["response"].get("status_details") or {}).get("reason")
            return bool(reason == "client_cancelled")
        case _:
            return True


def _wrong_echo(event: Event, request: Event) -> Iterator[str]:
    match event["type"]:
        case "conversation.item.added":
            if _words(request["item"]) != _words(event["item"]):
                yield "an item that differs from what the client wrote"
        case "conversation.item.truncated":
            if (event["content_index"], event["audio_end_ms"]) != (
                request["content_index"],
                request["audio_end_ms"],
            ):
                yield "a truncation other than the one that was asked for"


def _words(item: Event) -> list[tuple[object, object]]:
    return [(part.get("type"), part.get("text")) for part in item.get("content") or []]
