"""Items that a client sends, read and checked."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from agent.api import AudioPart, TextPart
from realtime.errors import ClientError, InvalidEvent
from realtime.protocol.conversation import FRONT, Conversation
from realtime.protocol.items import AssistantItem, Item, SystemItem, ToolCallItem, ToolResultItem, UserItem

TEXT_CHARS_MAX = 200_000
ID_CHARS_MAX = 256
PARTS_MAX = 100
"""Content parts of one item. Each part of audio is a task for the recogniser, and a frame holds thousands."""

DecodeAudio = Callable[[bytes], bytes]
"""Audio in the session's input format -> s16le mono at 16 kHz. Raises ClientError."""


def parse_item(
    raw: dict[str, Any], new_id: Callable[[str], str], decode_audio: DecodeAudio, param: str = "item"
) -> Item:
    """Read one item of `conversation.item.create` or of a response's `input`.

    The client's own id is kept; without one the item gets a new one. Raises InvalidEvent with the
    path of the field that cannot be used.
    """
    item_id = raw.get("id")
    if item_id is None:
        item_id = new_id("item")
    elif not isinstance(item_id, str) or not 0 < len(item_id) <= ID_CHARS_MAX:
        raise _invalid(f"{param}.id", f"a string of 1 to {ID_CHARS_MAX} characters")
    elif item_id == FRONT:
        raise _invalid(f"{param}.id", f"another id: {FRONT!r} is the front of the conversation")
    match raw.get("type"):
        case "message":
            return _message(raw, item_id, decode_audio, param)
        case "function_call":
            return ToolCallItem(
                item_id,
                _string(raw, "call_id", param) if "call_id" in raw else new_id("call"),
                _string(raw, "name", param),
                _string(raw, "arguments", param),
            )
        case "function_call_output":
            return ToolResultItem(item_id, _string(raw, "call_id", param), _string(raw, "output", param))
        case None:
            raise _missing(f"{param}.type")
        case _:
            raise _invalid(f"{param}.type", "'message', 'function_call' or 'function_call_output'")


def parse_input(
    raw: Any, conversation: Conversation, new_id: Callable[[str], str], decode_audio: DecodeAudio
) -> list[Item]:
    """Read the `input` of response.create: new items, and references to the conversation's."""
    if not isinstance(raw, list) or not all(isinstance(entry, dict) for entry in raw):
        raise InvalidEvent(
            "invalid_type", "Invalid type for 'response.input': expected a list of items.", "response.input"
        )
    items: list[Item] = []
    for index, entry in enumerate(raw):
        if entry.get("type") == "item_reference":
            items.append(conversation.get(str(entry.get("id")), "item_reference_invalid_item_id"))
        else:
            items.append(parse_item(entry, new_id, decode_audio, f"response.input[{index}]"))
    return items


def _message(raw: dict[str, Any], item_id: str, decode_audio: DecodeAudio, param: str) -> Item:
    content = raw.get("content")
    if content is None:
        raise _missing(f"{param}.content")
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise _invalid(f"{param}.content", "a list of content parts")
    if len(content) > PARTS_MAX:
        raise _invalid(f"{param}.content", f"at most {PARTS_MAX} content parts")
    places = [(part, f"{param}.content[{index}]") for index, part in enumerate(content)]
    match raw.get("role"):
        case "user":
            return UserItem(item_id, tuple(_user_part(part, place, decode_audio) for part, place in places))
        case "system":
            return SystemItem(
                item_id, tuple(TextPart(_text_of(part, place, "input_text")) for part, place in places)
            )
        case "assistant":
            texts = [_text_of(part, place, "output_text", "output_audio") for part, place in places]
            spoken = any(part.get("type") == "output_audio" for part in content)
            return AssistantItem(item_id, "audio" if spoken else "text", "".join(texts))
        case None:
            raise _missing(f"{param}.role")
        case _:
            raise _invalid(f"{param}.role", "'user', 'assistant' or 'system'")


def _user_part(part: dict[str, Any], place: str, decode_audio: DecodeAudio) -> TextPart | AudioPart:
    match part.get("type"):
        case "input_text":
            return TextPart(_string(part, "text", place))
        case "input_audio":
            transcript = part.get("transcript")
            if transcript is not None and not isinstance(transcript, str):
                raise _invalid(f"{place}.transcript", "a string or null")
            audio = part.get("audio")
            if audio is None and transcript is not None:
                return AudioPart(b"", transcript)
            return AudioPart(_audio(part, place, decode_audio), transcript)
        case "input_image":
            raise InvalidEvent(
                "invalid_value", "Images cannot be seen here: expected text or audio.", f"{place}.type"
            )
        case _:
            raise _invalid(f"{place}.type", "'input_text' or 'input_audio'")


def _text_of(part: dict[str, Any], place: str, *types: str) -> str:
    part_type = part.get("type")
    if part_type not in types:
        raise _invalid(f"{place}.type", " or ".join(repr(name) for name in types))
    return _string(part, "transcript" if part_type == "output_audio" else "text", place)


def _string(raw: dict[str, Any], field: str, param: str) -> str:
    value = raw.get(field)
    if value is None:
        raise _missing(f"{param}.{field}")
    if not isinstance(value, str):
        raise InvalidEvent(
            "invalid_type", f"Invalid type for '{param}.{field}': expected a string.", f"{param}.{field}"
        )
    if len(value) > TEXT_CHARS_MAX:
        raise ClientError(
            "string_above_max_length",
            f"'{param}.{field}' is too long: at most {TEXT_CHARS_MAX} characters, got {len(value)}.",
            f"{param}.{field}",
        )
    return value


def _audio(part: dict[str, Any], place: str, decode_audio: DecodeAudio) -> bytes:
    text = part.get("audio")
    if not isinstance(text, str):
        text = _string(part, "audio", place)
    try:
        coded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidEvent(
            "invalid_value", f"Invalid '{place}.audio': expected base64-encoded audio.", f"{place}.audio"
        ) from None
    try:
        return decode_audio(coded)
    except ClientError as error:
        error.param = f"{place}.audio"
        raise


def _invalid(param: str, expected: str) -> InvalidEvent:
    return InvalidEvent("invalid_value", f"Invalid value for '{param}': expected {expected}.", param)


def _missing(param: str) -> InvalidEvent:
    return InvalidEvent("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
