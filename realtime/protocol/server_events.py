"""What the server sends: the events of OpenAI Realtime (GA), with its names and fields.

The core builds them; each gets its `event_id` when it is sent. Parlour's own are in parlour_events.py.
"""

from msgspec import Struct

from realtime.protocol.config import ShownSession
from realtime.protocol.wire_objects import (
    ContentPart,
    DurationUsage,
    ErrorObject,
    ResponseObject,
    TranscriptionError,
    WireItem,
)


class ServerEvent(Struct, kw_only=True, tag_field="type"):
    event_id: str = ""


class Error(ServerEvent, kw_only=True, tag="error"):
    error: ErrorObject


class SessionCreated(ServerEvent, kw_only=True, tag="session.created"):
    session: ShownSession


class SessionUpdated(ServerEvent, kw_only=True, tag="session.updated"):
    session: ShownSession


class ItemAdded(ServerEvent, kw_only=True, tag="conversation.item.added"):
    previous_item_id: str | None
    item: WireItem


class ItemDone(ServerEvent, kw_only=True, tag="conversation.item.done"):
    previous_item_id: str | None
    item: WireItem


class ItemRetrieved(ServerEvent, kw_only=True, tag="conversation.item.retrieved"):
    item: WireItem


class ItemDeleted(ServerEvent, kw_only=True, tag="conversation.item.deleted"):
    item_id: str


class ItemTruncated(ServerEvent, kw_only=True, tag="conversation.item.truncated"):
    item_id: str
    content_index: int
    audio_end_ms: int


class TranscriptionDelta(ServerEvent, kw_only=True, tag="conversation.item.input_audio_transcription.delta"):
    item_id: str
    content_index: int
    delta: str


class TranscriptionCompleted(
    ServerEvent, kw_only=True, tag="conversation.item.input_audio_transcription.completed"
):
    item_id: str
    content_index: int
    transcript: str
    usage: DurationUsage


class TranscriptionFailed(
    ServerEvent, kw_only=True, tag="conversation.item.input_audio_transcription.failed"
):
    item_id: str
    content_index: int
    error: TranscriptionError


class Committed(ServerEvent, kw_only=True, tag="input_audio_buffer.committed"):
    item_id: str
    previous_item_id: str | None


class Cleared(ServerEvent, kw_only=True, tag="input_audio_buffer.cleared"):
    pass


class InputSpeechStarted(ServerEvent, kw_only=True, tag="input_audio_buffer.speech_started"):
    item_id: str
    audio_start_ms: int


class InputSpeechStopped(ServerEvent, kw_only=True, tag="input_audio_buffer.speech_stopped"):
    item_id: str
    audio_end_ms: int


class TimeoutTriggered(ServerEvent, kw_only=True, tag="input_audio_buffer.timeout_triggered"):
    item_id: str
    audio_start_ms: int
    audio_end_ms: int


class ResponseCreated(ServerEvent, kw_only=True, tag="response.created"):
    response: ResponseObject


class ResponseDone(ServerEvent, kw_only=True, tag="response.done"):
    response: ResponseObject


class OutputItemAdded(ServerEvent, kw_only=True, tag="response.output_item.added"):
    response_id: str
    output_index: int
    item: WireItem


class OutputItemDone(ServerEvent, kw_only=True, tag="response.output_item.done"):
    response_id: str
    output_index: int
    item: WireItem


class _InContent(ServerEvent, kw_only=True):
    response_id: str
    item_id: str
    output_index: int
    content_index: int


class ContentPartAdded(_InContent, kw_only=True, tag="response.content_part.added"):
    part: ContentPart


class ContentPartDone(_InContent, kw_only=True, tag="response.content_part.done"):
    part: ContentPart


class OutputTextDelta(_InContent, kw_only=True, tag="response.output_text.delta"):
    delta: str


class OutputTextDone(_InContent, kw_only=True, tag="response.output_text.done"):
    text: str


class TranscriptDelta(_InContent, kw_only=True, tag="response.output_audio_transcript.delta"):
    delta: str


class TranscriptDone(_InContent, kw_only=True, tag="response.output_audio_transcript.done"):
    transcript: str


class OutputAudioDelta(_InContent, kw_only=True, tag="response.output_audio.delta"):
    """delta: base64 on the wire; in the response's output format."""

    delta: bytes


class OutputAudioDone(_InContent, kw_only=True, tag="response.output_audio.done"):
    pass


class FunctionCallArgumentsDelta(ServerEvent, kw_only=True, tag="response.function_call_arguments.delta"):
    response_id: str
    item_id: str
    output_index: int
    call_id: str
    delta: str


class FunctionCallArgumentsDone(ServerEvent, kw_only=True, tag="response.function_call_arguments.done"):
    response_id: str
    item_id: str
    output_index: int
    call_id: str
    name: str
    arguments: str
