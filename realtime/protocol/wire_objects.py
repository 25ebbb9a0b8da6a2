"""The objects inside server events: items, their content, responses, usage, errors.

Names and fields are those of OpenAI Realtime (GA). A field that is absent on the wire is UNSET; null is None.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, structs

from realtime.protocol.config import AudioFormat

Status = Literal["in_progress", "completed", "incomplete"]
ResponseStatus = Literal["in_progress", "completed", "cancelled", "failed", "incomplete"]


class InputText(Struct, frozen=True, tag_field="type", tag="input_text"):
    text: str


class InputAudio(Struct, frozen=True, tag_field="type", tag="input_audio"):
    """transcript must be there, null where it is unknown: agents-js throws without the key.

    audio: base64 on the wire, in the session's input format; only in `conversation.item.retrieved`.
    """

    transcript: str | None
    audio: bytes | UnsetType = UNSET


class OutputText(Struct, frozen=True, tag_field="type", tag="output_text"):
    text: str


class OutputAudio(Struct, frozen=True, tag_field="type", tag="output_audio"):
    transcript: str


Content = InputText | InputAudio | OutputText | OutputAudio


class MessageItem(Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    id: str
    object: str = "realtime.item"
    status: Status
    role: Literal["user", "assistant", "system"]
    content: list[Content]


class FunctionCallItem(Struct, frozen=True, kw_only=True, tag_field="type", tag="function_call"):
    id: str
    object: str = "realtime.item"
    status: Status
    call_id: str
    name: str
    arguments: str


class FunctionCallOutputItem(Struct, frozen=True, kw_only=True, tag_field="type", tag="function_call_output"):
    id: str
    object: str = "realtime.item"
    status: Status
    call_id: str
    output: str


WireItem = MessageItem | FunctionCallItem | FunctionCallOutputItem


def without_audio(item: WireItem) -> WireItem:
    """For a peer whose messages are too small for it."""
    if not isinstance(item, MessageItem):
        return item
    content: list[Content] = [
        InputAudio(part.transcript) if isinstance(part, InputAudio) else part for part in item.content
    ]
    return structs.replace(item, content=content)


class AudioContentPart(Struct, frozen=True, tag_field="type", tag="audio"):
    """`part` of content_part events: "audio" here is "output_audio" in the item's content."""

    transcript: str


class TextContentPart(Struct, frozen=True, tag_field="type", tag="text"):
    text: str


ContentPart = AudioContentPart | TextContentPart


class InputTokenDetails(Struct, frozen=True):
    text_tokens: int
    audio_tokens: int
    cached_tokens: int
    image_tokens: int = 0


class OutputTokenDetails(Struct, frozen=True):
    text_tokens: int
    audio_tokens: int


class ResponseUsage(Struct, frozen=True):
    total_tokens: int
    input_tokens: int
    output_tokens: int
    input_token_details: InputTokenDetails
    output_token_details: OutputTokenDetails


class StatusError(Struct, frozen=True):
    type: str
    code: str
    message: str | UnsetType = UNSET


class StatusDetails(Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: str
    reason: str | UnsetType = UNSET
    error: StatusError | UnsetType = UNSET


class ResponseAudioOutput(Struct, frozen=True):
    format: AudioFormat
    voice: str


class ResponseAudio(Struct, frozen=True):
    output: ResponseAudioOutput


class ResponseObject(Struct, frozen=True, kw_only=True):
    id: str
    object: str = "realtime.response"
    status: ResponseStatus
    status_details: StatusDetails | None = None
    output: list[WireItem]
    conversation_id: str | None
    output_modalities: list[str]
    max_output_tokens: int | Literal["inf"]
    audio: ResponseAudio
    metadata: dict[str, str] | None = None
    usage: ResponseUsage | None = None


class ErrorObject(Struct, frozen=True):
    type: str
    code: str | None
    message: str
    param: str | None
    event_id: str | None


class DurationUsage(Struct, frozen=True, tag_field="type", tag="duration"):
    seconds: float


class TranscriptionError(Struct, frozen=True):
    type: str
    code: str
    message: str
