"""A pure fold over what happens in a session -> one record per turn, with all its times."""

from dataclasses import dataclass, field
from typing import Any

from agent.api import (
    AgentRequest,
    AudioDelta,
    AudioPart,
    GenerationDone,
    GenerationFailed,
    StageDone,
    TextDelta,
    ToolCall,
    UserMessage,
)
from realtime.audio.endpointer import Endpointing
from realtime.protocol.effects import Effect, Generate, Send
from realtime.protocol.events import OutputItemAdded, PlaybackReport, ResponseDone
from realtime.protocol.inputs import FromAgent, SpeechStarted, SpeechStopped, Transcribed


@dataclass(slots=True)
class TurnRecord:
    """One answer's times, in ms since the user's end of speech (typed turns: since the request).

    Silence that the audio shows to have passed before the end of the turn was decided counts as
    passed: audio is the clock of speech.
    """

    response_id: str
    zero_at: float
    spoken: bool
    decision_ms: float
    first_token_ms: float | None = None
    first_audio_ms: float | None = None
    first_heard_ms: float | None = None
    done_ms: float | None = None
    outcome: str = ""
    item_id: str | None = None
    stages: dict[str, float] = field(default_factory=dict)
    input_audio_ms: float = 0.0
    output_audio_ms: float = 0.0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    underruns: int = 0
    failure: str = ""
    is_update: bool = False  # it was returned before, and has since been heard

    def since_zero(self, now: float) -> float:
        return (now - self.zero_at) * 1000.0

    def shown(self) -> dict[str, Any]:
        """For `parlour.turn` and the log: numbers only, no words."""
        return {
            "response_id": self.response_id,
            "item_id": self.item_id,
            "spoken": self.spoken,
            "decision_ms": _rounded(self.decision_ms),
            "first_token_ms": _rounded(self.first_token_ms),
            "first_audio_ms": _rounded(self.first_audio_ms),
            "first_heard_ms": _rounded(self.first_heard_ms),
            "done_ms": _rounded(self.done_ms),
            "stages": {stage: round(duration, 1) for stage, duration in self.stages.items()},
            "input_audio_ms": round(self.input_audio_ms),
            "output_audio_ms": round(self.output_audio_ms),
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "output_tokens": self.output_tokens,
            "underruns": self.underruns,
            "outcome": self.outcome,
            "failure": self.failure,
        }

    def shown_heard(self) -> dict[str, Any]:
        """What a record has that was finished before it was heard, for the log's second line on it."""
        shown = self.shown()
        return {name: shown[name] for name in ("response_id", "item_id", "first_heard_ms", "underruns")}


_PAD_MS = Endpointing().pad_ms  # of the silence that belongs to an utterance


class TurnTrace:
    """Observes one session. Each finished record is returned once, and again if it was not heard before."""

    def __init__(self) -> None:
        self._open: dict[str, TurnRecord] = {}
        self._unheard: dict[str, TurnRecord] = {}  # by item: that speak now, or spoke last
        self._speech_end: tuple[float, float, float] | None = None  # zero_at, decided at, audio ms
        self._speech_start_ms = 0

    def observe(self, event: object, effects: list[Effect], now: float, audio_ms: float) -> list[TurnRecord]:
        """Take in one input of the session and its effects; return the records that this completes.

        audio_ms: the position of the input audio's end.
        """
        finished: list[TurnRecord] = []
        match event:
            case SpeechStarted(audio_ms=start_ms):
                self._speech_start_ms = start_ms
            case SpeechStopped(audio_ms=end_ms):
                silence_ms = max(0.0, audio_ms - end_ms + _PAD_MS)
                length_ms = end_ms - self._speech_start_ms
                self._speech_end = (now - silence_ms / 1000.0, now, length_ms)
            case FromAgent():
                self._from_agent(event, now)
            case PlaybackReport():
                finished += self._playback(event, now)
            case Transcribed():
                return finished
        for effect in effects:
            match effect:
                case Generate(request=request):
                    self._begin(request, now)
                case Send(event=OutputItemAdded(response_id=response_id, item=item)):
                    record = self._open.get(response_id)
                    if record is not None and record.item_id is None and _speaks(item):
                        record.item_id = item.id
                        self._unheard[item.id] = record
                case Send(event=ResponseDone(response=response)):
                    record = self._open.pop(response.id, None)
                    if record is not None:
                        finished.append(self._finish(record, response, now))
        return finished

    def _begin(self, request: AgentRequest, now: float) -> None:
        """An answer begins: to the speech that has ended, if speech is the last that was said to it."""
        response_id = request.response_id
        if self._speech_end is None or not _answers_speech(request):
            self._open[response_id] = TurnRecord(response_id, now, False, 0.0)
            return
        zero_at, decided_at, length_ms = self._speech_end
        self._speech_end = None
        decision_ms = (decided_at - zero_at) * 1000.0
        self._open[response_id] = TurnRecord(
            response_id, zero_at, True, decision_ms, input_audio_ms=length_ms
        )

    def _from_agent(self, answer: FromAgent, now: float) -> None:
        record = self._open.get(answer.response_id)
        if record is None:
            return
        match answer.event:
            case StageDone(stage=stage, duration_ms=duration_ms):
                record.stages[stage] = duration_ms
            case TextDelta() | ToolCall():
                if record.first_token_ms is None:
                    record.first_token_ms = record.since_zero(now)
            case AudioDelta(pcm=pcm):
                if record.first_audio_ms is None:
                    record.first_audio_ms = record.since_zero(now)
                record.output_audio_ms += len(pcm) / 48.0
            case GenerationDone(usage=usage):
                record.input_tokens = usage.input_text_tokens + usage.input_audio_tokens
                record.cached_tokens = usage.cached_tokens
                record.output_tokens = usage.output_text_tokens + usage.output_audio_tokens
            case GenerationFailed(code=code):
                record.failure = code

    def _finish(self, record: TurnRecord, response: Any, now: float) -> TurnRecord:
        record.done_ms = record.since_zero(now)
        record.outcome = response.status
        spoken = [item for item in response.output if _speaks(item)]
        if spoken:
            record.item_id = spoken[0].id
        # Only the latest can still be heard first.
        self._unheard = {item_id: one for item_id, one in self._unheard.items() if one.done_ms is None}
        if record.item_id and record.first_heard_ms is None and record.first_audio_ms is not None:
            self._unheard[record.item_id] = record
        return record

    def _playback(self, report: PlaybackReport, now: float) -> list[TurnRecord]:
        record = self._unheard.pop(report.item_id, None)
        if record is None:
            return []
        heard_ms = record.since_zero(now - report.played_ms / 1000.0)
        record.first_heard_ms = max(heard_ms, record.first_audio_ms or 0.0)  # a listener's clock is not ours
        record.underruns = report.underruns
        if record.done_ms is None:
            return []  # it will be returned when it is finished
        record.is_update = True
        return [record]


def _speaks(item: Any) -> bool:
    return getattr(item, "role", "") == "assistant"


def _answers_speech(request: AgentRequest) -> bool:
    last = request.messages[-1] if request.messages else None
    return isinstance(last, UserMessage) and any(isinstance(part, AudioPart) for part in last.parts)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
