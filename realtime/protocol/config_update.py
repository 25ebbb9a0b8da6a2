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

# What a patch may not change: the server's own facts.
_FIXED = frozenset({"id", "object", "expires_at", "model"})
_NULL_MEANS_OFF = frozenset(
    {"turn_detection", "transcription", "noise_reduction", "idle_timeout_ms", "tracing", "prompt", "include"}
)
# Values that are set as they come. Other objects merge, those of another `type` with its defaults.
_REPLACED_WHOLE = frozenset({"tools", "tool_choice", "voice", "tracing", "truncation", "prompt", "include"})
_RESPONSE_OVERRIDES = ("instructions", "output_modalities", "tools", "tool_choice", "max_output_tokens")


class ResponseConfig(Struct, frozen=True, kw_only=True):
    """What one response is made with: the session's settings and the request's own."""

    instructions: str
    modality: Literal["audio", "text"]
    voice: str
    output_format: AudioFormat
    tools: tuple[Tool, ...]
    tool_choice: str
    max_output_tokens: int | None
    truncation: Truncation
    metadata: dict[str, str] | None = None


def merge(config: SessionConfig, patch: dict[str, Any]) -> SessionConfig:
    """The session with a `session.update` applied: key by key, explicit null means off.

    Keys that Parlour does not know are ignored. Raises InvalidEvent, its param the path of the
    field that cannot be used.
    """
    known = {key: value for key, value in patch.items() if key not in _FIXED}
    session_type = known.get("type")
    if session_type not in (None, "realtime"):
        raise InvalidEvent(
            "invalid_value",
            f"Invalid value: {session_type!r}. Supported values are: 'realtime'.",
            "session.type",
        )
    merged = _merged(msgspec.to_builtins(config), known)
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
        overrides = {key: patch[key] for key in _RESPONSE_OVERRIDES if patch.get(key) is not None}
        output = (
            (patch.get("audio") or {}).get("output") if isinstance(patch.get("audio"), dict | None) else None
        )
        if isinstance(output, dict):
            overrides["audio"] = {"output": output}
        try:
            config = msgspec.convert(_merged(msgspec.to_builtins(config), overrides), SessionConfig)
        except msgspec.ValidationError as error:
            raise invalid_event(error, "response") from None
        try:
            metadata = msgspec.convert(patch.get("metadata"), dict[str, str] | None)
        except msgspec.ValidationError:
            raise InvalidEvent(
                "invalid_type", "Invalid metadata: expected an object of strings.", "response.metadata"
            ) from None
    voice = config.audio.output.voice
    return ResponseConfig(
        instructions=config.instructions,
        modality=config.output_modalities[0],
        voice=voice if isinstance(voice, str) else str(voice.get("id", "")),
        output_format=config.audio.output.format,
        tools=tuple(parse_tool(tool) for tool in config.tools),
        tool_choice=parse_tool_choice(config.tool_choice),
        max_output_tokens=None if config.max_output_tokens == "inf" else config.max_output_tokens,
        truncation=agent_truncation(config),
        metadata=metadata,
    )


def _merged(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in patch.items():
        if value is None and key not in _NULL_MEANS_OFF:
            continue  # clients send explicit nulls for what they leave at its default
        old = result.get(key)
        if key not in _REPLACED_WHOLE and isinstance(value, dict):
            current = old if isinstance(old, dict) else {}
            same_kind = value.get("type", current.get("type")) == current.get("type")
            result[key] = _merged(current if same_kind else {}, value)
        else:
            result[key] = value
    return result
