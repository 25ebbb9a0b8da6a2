"""What a realtime server tells of one clip, folded event by event into turns, texts and times. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.routes.route import Failure

Event = Mapping[str, Any]

_TRANSCRIPTION = "conversation.item.input_audio_transcription"


@dataclass(slots=True)
class LiveResponse:
    """One answer so far. Times: of the listener's clock, in seconds; None: not yet."""

    text: str = ""
    first_text_at: float | None = None
    first_audio_at: float | None = None
    done_at: float | None = None
    finish_reason: str = "stop"
    output_tokens: int | None = None


@dataclass(slots=True)
class LiveTurns:
    """answers_turns: the server begins a response for each turn by itself. transcribes: each turn's words are
    wanted, and waited for.

    failure: what the server said against it, once it did.
    """

    answers_turns: bool
    transcribes: bool
    is_open: bool = False
    n_updated: int = 0
    in_speech: bool = False
    n_started: int = 0
    stopped_at: float | None = None
    committed_at: float | None = None
    transcribed_at: float | None = None
    failure: Failure | None = None
    responses: dict[str, LiveResponse] = field(default_factory=dict)
    _transcripts: dict[str, str | None] = field(default_factory=dict)  # by turn; None: not yet
    _n_due: int = 0  # responses that have not begun

    @property
    def n_turns(self) -> int:
        return len(self._transcripts)

    @property
    def is_settled(self) -> bool:
        """Nothing more comes of what was said so far."""
        return (
            not self.in_speech
            and not self._n_due
            and all(response.done_at is not None for response in self.responses.values())
            and not (self.transcribes and None in self._transcripts.values())
        )

    @property
    def last_response(self) -> LiveResponse | None:
        return next(reversed(self.responses.values()), None)

    @property
    def text(self) -> str:
        """Of all turns, in their order."""
        texts = (
            [text or "" for text in self._transcripts.values()]
            if self.transcribes
            else [response.text for response in self.responses.values()]
        )
        return " ".join(text for text in texts if text)

    def expect_response(self) -> None:
        """The client asks for one."""
        self._n_due += 1

    def take(self, event: Event, now: float) -> None:
        match event:
            case {"type": "session.created"}:
                self.is_open = True
            case {"type": "session.updated"}:
                self.n_updated += 1
            case {"type": "input_audio_buffer.speech_started"}:
                self.in_speech = True
                self.n_started += 1
            case {"type": "input_audio_buffer.speech_stopped"}:
                self.stopped_at = now
            case {"type": "input_audio_buffer.committed", "item_id": str(item_id)}:
                self.in_speech = False
                self.committed_at = now
                self._transcripts[item_id] = None
                self._n_due += self.answers_turns
            case {"type": str(kind), "item_id": str(item_id)} if kind.startswith(_TRANSCRIPTION):
                self._take_transcription(kind.removeprefix(f"{_TRANSCRIPTION}."), item_id, event, now)
            case {"type": "error", "error": {"message": str(message), **rest}}:
                self._fail(message, rest.get("type") == "server_error")
            case {"type": str(kind)} if kind.startswith(("response.", "output_audio_buffer.")):
                self._take_of_response(kind, event, now)
            case _:
                pass  # the other events only tell more of the same

    def _take_transcription(self, kind: str, item_id: str, event: Event, now: float) -> None:
        if kind == "completed":
            self._transcripts[item_id] = str(event.get("transcript", ""))
            self.transcribed_at = now
        elif kind == "failed" and self.transcribes:
            self._fail("the server could not recognise a turn", is_transient=True)

    def _take_of_response(self, kind: str, event: Event, now: float) -> None:
        match event:
            case {"response": {"id": str(response_id)}} if kind == "response.created":
                self._n_due = max(0, self._n_due - 1)
                self.responses[response_id] = LiveResponse()
            case {"response": {"id": str(response_id)}} if kind == "response.done":
                response = self.responses.setdefault(response_id, LiveResponse())
                self._end(response, event["response"], now)
            case {"response_id": str(response_id)}:
                response = self.responses.setdefault(response_id, LiveResponse())
                if kind in ("response.output_text.delta", "response.output_audio_transcript.delta"):
                    response.text += str(event.get("delta", ""))
                    response.first_text_at = response.first_text_at or now
                elif kind in ("response.output_audio.delta", "output_audio_buffer.started"):
                    response.first_audio_at = response.first_audio_at or now

    def _end(self, response: LiveResponse, told: Mapping[str, Any], now: float) -> None:
        response.done_at = now
        usage = told.get("usage")
        if isinstance(usage, dict) and isinstance(usage.get("output_tokens"), int):
            response.output_tokens = usage["output_tokens"]
        match told:
            case {"status": "failed", "status_details": {"error": {"message": str(message), **rest}}}:
                self._fail(message, rest.get("type") != "invalid_request_error")
            case {"status": "failed"}:
                self._fail("the response failed", is_transient=True)
            case {"status": "incomplete", "status_details": {"reason": "max_output_tokens"}}:
                response.finish_reason = "length"
            case {"status": str(status)} if status != "completed":
                response.finish_reason = status

    def _fail(self, message: str, is_transient: bool) -> None:
        self.failure = self.failure or Failure(message, is_transient=is_transient)
