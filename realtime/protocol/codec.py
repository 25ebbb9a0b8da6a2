"""JSON text <-> events. Every failure is an InvalidEvent with the wire's code and param."""

import json
from typing import Any, Protocol, TypeVar, get_args

import msgspec

from realtime.errors import InvalidEvent
from realtime.protocol.client_events import ClientEvent
from realtime.protocol.config import invalid_event
from realtime.protocol.events import AnyClientEvent, ServerEvent

Event = TypeVar("Event", bound=ClientEvent)

_decoder: msgspec.json.Decoder[AnyClientEvent] = msgspec.json.Decoder(AnyClientEvent)
_encoder = msgspec.json.Encoder()

NESTING_MAX = 100
"""Levels of an event's own objects. No tool's schema is near it, and all that reads, merges and
sends them on does so by recursion, with less of the stack left than the decoder had."""
BRANCHES_MAX = 10_000
"""Objects and lists in one event: a conversation of 2,000 items and 128 tools has fewer. A frame could
hold 100,000, and reading, checking and showing them would stop all sessions for a third of a second."""

_TREES = ("session", "item", "response")
"""Fields of events, of whichever wire, that hold any JSON."""

_NO_JSON = "The event is not valid JSON: expected one JSON object."

_INTEGERS = -(2**63), 2**64 - 1  # of what stores a session, and of most clients

_TYPES = tuple(sorted(str(event.__struct_config__.tag) for event in get_args(AnyClientEvent)))


class EventCodec(Protocol):
    """How events are written on one connection."""

    def decode(self, text: str | bytes) -> AnyClientEvent:
        """Read one client event. Raises InvalidEvent with the client's own event_id, if it gave one."""
        ...

    def encode(self, event: ServerEvent) -> str | None:
        """None: a client of this wire knows no such event, and gets none."""
        ...


class GaCodec:
    """OpenAI Realtime as it is generally available."""

    def decode(self, text: str | bytes) -> AnyClientEvent:
        return decode(text)

    def encode(self, event: ServerEvent) -> str:
        return encode(event)


GA = GaCodec()


def decode(text: str | bytes) -> AnyClientEvent:
    """As GaCodec."""
    return decode_with(_decoder, text)


def decode_with(decoder: msgspec.json.Decoder[Event], text: str | bytes) -> Event:
    """As EventCodec.decode. decoder: of a union of client events."""
    try:
        try:
            event = decoder.decode(text)
        except msgspec.ValidationError:
            event = _with_whole_numbers(decoder, msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _half_surrogate(text) or InvalidEvent("invalid_json", _NO_JSON) from None
    trees = (getattr(event, name, None) for name in _TREES)
    if not all(_is_within_limits(tree) for tree in trees if isinstance(tree, dict)):
        message = (
            f"Too much structure: at most {NESTING_MAX} levels and {BRANCHES_MAX} objects and lists, "
            "and integers of at most 64 bits."
        )
        raise InvalidEvent("invalid_value", message, None, event.event_id)
    return event


def _with_whole_numbers(decoder: msgspec.json.Decoder[Event], tree: Any) -> Event:
    """Once more, for some clients write an integer as 1500.0. Raises InvalidEvent."""
    if isinstance(tree, dict):
        tree = {name: _whole(value) for name, value in tree.items()}
    try:
        event: Event = msgspec.convert(tree, decoder.type)
    except msgspec.ValidationError as error:
        raise _invalid(error, tree) from None
    return event


def _whole(value: Any) -> Any:
    """Of an event's own numbers, and of those in an object of it; sessions and items are read elsewhere."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(inner) if isinstance(inner, float) else inner for name, inner in value.items()}
    return value


def _half_surrogate(text: str | bytes) -> InvalidEvent | None:
    """Half of a pair, as in "\\ud83d", is JSON (RFC 8259 8.2) and no text: told as what it is."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    where = _place_of_half(tree) if isinstance(tree, dict) else None
    if where is None:
        return None
    event_id = tree.get("event_id")
    is_id = isinstance(event_id, str) and _is_text(event_id)
    message = f"Invalid value for '{where}': it holds half of a surrogate pair, which is no character."
    return InvalidEvent("invalid_value", message, where, event_id if is_id else None)


def _place_of_half(tree: dict[str, Any]) -> str | None:
    """The path of the first string that is no text."""
    waiting: list[tuple[str, Any]] = [("", tree)]
    while waiting:
        path, node = waiting.pop()
        match node:
            case str() if not _is_text(node):
                return path
            case dict():
                if not all(map(_is_text, node)):
                    return path or "an object's names"
                inner = [(f"{path}.{name}" if path else name, value) for name, value in node.items()]
                waiting += reversed(inner)
            case list():
                waiting += reversed([(f"{path}[{index}]", value) for index, value in enumerate(node)])
    return None


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def encode(event: ServerEvent) -> str:
    return _encoder.encode(event).decode()


def _is_within_limits(tree: dict[str, Any]) -> bool:
    layer: list[Any] = [tree]
    n_branches = 0
    for _ in range(NESTING_MAX):
        n_branches += len(layer)
        if n_branches > BRANCHES_MAX:
            return False
        branches = [node.values() if isinstance(node, dict) else node for node in layer]
        leaves = (child for branch in branches for child in branch if isinstance(child, int))
        if any(not _INTEGERS[0] <= leaf <= _INTEGERS[1] for leaf in leaves):
            return False
        layer = [child for branch in branches for child in branch if isinstance(child, dict | list)]
        if not layer:
            return True
    return False


def _invalid(error: msgspec.ValidationError, event: object) -> InvalidEvent:
    if not isinstance(event, dict):
        return InvalidEvent("invalid_json", "The event is not a JSON object.")
    event_id = event.get("event_id")
    event_type = event.get("type")
    if "type" not in event:
        found = InvalidEvent("missing_required_parameter", "Missing required parameter: 'type'.", "type")
    elif event_type not in _TYPES:
        shown = (
            event_type if isinstance(event_type, str) and len(event_type) <= 80 else type(event_type).__name__
        )
        found = InvalidEvent(
            "invalid_value", f"Invalid value: '{shown}'. Supported values are: {', '.join(_TYPES)}.", "type"
        )
    elif "base64" in str(error):
        found = InvalidEvent("invalid_value", "Invalid 'audio': expected base64-encoded audio.", "audio")
    else:
        found = invalid_event(error)
    found.event_id = event_id if isinstance(event_id, str) else None
    return found
