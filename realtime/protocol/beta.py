"""The wire as it was in OpenAI's beta, until 2025: its flat sessions and older names, for old clients.

Reference: `openai.types.beta.realtime` of the Python SDK. A client of the beta says so (header
`OpenAI-Beta: realtime=v1`), and its whole session is translated, each way; the core knows nothing of it. What
either wire has and the other has not is told by an error with the client's own names, or not sent.
"""

from typing import Any

import msgspec
from msgspec import Struct

from realtime.errors import InvalidEvent
from realtime.protocol.client_events import ClientEvent
from realtime.protocol.codec import decode_with, encode
from realtime.protocol.config import unknown_parameter
from realtime.protocol.events import (
    AnyClientEvent,
    Error,
    ItemAdded,
    ItemCreate,
    ItemDone,
    ItemRetrieved,
    OutputItemAdded,
    OutputItemDone,
    ResponseCreate,
    ResponseCreated,
    ResponseDone,
    Resumed,
    ServerEvent,
    SessionCreated,
    SessionUpdate,
    SessionUpdated,
)

Tree = dict[str, Any]

_FORMATS: dict[str, Tree] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_FORMAT_NAMES = {one["type"]: name for name, one in _FORMATS.items()}

_AUDIO_PATHS = {
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "output_audio_format": ("audio", "output", "format"),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
}
_PATHS = _AUDIO_PATHS | {
    "modalities": ("output_modalities",),
    "max_response_output_tokens": ("max_output_tokens",),
    "temperature": ("parlour", "temperature"),
}
_SAME_IN_BOTH = frozenset(
    # The last two under today's names: whatever was refused of them would be told in the beta's.
    {"instructions", "tools", "tool_choice", "prompt", "max_output_tokens", "output_modalities"}
)
_SAME_IN_SESSION = _SAME_IN_BOTH | {"id", "object", "model", "expires_at", "tracing", "include", "parlour"}
_SAME_IN_RESPONSE = _SAME_IN_BOTH | {"conversation", "input", "metadata"}
_SHOWN = ("id", "object", "model", "expires_at", "instructions", "tools", "tool_choice", "tracing", "include")
_IN_RESPONSE = frozenset(
    {"modalities", "voice", "output_audio_format", "temperature", "max_response_output_tokens"}
)
_TRANSCRIPTION_PATHS = ("input_audio_format", "input_audio_transcription", "input_audio_noise_reduction")
_IN_TRANSCRIPTION = frozenset({*_TRANSCRIPTION_PATHS, "turn_detection"})
DEFAULT_TEMPERATURE = 0.8
"""What the beta shows where nobody has set another; the model's own is used then."""

_CONTENT_TYPES = {"text": "output_text", "audio": "output_audio"}
_BETA_CONTENT_TYPES = {ga: beta for beta, ga in _CONTENT_TYPES.items()}
_RENAMED = {
    f"response.output_{kind}.{stage}": f"response.{kind}.{stage}"
    for kind in ("text", "audio", "audio_transcript")
    for stage in ("delta", "done")
}


class TranscriptionSessionUpdate(ClientEvent, frozen=True, kw_only=True, tag="transcription_session.update"):
    session: Tree


_decoder: msgspec.json.Decoder[AnyClientEvent | TranscriptionSessionUpdate] = msgspec.json.Decoder(
    AnyClientEvent | TranscriptionSessionUpdate
)


class BetaCodec:
    """An EventCodec (codec.py) for a client of the beta."""

    def decode(self, text: str | bytes) -> AnyClientEvent:
        """Raises InvalidEvent, in the beta's names once it is encoded."""
        event = decode_with(_decoder, text)
        try:
            match event:
                case TranscriptionSessionUpdate(session=session):
                    ga = {"type": "transcription", **ga_session(session, _IN_TRANSCRIPTION)}
                    return SessionUpdate(event_id=event.event_id, session=ga)
                case SessionUpdate(session=session):
                    return msgspec.structs.replace(event, session=ga_session(session))
                case ResponseCreate(response=dict(response)):
                    return msgspec.structs.replace(event, response=_ga_response(response))
                case ItemCreate(item=item):
                    return msgspec.structs.replace(event, item=_ga_item(item))
        except InvalidEvent as error:
            error.event_id = event.event_id
            raise
        return event

    def encode(self, event: ServerEvent) -> str | None:
        """None: the beta has no such event."""
        match event:
            case ItemDone():
                return None
            case Error(error=error) if error.param:
                param = beta_path(error.param)
                message = error.message.replace(error.param, param)
                shown = msgspec.structs.replace(error, param=param, message=message)
                return encode(msgspec.structs.replace(event, error=shown))
            case ItemAdded() | ItemRetrieved() | OutputItemAdded() | OutputItemDone():
                tree = _tree(event)
                tree["item"] = _beta_item(tree["item"])
                if isinstance(event, ItemAdded):
                    tree["type"] = "conversation.item.created"
            case ResponseCreated() | ResponseDone():
                tree = _tree(event)
                tree["response"] = _beta_response(tree["response"])
            case SessionCreated() | SessionUpdated() | Resumed():
                tree = _tree(event)
                if tree["session"]["type"] == "transcription" and not isinstance(event, Resumed):
                    tree["type"] = f"transcription_{tree['type']}"
                tree["session"] = beta_session(tree["session"])
            case _:
                ga_type = str(event.__struct_config__.tag)
                text, beta_type = encode(event), _RENAMED.get(ga_type)
                return text.replace(f'"{ga_type}"', f'"{beta_type}"', 1) if beta_type else text
        return msgspec.json.encode(tree).decode()


