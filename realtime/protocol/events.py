"""The OpenAI Realtime (GA) events as typed structs, and Parlour's own beside them.

Names and fields are the wire's. Server events are built by the core; `event_id` is given to each
when it is sent. Fields that are absent on the wire are UNSET; null is None.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from realtime.protocol.config import AudioFormat, SessionConfig

WireInt = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""What JSON's readers agree on (RFC 8259 6), and what a float can hold."""


# Client events --------------------------------------------------------------------------


class ClientEvent(Struct, frozen=True, kw_only=True, tag_field="type"):
    event_id: str | None = None


class SessionUpdate(ClientEvent, frozen=True, kw_only=True, tag="session.update"):
    session: dict[str, Any]


class InputAudioBufferAppend(ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.append"):
    """audio: base64 on the wire; in the session's input format."""

    audio: bytes


class InputAudioBufferCommit(ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.commit"):
    pass


class InputAudioBufferClear(ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.clear"):
    pass


class OutputAudioBufferClear(ClientEvent, frozen=True, kw_only=True, tag="output_audio_buffer.clear"):
    pass


class ItemCreate(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.create"):
    item: dict[str, Any]
    previous_item_id: str | None = None


class ItemRetrieve(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.retrieve"):
    item_id: str


class ItemTruncate(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.truncate"):
    item_id: str
    content_index: WireInt
    audio_end_ms: WireInt


class ItemDelete(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.delete"):
    item_id: str


class ResponseCreate(ClientEvent, frozen=True, kw_only=True, tag="response.create"):
    response: dict[str, Any] | None = None


class ResponseCancel(ClientEvent, frozen=True, kw_only=True, tag="response.cancel"):
    response_id: str | None = None


class Say(ClientEvent, frozen=True, kw_only=True, tag="parlour.say"):
    """Let the assistant say this, word by word, as its next answer."""

    text: Annotated[str, Meta(min_length=1)]


class PlaybackReport(ClientEvent, frozen=True, kw_only=True, tag="parlour.playback"):
    """How much of an item's audio the listener has heard, from the client that plays it."""

    item_id: str
    played_ms: WireInt
    underruns: WireInt = 0


class PlayedOf(Struct, frozen=True):
    """How much of an item was played, as in a PlaybackReport."""

    item_id: str
    played_ms: WireInt


class Resume(ClientEvent, frozen=True, kw_only=True, tag="parlour.resume"):
    """Go on with an earlier session on this connection.

    last_event_id: the last event that this client has of it, to be told what came after; without it
    the conversation is told anew, as to a device that knows nothing of it. history: whether its
    earlier items are told too. lost: the connection that serves it is dead, and nobody there is told.
    played: what came out of its loudspeaker last, for sound that begins anew to begin there.
    """

    token: str
    last_event_id: str | None = None
    history: bool = True
    lost: bool = False
    played: PlayedOf | None = None


class HandOver(ClientEvent, frozen=True, kw_only=True, tag="parlour.hand_over"):
    """Ask for a token with which another device takes this session over."""


ControlEvent = (
    SessionUpdate
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | OutputAudioBufferClear
    | ItemCreate
    | ItemRetrieve
    | ItemTruncate
    | ItemDelete
    | ResponseCreate
    | ResponseCancel
    | Say
    | PlaybackReport
)
AnyClientEvent = InputAudioBufferAppend | Resume | HandOver | ControlEvent


# Objects inside server events -----------------------------------------------------------

Status = Literal["in_progress", "completed", "incomplete"]
ResponseStatus = Literal["in_progress", "completed", "cancelled", "failed", "incomplete"]


class InputText(Struct, frozen=True, tag_field="type", tag="input_text"):
    text: str


class InputAudio(Struct, frozen=True, tag_field="type", tag="input_audio"):
    """transcript must be there, null where it is unknown: agents-js throws without the key."""

    transcript: str | None


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


class AudioPartShown(Struct, frozen=True, tag_field="type", tag="audio"):
    """`part` of content_part events: "audio" here is "output_audio" in the item's content."""

    transcript: str


class TextPartShown(Struct, frozen=True, tag_field="type", tag="text"):
    text: str


Part = AudioPartShown | TextPartShown


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


# Server events --------------------------------------------------------------------------


class ServerEvent(Struct, kw_only=True, tag_field="type"):
    event_id: str = ""


class Error(ServerEvent, kw_only=True, tag="error"):
    error: ErrorObject


class SessionCreated(ServerEvent, kw_only=True, tag="session.created"):
    session: SessionConfig


class SessionUpdated(ServerEvent, kw_only=True, tag="session.updated"):
    session: SessionConfig


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
    part: Part


class ContentPartDone(_InContent, kw_only=True, tag="response.content_part.done"):
    part: Part


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


class ParlourAlignment(ServerEvent, kw_only=True, tag="parlour.alignment"):
    """When audio up to audio_end_ms of this item has played, text[:text_end] has been spoken."""

    response_id: str
    item_id: str
    content_index: int
    audio_end_ms: int
    text_end: int


class ParlourHeard(ServerEvent, kw_only=True, tag="parlour.heard"):
    """What the history keeps of an answer that was cut off."""

    item_id: str
    audio_end_ms: int
    transcript: str


class ParlourTurn(ServerEvent, kw_only=True, tag="parlour.turn"):
    turn: Raw | dict[str, Any]


class ResumeToken(ServerEvent, kw_only=True, tag="parlour.resume_token"):
    """For `parlour.resume`, once, on this or another connection. It replaces the token before it.

    grace_s: how long the session waits for it after the connection is lost.
    """

    token: str
    grace_s: float


class HandOverToken(ServerEvent, kw_only=True, tag="parlour.hand_over_token"):
    """As a resume token, and also the key with which the other device is let in."""

    token: str
    expires_at: int


class Playing(Struct, frozen=True):
    """An answer that is not heard to its end: its sound follows from heard_ms on."""

    item_id: str
    response_id: str
    heard_ms: int


class Resumed(ServerEvent, kw_only=True, tag="parlour.resumed"):
    """The earlier session goes on here. It stands outside the order of events: its id is no last_event_id.

    replayed: only what was missed follows; else the conversation as it stands. last_client_event_id:
    the last event of this client that arrived; what it sent after that, it sends again. input_silent_ms: how
    long no input audio had come before this, for a client whose sound has no events; null: none ever came.
    """

    session: SessionConfig
    replayed: bool
    last_client_event_id: str | None
    input_silent_ms: int | None
    playing: list[Playing]
    token: str
    grace_s: float


class Moved(ServerEvent, kw_only=True, tag="parlour.moved"):
    """The session goes on elsewhere: be silent, report what was heard, and close.

    token: with which it can be brought back here, until it moves again or ends.
    """

    token: str
    expires_at: int


class GoingAway(ServerEvent, kw_only=True, tag="parlour.going_away"):
    """The server stops. Answers may finish until then; afterwards the session can be resumed."""

    deadline_s: float
