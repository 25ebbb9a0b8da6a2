"""JSON text <-> events. Every failure is an InvalidEvent with the wire's code and param."""

from typing import get_args

import msgspec

from realtime.errors import InvalidEvent
from realtime.protocol.config import invalid_event
from realtime.protocol.events import AnyClientEvent, ServerEvent

_decoder: msgspec.json.Decoder[AnyClientEvent] = msgspec.json.Decoder(AnyClientEvent)
_encoder = msgspec.json.Encoder()

_TYPES = tuple(sorted(str(event.__struct_config__.tag) for event in get_args(AnyClientEvent)))


def decode(text: str | bytes) -> AnyClientEvent:
    """Read one client event. Raises InvalidEvent with the client's own event_id, if it gave one."""
    try:
        try:
            return _decoder.decode(text)
        except msgspec.ValidationError as error:
            raise _invalid(error, msgspec.json.decode(text)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidEvent("invalid_json", "The event is not valid JSON: expected one JSON object.") from None


def encode(event: ServerEvent) -> str:
    return _encoder.encode(event).decode()


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
