"""Which fields the objects of the wire have: what is taken has its effect, and all else is refused by name.

Beside what Parlour does itself (config.py) these are the fields of OpenAI Realtime (GA) that it does not do.
"""

from typing import Any, get_args, get_type_hints

from msgspec import Struct

from realtime.errors import InvalidEvent
from realtime.protocol.config import Audio, AudioInput, SessionConfig, unknown_parameter

Fields = dict[str, "Fields | None"]
"""Name -> the fields of the object that it holds; None where any value may be, and is checked elsewhere."""


def _fields_of(kind: Any) -> Fields | None:
    """Of a struct, or of all structs of a union. None: there is none."""
    structs = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, Struct)]
    fields: Fields = {}
    for struct in structs:
        if struct.__struct_config__.tag_field is not None:
            fields["type"] = None
        hints = get_type_hints(struct)
        fields |= {name: _fields_of(hints[name]) for name in struct.__struct_fields__}
    return fields or None


_BETA_FIELDS = {
    "modalities": "output_modalities",
    "voice": "audio.output.voice",
    "input_audio_format": "audio.input.format",
    "output_audio_format": "audio.output.format",
    "input_audio_transcription": "audio.input.transcription",
    "input_audio_noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
    "max_response_output_tokens": "max_output_tokens",
    "speed": "audio.output.speed",
    "temperature": "parlour.temperature",
}
_UNSUPPORTED = frozenset({"prompt", "reasoning"})
"""Null is all that can be taken: prompts are stored elsewhere, and engines have no such setting."""

SESSION_FIELDS: Fields = (_fields_of(SessionConfig) or {}) | {"parallel_tool_calls": None, "reasoning": None}
TRANSCRIPTION_FIELDS: Fields = {
    "type": None,
    "audio": {"input": _fields_of(AudioInput)},
    "include": None,
    "parlour": SESSION_FIELDS["parlour"],
}
_OUTPUT: Fields | None = {"output": (_fields_of(Audio) or {})["output"]}
RESPONSE_FIELDS: Fields = {
    "audio": _OUTPUT,
    "parlour": {"temperature": None},
    **dict.fromkeys(("conversation", "input", "instructions", "max_output_tokens", "metadata")),
    **dict.fromkeys(
        ("output_modalities", "parallel_tool_calls", "prompt", "reasoning", "tool_choice", "tools")
    ),
}


def check_fields(patch: dict[str, Any], fields: Fields, path: str) -> None:
    """Raises InvalidEvent for a field that is not known, or that cannot have this value here."""
    for name, value in patch.items():
        where = f"{path}.{name}"
        if name not in fields:
            raise unknown_parameter(where if len(where) <= 200 else path, _advice(name, path))
        if name in _UNSUPPORTED and value is not None and path in ("session", "response"):
            raise unsupported(where, "a value", "This server has no such setting.")
        if name == "parallel_tool_calls" and value not in (None, True):
            raise unsupported(where, str(value)[:20], "A model may always call several tools.")
        inner = fields[name]
        if inner is not None and isinstance(value, dict):
            check_fields(value, inner, where)


def unsupported(param: str, value: str, reason: str) -> InvalidEvent:
    message = f"Unsupported value for '{param}': {value}. {reason}"
    return InvalidEvent("unsupported_value", message, param)


def _advice(name: str, path: str) -> str:
    ga = _BETA_FIELDS.get(name) if path in ("session", "response") else None
    if ga is None:
        return ""
    beta = "a client of the beta says so with the header 'OpenAI-Beta: realtime=v1'"
    return f"It is '{path}.{ga}' here; {beta}."
