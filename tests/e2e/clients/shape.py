"""The shape of one server event, as the strictest clients take it.

The schema is `openai.types.realtime`, validated strictly (no coercion, no key that it does not know).
What it leaves open but a client needs is checked beside it; the protocol reference's fault matrix says
which client breaks without it.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, get_args

from openai.types.realtime import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

FRAME_BYTES_MAX = 1024 * 1024

Event = dict[str, Any]

_ANNOTATED_UNION = get_args(RealtimeServerEvent)[0]
_SCHEMAS: dict[str, TypeAdapter[Any]] = {
    get_args(model.model_fields["type"].annotation)[0]: TypeAdapter(model)
    for model in get_args(_ANNOTATED_UNION)
    if "type" in model.model_fields
}

# On the wire, but not in the schema of the client's own version.
_KNOWN_EXTRAS = frozenset({"session.object", "session.id", "session.expires_at", "response.metadata"})
_SESSION_KEYS = frozenset(
    {"type", "object", "id", "model", "output_modalities", "instructions", "audio", "tools", "tool_choice"}
    | {"max_output_tokens", "tracing", "truncation", "prompt", "expires_at", "include"}
)
_AUDIO_KEYS = {
    "input": frozenset({"format", "transcription", "noise_reduction", "turn_detection"}),
    "output": frozenset({"format", "voice", "speed"}),
}
_TURN_DETECTION_KEYS = {
    "server_vad": frozenset(
        {"type", "threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"}
        | {"create_response", "interrupt_response"}
    ),
    "semantic_vad": frozenset({"type", "eagerness", "create_response", "interrupt_response"}),
}
_TRANSCRIPTION_KEYS = frozenset({"model", "language", "prompt"})
_PART_TYPES = {"system": {"input_text"}, "user": {"input_text", "input_audio"}}
_PART_TYPES["assistant"] = {"output_text", "output_audio"}


def complaints_about_shape(event: Event, frame_bytes: int) -> Iterator[str]:
    """What a strict client would stumble over in this event alone."""
    if frame_bytes >= FRAME_BYTES_MAX:
        yield f"a frame of {frame_bytes} bytes: 1 MiB ends pipecat"
    event_type = event.get("type")
    schema = _SCHEMAS.get(str(event_type))
    if schema is None:
        yield f"an event type that no client knows: {event_type!r}"
        return
    try:
        model = schema.validate_python(event, strict=True)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            yield f"the schema: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        return
    yield from (f"a key that the schema lacks: {path}" for path in _extras(model, ""))
    yield from _about_objects(event)


def _about_objects(event: Event) -> Iterator[str]:
    if "item" in event:
        yield from _about_item(event["item"])
    if "response" in event:
        for item in event["response"].get("output", []):
            yield from _about_item(item)
        metadata = event["response"].get("metadata") or {}
        if not all(isinstance(value, str) for value in metadata.values()):
            yield "metadata values that are not strings"
    if "session" in event:
        yield from _about_session(event["session"])
    if "part" in event:
        yield from (f"part.{key} is null: agents-js wants it absent" for key in _nulls(event["part"]))
    if event["type"] == "response.output_audio.delta":
        try:
            base64.b64decode(event["delta"], validate=True)
        except binascii.Error:
            yield "audio that is not base64"


def _about_item(item: Event) -> Iterator[str]:
    for key in ("id", "object", "status"):
        if not item.get(key):
            yield f"an item without {key}"
    if item.get("type") not in ("message", "function_call", "function_call_output"):
        yield f"an item of type {item.get('type')!r}"
    if item.get("type") == "function_call" and not item.get("call_id"):
        yield "a function_call without call_id"
    for part in item.get("content") or []:
        if part.get("type") not in _PART_TYPES.get(item.get("role", ""), ()):
            yield f"content of type {part.get('type')!r} in an item of {item.get('role')!r}"
        if part.get("type") in ("input_audio", "output_audio") and "transcript" not in part:
            yield f"{part['type']} without the key transcript: agents-js throws"


def _about_session(session: Event) -> Iterator[str]:
    yield from (f"session lacks {key}" for key in sorted(_SESSION_KEYS - session.keys()))
    audio = session.get("audio") or {}
    for side, keys in _AUDIO_KEYS.items():
        present = (audio.get(side) or {}).keys()
        yield from (f"session.audio.{side} lacks {key}" for key in sorted(keys - present))
        wire_format = (audio.get(side) or {}).get("format")
        if wire_format not in (
            {"type": "audio/pcm", "rate": 24000},
            {"type": "audio/pcmu"},
            {"type": "audio/pcma"},
        ):
            yield f"session.audio.{side}.format is {wire_format!r}"
    heard = audio.get("input") or {}
    detection = heard.get("turn_detection")
    if detection is not None:
        expected = _TURN_DETECTION_KEYS.get(detection.get("type"), frozenset())
        if detection.keys() != expected:
            yield f"turn_detection has {sorted(detection)}, not {sorted(expected)}"
    transcription = heard.get("transcription")
    if transcription is not None and not transcription.keys() <= _TRANSCRIPTION_KEYS:
        yield f"transcription has {sorted(transcription)}: another key than these ends pipecat"


def _extras(model: object, path: str) -> Iterator[str]:
    if isinstance(model, BaseModel):
        for key in model.model_extra or {}:
            if f"{path}{key}" not in _KNOWN_EXTRAS:
                yield f"{path}{key}"
        for key in type(model).model_fields:
            yield from _extras(getattr(model, key), f"{path}{key}.")
    elif isinstance(model, list):
        for element in model:
            yield from _extras(element, path)


def _nulls(part: Event) -> list[str]:
    return [key for key, value in part.items() if value is None]
