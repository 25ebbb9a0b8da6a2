"""One response on its way: agent events in, the wire's sequence of events out, ended exactly once."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, assert_never

from msgspec import UNSET

from agent.api import (
    REQUEST_FAULTS,
    SPEAKING_HZ,
    UNSPEAKABLE_TEXT,
    AudioDelta,
    GenerationDone,
    GenerationFailed,
    KeepAlive,
    PromptRead,
    SpeechSkipped,
    StageDone,
    TextDelta,
    ToolCall,
    Usage,
)
from realtime.protocol.config_update import ResponseConfig
from realtime.protocol.conversation import Conversation
from realtime.protocol.effects import Effect, Play, Send
from realtime.protocol.estimated_usage import CHARS_A_TOKEN
from realtime.protocol.items import AssistantItem, ToolCallItem, audio_ms, wire_item
from realtime.protocol.parlour_events import ParlourAlignment, ParlourSpeechSkipped, ParlourThinking
from realtime.protocol.server_events import (
    ContentPartAdded,
    ContentPartDone,
    FunctionCallArgumentsDelta,
    FunctionCallArgumentsDone,
    ItemAdded,
    ItemDone,
    OutputAudioDone,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    OutputTextDone,
    ResponseCreated,
    ResponseDone,
    TranscriptDelta,
    TranscriptDone,
)
from realtime.protocol.wire_objects import (
    AudioContentPart,
    ContentPart,
    InputTokenDetails,
    OutputTokenDetails,
    ResponseAudio,
    ResponseAudioOutput,
    ResponseObject,
    ResponseStatus,
    ResponseUsage,
    StatusDetails,
    StatusError,
    TextContentPart,
)

_INPUT_CUT = StatusError(
    type="invalid_request_error",
    code="input_truncated",
    message="A text of the last turn is longer than the model reads: it was shortened in the middle.",
)
ANSWER_CHARS_MAX = 100_000  # a runaway model; thousands of spoken sentences

CancelReason = Literal["turn_detected", "client_cancelled"]


class Response:
    """Builds one response. conversation: where its items go, None for an out-of-band response."""

    def __init__(
        self,
        response_id: str,
        config: ResponseConfig,
        conversation: Conversation | None,
        conversation_id: str,
        new_id: Callable[[str], str],
        sends_alignment: bool,
        sends_thinking: bool,
        estimate_input: Callable[[], Usage],
    ) -> None:
        self.id = response_id
        self.config = config
        self.message: AssistantItem | None = None
        self.ended = False
        self._conversation = conversation
        self._conversation_id = conversation_id if conversation is not None else None
        self._new_id = new_id
        self.sends_alignment = sends_alignment
        self._sends_thinking = sends_thinking
        self._output: list[AssistantItem | ToolCallItem] = []
        self._message_index = 0
        self._estimate_input = estimate_input
        self._input: Usage | None = None  # as the engine has counted it
        self._n_output = 0

    @property
    def is_out_of_band(self) -> bool:
        return self._conversation is None

    def would_play(self, event: AudioDelta) -> bool:
        """Whether there is something to hear in it; an answer in text has no sound."""
        return self.config.modality == "audio" and bool(event.pcm)

    def begin(self) -> list[Effect]:
        return [Send(ResponseCreated(response=self._response_object("in_progress")))]

    def resync(self) -> list[Effect]:
        """What a client needs that has not seen how this response began."""
        effects: list[Effect] = [Send(ResponseCreated(response=self._response_object("in_progress")))]
        if self.message is None:
            return effects
        shown = wire_item(self.message)
        index = self._message_index
        effects.append(Send(OutputItemAdded(response_id=self.id, output_index=index, item=shown)))
        effects.append(Send(ContentPartAdded(part=self._part(""), **self._content_ids())))
        if self.message.text:
            delta = TranscriptDelta if self.config.modality == "audio" else OutputTextDelta
            effects.append(Send(delta(delta=self.message.text, **self._content_ids())))
        return effects

    def feed(
        self, event: TextDelta | AudioDelta | SpeechSkipped | ToolCall | StageDone | KeepAlive | PromptRead
    ) -> list[Effect]:
        """The effects of one agent event that does not end the response."""
        match event:
            case TextDelta(text=text):
                return self._text_delta(text)
            case AudioDelta(pcm=pcm, text_end=text_end):
                return self._audio_delta(pcm, text_end) if self.would_play(event) else []
            case SpeechSkipped(text_start=text_start, text_end=text_end):
                return self._speech_skipped(text_start, text_end)
            case ToolCall():
                return self._tool_call(event)
            case KeepAlive():
                return self._thinking()
            case PromptRead(usage=usage):
                self._input = usage
                return []
            case StageDone():
                return []
            case _:
                assert_never(event)

    def finish(self, done: GenerationDone) -> list[Effect]:
        usage = _usage(done.usage)
        cut = _INPUT_CUT if done.input_was_cut else UNSET
        if done.reason == "max_tokens":
            details = StatusDetails(type="incomplete", reason="max_output_tokens", error=cut)
            return self._end("incomplete", details, usage)
        return self._end("completed", StatusDetails(type="completed", error=cut) if cut else None, usage)

    def fail(self, failure: GenerationFailed) -> list[Effect]:
        kind = "invalid_request_error" if failure.code in REQUEST_FAULTS else "server_error"
        error = StatusError(type=kind, code=failure.code, message=failure.message)
        # What cannot be spoken is kept all the same: its text is whole.
        is_whole = failure.code == UNSPEAKABLE_TEXT
        return self._end(
            "failed",
            StatusDetails(type="failed", error=error),
            self._usage_so_far() if self._n_output else None,
            is_whole,
        )

    def cancel(self, reason: CancelReason) -> list[Effect]:
        return self._end("cancelled", StatusDetails(type="cancelled", reason=reason), self._usage_so_far())

    def _usage_so_far(self) -> ResponseUsage:
        """Of one that is cut off: its engine tells no more, so each piece of text counts as a token."""
        return _usage(replace(self._input or self._estimate_input(), output_text_tokens=self._n_output))

    # The sequence: item added, content part added, deltas, and each one's end

    def _text_delta(self, text: str) -> list[Effect]:
        if not text:
            return []
        self._n_output += 1
        effects = self._open_message()
        message = self._open_item()
        room = ANSWER_CHARS_MAX - len(message.text)
        text = text[:room]
        message.text += text
        if text:
            delta = TranscriptDelta if self.config.modality == "audio" else OutputTextDelta
            effects.append(Send(delta(delta=text, **self._content_ids())))
        return effects

    def _audio_delta(self, pcm: bytes, text_end: int) -> list[Effect]:
        effects = self._open_message()
        message = self._open_item()
        start_ms = message.audio_ms
        message.append_audio(audio_ms(pcm, SPEAKING_HZ), text_end)
        if self.sends_alignment:
            mark = ParlourAlignment(
                response_id=self.id,
                item_id=message.id,
                content_index=0,
                audio_end_ms=round(message.audio_ms),
                text_end=text_end,
            )
            effects.append(Send(mark))
        place = self.id, message.id, self._message_index, 0
        effects.append(Play(*place, pcm, self.config.output_format, start_ms))
        return effects

    def _speech_skipped(self, text_start: int, text_end: int) -> list[Effect]:
        if not self.sends_alignment:
            return []
        effects = self._open_message()
        skipped = ParlourSpeechSkipped(
            response_id=self.id,
            item_id=self._open_item().id,
            content_index=0,
            text_start=text_start,
            text_end=text_end,
        )
        return [*effects, Send(skipped)]

    def _thinking(self) -> list[Effect]:
        """Once, and before the first word."""
        if not self._sends_thinking or self._output:
            return []
        self._sends_thinking = False
        return [Send(ParlourThinking(response_id=self.id))]

    def _tool_call(self, call: ToolCall) -> list[Effect]:
        self._n_output += 1 + len(call.arguments) // CHARS_A_TOKEN
        item = ToolCallItem(self._new_id("item"), call.call_id, call.name, "", "in_progress")
        index = len(self._output)
        self._output.append(item)
        effects = self._added(item, index)
        place: dict[str, Any] = {
            "response_id": self.id,
            "item_id": item.id,
            "output_index": index,
            "call_id": item.call_id,
        }
        for piece in _pieces(call.arguments):
            effects.append(Send(FunctionCallArgumentsDelta(delta=piece, **place)))
        item.arguments = call.arguments
        item.status = "completed"
        effects.append(Send(FunctionCallArgumentsDone(name=item.name, arguments=item.arguments, **place)))
        return effects + self._done(item, index)

    def _open_message(self) -> list[Effect]:
        if self.message is not None:
            return []
        self.message = AssistantItem(self._new_id("item"), self.config.modality, status="in_progress")
        self._message_index = len(self._output)
        self._output.append(self.message)
        effects = self._added(self.message, self._message_index)
        effects.append(Send(ContentPartAdded(part=self._part(""), **self._content_ids())))
        return effects

    def _close_message(self, message: AssistantItem, completed: bool) -> list[Effect]:
        effects: list[Effect] = []
        if self.config.modality == "audio":
            effects.append(Send(OutputAudioDone(**self._content_ids())))
            effects.append(Send(TranscriptDone(transcript=message.text, **self._content_ids())))
        else:
            effects.append(Send(OutputTextDone(text=message.text, **self._content_ids())))
        effects.append(Send(ContentPartDone(part=self._part(message.text), **self._content_ids())))
        message.status = "completed" if completed else "incomplete"
        return effects + self._done(message, self._message_index)

    def _end(
        self,
        status: ResponseStatus,
        details: StatusDetails | None,
        usage: ResponseUsage | None,
        is_whole: bool = False,
    ) -> list[Effect]:
        assert not self.ended, "a response ends exactly once"
        self.ended = True
        is_whole = is_whole or status == "completed"
        effects = self._close_message(self.message, is_whole) if self.message else []
        effects.append(Send(ResponseDone(response=self._response_object(status, details, usage))))
        return effects

    def _added(self, item: AssistantItem | ToolCallItem, index: int) -> list[Effect]:
        shown = wire_item(item)
        effects: list[Effect] = [Send(OutputItemAdded(response_id=self.id, output_index=index, item=shown))]
        if self._conversation is not None:
            previous = self._conversation.insert(item)
            effects.append(Send(ItemAdded(previous_item_id=previous, item=shown)))
        return effects

    def _done(self, item: AssistantItem | ToolCallItem, index: int) -> list[Effect]:
        shown = wire_item(item)
        effects: list[Effect] = []
        if self._conversation is not None and item.id in self._conversation:
            self._conversation.item_completed(item)
            previous = self._conversation.before(item.id)
            effects.append(Send(ItemDone(previous_item_id=previous, item=shown)))
        effects.append(Send(OutputItemDone(response_id=self.id, output_index=index, item=shown)))
        return effects

    def _open_item(self) -> AssistantItem:
        assert self.message is not None
        return self.message

    def _content_ids(self) -> dict[str, Any]:
        return {
            "response_id": self.id,
            "item_id": self._open_item().id,
            "output_index": self._message_index,
            "content_index": 0,
        }

    def _part(self, text: str) -> ContentPart:
        return AudioContentPart(text) if self.config.modality == "audio" else TextContentPart(text)

    def _response_object(
        self,
        status: ResponseStatus,
        details: StatusDetails | None = None,
        usage: ResponseUsage | None = None,
    ) -> ResponseObject:
        config = self.config
        return ResponseObject(
            id=self.id,
            status=status,
            status_details=details,
            output=[wire_item(item) for item in self._output],
            conversation_id=self._conversation_id,
            output_modalities=[config.modality],
            max_output_tokens="inf" if config.max_output_tokens is None else config.max_output_tokens,
            audio=ResponseAudio(ResponseAudioOutput(config.output_format, config.voice)),
            metadata=config.metadata,
            usage=usage,
        )


def _pieces(arguments: str) -> list[str]:
    """Arguments in pieces that a client can show as they come; they concatenate to the whole."""
    return re.findall(r"(?s).{1,64}", arguments)


def _usage(usage: Usage) -> ResponseUsage:
    input_tokens = usage.input_text_tokens + usage.input_audio_tokens
    output_tokens = usage.output_text_tokens + usage.output_audio_tokens
    return ResponseUsage(
        total_tokens=input_tokens + output_tokens,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        input_token_details=InputTokenDetails(
            usage.input_text_tokens, usage.input_audio_tokens, usage.cached_tokens
        ),
        output_token_details=OutputTokenDetails(usage.output_text_tokens, usage.output_audio_tokens),
    )