# From the client --------------------------------------------------------------------------


def ga_session(session: Tree, known: frozenset[str] = frozenset(_PATHS)) -> Tree:
    """A flat session as a `session.update` of today takes it.

    known: the fields that it may have, besides those that have kept their names. Raises InvalidEvent.
    """
    return _ga(session, known, _SAME_IN_SESSION, "session")


def _ga_response(response: Tree) -> Tree:
    ga = _ga(response, _IN_RESPONSE, _SAME_IN_RESPONSE, "response")
    if isinstance(ga.get("input"), list):
        ga["input"] = [_ga_item(item) if isinstance(item, dict) else item for item in ga["input"]]
    return ga


def _ga(flat: Tree, known: frozenset[str], same: frozenset[str], where: str) -> Tree:
    ga: Tree = {}
    for name, value in flat.items():
        if name == "parlour" and name in same:
            if not isinstance(value, dict):
                raise _invalid(f"{where}.{name}", "an object")
            ga[name] = ga.get(name, {}) | value
        elif name in same:
            ga[name] = value
        elif name not in known:
            raise unknown_parameter(f"{where}.{name}"[:200])
        else:
            at = ga
            *parents, last = _PATHS[name]
            for parent in parents:
                at = at.setdefault(parent, {})
            at[last] = _ga_value(name, value, where)
    return ga


def _ga_value(name: str, value: Any, where: str) -> Any:
    if value is None:
        return None
    match name:
        case "input_audio_format" | "output_audio_format":
            if not isinstance(value, str) or value not in _FORMATS:
                raise _invalid(f"{where}.{name}", ", ".join(f"'{one}'" for one in _FORMATS))
            return dict(_FORMATS[value])
        case "modalities":
            if not isinstance(value, list) or value not in (
                ["text"],
                ["audio"],
                ["text", "audio"],
                ["audio", "text"],
            ):
                raise _invalid(f"{where}.{name}", "['text'] or ['text', 'audio']")
            return ["audio"] if "audio" in value else ["text"]
        case _:
            return value


def _ga_item(item: Tree) -> Tree:
    content = item.get("content")
    if not isinstance(content, list):
        return item
    return {**item, "content": [_ga_part(part) if isinstance(part, dict) else part for part in content]}


def _ga_part(part: Tree) -> Tree:
    kind = part.get("type")
    return (
        {**part, "type": _CONTENT_TYPES[kind]} if isinstance(kind, str) and kind in _CONTENT_TYPES else part
    )


def _invalid(param: str, expected: str) -> InvalidEvent:
    return InvalidEvent("invalid_value", f"Invalid value for '{param}': expected {expected}.", param)


# To the client ----------------------------------------------------------------------------


def beta_session(session: Tree) -> Tree:
    """A session of today, as JSON, flat."""
    flat = {name: session[name] for name in _SHOWN if name in session}
    for name, path in _AUDIO_PATHS.items():
        side = session["audio"].get(path[1])
        if side is not None:
            flat[name] = _beta_value(name, side[path[2]])
    extensions = dict(session.get("parlour", {}))
    temperature = extensions.pop("temperature", None)
    if any(extensions.values()):
        flat["parlour"] = extensions
    if session["type"] == "realtime":
        flat["modalities"] = _beta_modalities(session["output_modalities"])
        flat["max_response_output_tokens"] = session["max_output_tokens"]
        flat["temperature"] = DEFAULT_TEMPERATURE if temperature is None else temperature
    return flat


def _beta_response(response: Tree) -> Tree:
    flat = {name: value for name, value in response.items() if name not in ("audio", "output_modalities")}
    output = response["audio"]["output"]
    flat["modalities"] = _beta_modalities(response["output_modalities"])
    flat["voice"] = output["voice"]
    flat["output_audio_format"] = _FORMAT_NAMES[output["format"]["type"]]
    flat["output"] = [_beta_item(item) for item in response["output"]]
    return flat


def _beta_value(name: str, value: Any) -> Any:
    if name.endswith("_audio_format"):
        return _FORMAT_NAMES[value["type"]]
    if name == "turn_detection" and value is not None:
        return {key: one for key, one in value.items() if one is not None}  # it had no idle_timeout_ms
    return value


def _beta_modalities(modalities: list[str]) -> list[str]:
    return ["text", "audio"] if modalities == ["audio"] else modalities


def _beta_item(item: Tree) -> Tree:
    content = item.get("content")
    if content is None:
        return item
    parts = [{**part, "type": _BETA_CONTENT_TYPES.get(part["type"], part["type"])} for part in content]
    return {**item, "content": parts}


def beta_path(param: str) -> str:
    """session.audio.input.format.type -> session.input_audio_format.type"""
    where, _, path = param.partition(".")
    if where not in ("session", "response"):
        return param
    for name, ga in _PATHS.items():
        inside = ".".join(ga)
        if path == inside or path.startswith((f"{inside}.", f"{inside}[")):
            return f"{where}.{name}{path[len(inside) :]}"
    return param


def _tree(event: Struct) -> Tree:
    tree: Tree = msgspec.to_builtins(event)
    return tree
