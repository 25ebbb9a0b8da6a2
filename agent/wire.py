"""The contract as bytes: MessagePack, every dataclass tagged with its class name.

`agent.api` stays plain dataclasses; here each gets a `msgspec.Struct` with the same fields, which
validates what came from the other process before a dataclass is made of it.
"""

import types
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from agent import api

MAX_REQUEST_BYTES = 64 * 1024 * 1024
"""Half an hour of speech as history; more is a mistake or an attack."""
MAX_EVENT_BYTES = 1024 * 1024

RESPOND_PATH = "/v1/agent/respond"
TRANSCRIBE_PATH = "/v1/agent/transcribe"
WARM_PATH = "/v1/agent/warm"
HEALTH_PATH = "/v1/agent/health"

Request = api.AgentRequest | api.TranscribeRequest
Reply = (
    api.TextDelta
    | api.AudioDelta
    | api.SpeechSkipped
    | api.ToolCall
    | api.StageDone
    | api.KeepAlive
    | api.PromptRead
    | api.GenerationDone
    | api.GenerationFailed
    | api.Transcript
    | api.Health
)
T = TypeVar("T")


def encode(message: Request | Reply) -> bytes:
    """Raises AgentError for what cannot be written (lone surrogates, a tool schema that is no JSON)."""
    try:
        return _encoder.encode(_to_struct(message))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise api.AgentError("agent_error", f"{_name(message)} cannot be sent: {_name(error)}") from None


def decode_request(frame: bytes, expected: type[T]) -> T:
    """expected: AgentRequest or TranscribeRequest. Raises AgentError for anything else."""
    request: T = _decode(_requests, frame, expected, MAX_REQUEST_BYTES)
    return request


def decode_event(frame: bytes) -> api.AgentEvent:
    """Raises AgentError for what is no event of an answer."""
    event: api.AgentEvent = _decode(_replies, frame, api.AgentEvent, MAX_EVENT_BYTES)
    return event


def decode_reply(frame: bytes, expected: type[T]) -> T:
    """expected: Transcript or Health. Raises AgentError when the other side tells of a failure,
    with its code, and for anything else."""
    reply = _decode(_replies, frame, object, MAX_EVENT_BYTES)
    match reply:
        case api.GenerationFailed(code, message):
            raise api.AgentError(code, message)
        case _ if isinstance(reply, expected):
            return reply
        case _:
            raise _unexpected(expected, reply)


def _decode(decoder: "msgspec.msgpack.Decoder[Any]", frame: bytes, expected: Any, limit_bytes: int) -> Any:
    if len(frame) > limit_bytes:
        raise api.AgentError(
            "agent_error", f"a message of {len(frame)} bytes; {limit_bytes} at most are read"
        )
    try:
        message = _from_struct(decoder.decode(frame))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Not the error's own text: it may quote the message, and so a person's words.
        raise api.AgentError("agent_error", f"a malformed message: {_name(error)}") from None
    if not isinstance(message, expected):
        raise _unexpected(expected, message)
    _require_whole_samples(message)
    return message


def _require_whole_samples(message: object) -> None:
    match message:
        case api.AudioDelta(pcm=pcm) | api.TranscribeRequest(pcm=pcm) if len(pcm) % 2:
            raise api.AgentError("agent_error", f"{_name(message)} ends with half a sample")
        case api.AgentRequest(messages=messages):
            for said in messages:
                if isinstance(said, api.UserMessage) and any(
                    isinstance(part, api.AudioPart) and len(part.pcm) % 2 for part in said.parts
                ):
                    raise api.AgentError("agent_error", "AgentRequest holds half a sample of audio")


def _unexpected(expected: Any, message: object) -> api.AgentError:
    wanted = " or ".join(kind.__name__ for kind in get_args(expected) or (expected,))
    return api.AgentError("agent_error", f"{wanted} was expected, {_name(message)} came")


def _name(message: object) -> str:
    return type(message).__name__


# One Struct for each dataclass ----------------------------------------------------------

_structs: dict[type, type[msgspec.Struct]] = {}
_dataclasses: dict[type, Any] = {}


def _struct_of(dataclass: Any) -> type[msgspec.Struct]:
    if dataclass not in _structs:
        hints = get_type_hints(dataclass)
        struct = msgspec.defstruct(
            dataclass.__name__,
            [(field.name, _translated(hints[field.name])) for field in fields(dataclass)],
            tag=dataclass.__name__,
            tag_field="is",
            frozen=True,
        )
        _structs[dataclass] = struct
        _dataclasses[struct] = dataclass
    return _structs[dataclass]


def _translated(hint: Any) -> Any:
    """The type hint with each dataclass in it replaced by its Struct."""
    if is_dataclass(hint):
        return _struct_of(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return Union[tuple(_translated(option) for option in get_args(hint))]  # noqa: UP007 - made at run time
    if get_origin(hint) is tuple:
        return types.GenericAlias(tuple, (_translated(get_args(hint)[0]), ...))
    return hint


def _to_struct(value: Any) -> Any:
    struct = _structs.get(type(value))
    if struct is not None:
        return struct(*[_to_struct(getattr(value, name)) for name in struct.__struct_fields__])
    if type(value) is tuple:
        return tuple(map(_to_struct, value))
    return value


def _from_struct(value: Any) -> Any:
    dataclass = _dataclasses.get(type(value))
    if dataclass is not None:
        return dataclass(*[_from_struct(getattr(value, name)) for name in value.__struct_fields__])
    if type(value) is tuple:
        return tuple(map(_from_struct, value))
    return value


_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder[Any](_translated(Request))
_replies = msgspec.msgpack.Decoder[Any](_translated(Reply))
