"""From a client's patch to a configuration: `session.update`, and the settings of one `response.create`."""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from agent.api import Health, Tool, Truncation
from realtime.errors import InvalidEvent
from realtime.protocol.config import (
    AudioFormat,
    SessionConfig,
    agent_truncation,
    invalid_event,
    parse_tool,
    parse_tool_choice,
)
from realtime.protocol.known_fields import (
    RESPONSE_FIELDS,
    SESSION_FIELDS,
    TRANSCRIPTION_FIELDS,
    check_fields,
    unsupported,
)

# What a patch may not change: the server's own facts.
_FIXED = frozenset({"id", "object", "expires_at", "model"})
# Known, and checked: the one value that each may have is how it is anyway.
_AS_IT_IS = frozenset({"parallel_tool_calls", "reasoning"})
_NULL_MEANS_OFF = frozenset(
    {"turn_detection", "transcription", "noise_reduction", "idle_timeout_ms", "tracing", "prompt", "include"}
    | {"temperature"}
)
# Values that are set as they come. Other objects merge, those of another `type` with its defaults.
_REPLACED_WHOLE = frozenset({"tools", "tool_choice", "voice", "tracing", "truncation", "prompt", "include"})
_RESPONSE_OVERRIDES = (
    "parlour",
    "instructions",
    "output_modalities",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "audio",
)


class ResponseConfig(Struct, frozen=True, kw_only=True):
    """What one response is made with: the session's settings and the request's own.

    speed: of its speech, as a multiple of the voice's own.
    """

    instructions: str
    modality: Literal["audio", "text"]
    voice: str
    speed: float
    output_format: AudioFormat
    tools: tuple[Tool, ...]
    tool_choice: str
    max_output_tokens: int | None
    truncation: Truncation
    temperature: float | None = None
    metadata: dict[str, str] | None = None


def merge(config: SessionConfig, patch: dict[str, Any]) -> SessionConfig:
    """The session with a `session.update` applied: key by key, explicit null means off.

    Raises InvalidEvent, its param the path of the field that cannot be used, or that nobody knows.
    """
    known = {key: value for key, value in patch.items() if key not in _FIXED}
    session_type = known.get("type") or config.type
    if session_type not in ("realtime", "transcription"):
        raise InvalidEvent(
            "invalid_value",
            f"Invalid value: {session_type!r:.80}. Supported values are: 'realtime', 'transcription'.",
            "session.type",
        )
    becomes_transcription = session_type == "transcription"
    check_fields(known, TRANSCRIPTION_FIELDS if becomes_transcription else SESSION_FIELDS, "session")
    known = {key: value for key, value in known.items() if key not in _AS_IT_IS}
    merged = _merged(msgspec.to_builtins(config), known)
    if becomes_transcription:
        _leave_out_answers(merged, known)
    try:
        return msgspec.convert(merged, SessionConfig)
    except msgspec.ValidationError as error:
        raise invalid_event(error, "session") from None


def check_instructions(instructions: str, agent: Health, param: str) -> None:
    """Raises InvalidEvent where they leave no room in the agent's context, as far as that is known."""
    n_bytes, limit = len(instructions.encode()), agent.instructions_bytes_max
    if limit and n_bytes > limit:
        raise InvalidEvent(
            "context_length_exceeded",
            f"Instructions of {n_bytes} bytes are longer than the model reads: expected {limit} at most.",
            param,
        )


def _leave_out_answers(merged: dict[str, Any], patch: dict[str, Any]) -> None:
    """Of a session that only transcribes. Raises InvalidEvent for what would need an answer."""
    audio = merged["audio"]
    audio_input = audio.get("input") if isinstance(audio, dict) else None
    if not isinstance(audio_input, dict):
        return  # what it is instead is refused
    wanted_input = (patch.get("audio") or {}).get("input") or {}
    if audio_input.get("transcription") is None:
        if "transcription" in wanted_input:
            raise unsupported("session.audio.input.transcription", "null", "This session only transcribes.")
        audio_input["transcription"] = {}
    detection = audio_input.get("turn_detection")
    if not isinstance(detection, dict):
        return
    asked = wanted_input.get("turn_detection") or {}
    for field in ("create_response", "interrupt_response", "idle_timeout_ms"):
        if isinstance(asked, dict) and asked.get(field):
            where = f"session.audio.input.turn_detection.{field}"
            raise unsupported(where, str(asked[field]), "A transcription session makes no responses.")
    detection["create_response"] = detection["interrupt_response"] = False
    detection.pop("idle_timeout_ms", None)


def with_fixed(patch: dict[str, Any], fixed: dict[str, Any]) -> dict[str, Any]:
    """The patch, with what it says of fixed fields put back to what they are fixed to."""
    result: dict[str, Any] = {}
    for name, value in patch.items():
        if name not in fixed:
            result[name] = value
        elif isinstance(value, dict) and isinstance(fixed[name], dict) and name not in _REPLACED_WHOLE:
            result[name] = with_fixed(value, fixed[name])
        else:
            result[name] = fixed[name]
    return result


def response_config(config: SessionConfig, patch: dict[str, Any] | None) -> ResponseConfig:
    """What a response is made with; patch: the `response` of `response.create`.

    Raises InvalidEvent, its param below "response".
    """
    metadata = None
    if patch:
        config = with_overrides(config, patch)
        try:
            metadata = msgspec.convert(patch.get("metadata"), dict[str, str] | None)
        except msgspec.ValidationError:
            raise InvalidEvent(
                "invalid_type", "Invalid metadata: expected an object of strings.", "response.metadata"
            ) from None
    return ResponseConfig(
        instructions=config.instructions,
        modality=config.output_modalities[0],
        voice=config.audio.output.voice_name,
        speed=config.audio.output.speed,
        output_format=config.audio.output.format,
        tools=tuple(parse_tool(tool) for tool in config.tools),
        tool_choice=parse_tool_choice(config.tool_choice),
        max_output_tokens=None if config.max_output_tokens == "inf" else config.max_output_tokens,
        truncation=agent_truncation(config),
        temperature=config.extensions.temperature,
        metadata=metadata,
    )


def with_overrides(config: SessionConfig, patch: dict[str, Any]) -> SessionConfig:
    """The session as a response.create wants it for once. Raises InvalidEvent, its param below "response"."""
    check_fields(patch, RESPONSE_FIELDS, "response")
    overrides = {key: patch[key] for key in _RESPONSE_OVERRIDES if patch.get(key) is not None}
    try:
        return msgspec.convert(_merged(msgspec.to_builtins(config), overrides), SessionConfig)
    except msgspec.ValidationError as error:
        raise invalid_event(error, "response") from None


def _merged(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in patch.items():
        if value is None and (key not in _NULL_MEANS_OFF or key not in result):
            continue  # clients send explicit nulls for what they leave at its default
        old = result.get(key)
        if key not in _REPLACED_WHOLE and isinstance(value, dict):
            current = old if isinstance(old, dict) else {}
            same_kind = value.get("type", current.get("type")) == current.get("type")
            result[key] = _merged(current if same_kind else {}, value)
        elif isinstance(value, float) and value.is_integer():
            result[key] = int(value)  # where an integer is meant some clients write 1500.0
        else:
            result[key] = value
    return result
