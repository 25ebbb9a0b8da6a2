"""Drives the pure core: a fake clock, countable ids, and what was sent as the client reads it."""

import base64
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from agent.api import (
    AgentEvent,
    AgentRequest,
    AudioDelta,
    GenerationDone,
    GenerationFailed,
    Health,
    TextDelta,
    Transcript,
)
from realtime.audio.wire_format import decode_clip, encode_clip
from realtime.errors import ClientError
from realtime.protocol import effects as do
from realtime.protocol.codec import decode, encode
from realtime.protocol.config import SessionConfig
from realtime.protocol.events import InputAudioBufferAppend
from realtime.protocol.inputs import (
    AudioReceived,
    FromAgent,
    SpeechPaused,
    SpeechStarted,
    SpeechStopped,
    Transcribed,
    TranscriptionError,
)
from realtime.protocol.limits import Limits
from realtime.protocol.session import Input, Session

AGENT = Health("ready", "test-model", transcribes=True, voices=("amber", "birch"))


@dataclass
class Driver:
    """One session and its world. sent: events as JSON objects; effects: all others, in order."""

    limits: Limits = field(default_factory=Limits)
    agent: Health = AGENT
    now: float = 100.0
    sent: list[dict[str, Any]] = field(default_factory=list)
    effects: list[do.Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids: Counter[str] = Counter()
        self.session = Session(
            SessionConfig(id="sess_1", model="test-model"),
            self.agent,
            self.limits,
            self._new_id,
            lambda audio, config: decode_clip(audio, config.audio.input.format),
            lambda pcm, config: encode_clip(pcm, config.audio.input.format),
            self.now,
        )
        self._take(self.session.open())

    # What happens

    def client(self, event_type: str, **fields: Any) -> list[dict[str, Any]]:
        """The client sends an event; returns what was sent back."""
        try:
            event: Any = decode(json.dumps({"type": event_type, **fields}))
        except ClientError as error:
            event = error
        if isinstance(event, InputAudioBufferAppend):
            pcm = decode_clip(event.audio, self.session.config.audio.input.format)
            event = AudioReceived(pcm, len(event.audio) / 48, event.event_id)
        return self.feed(event)

    def feed(self, event: Input) -> list[dict[str, Any]]:
        return self._take(self.session.feed(event, self.now))

    def advance(self, seconds: float) -> list[dict[str, Any]]:
        """Time passes; the session is woken at each of its deadlines."""
        start, until = len(self.sent), self.now + seconds
        for _ in range(100):
            if self.session.deadline > until:
                break
            self.now = max(self.now, self.session.deadline)
            effects = self.session.wake(self.now)
            self._take(effects)
            if any(isinstance(effect, do.FlushTurnDetector) for effect in effects):
                self.feed(SpeechStopped(self.session.audio_ms))  # as a turn detector does
        else:
            raise AssertionError("the deadline does not move on when it is served")
        self.now = until
        return self.sent[start:]

    def hear(self, duration_ms: int) -> None:
        self.feed(AudioReceived(bytes(duration_ms * 32), duration_ms))

    def speak(self, duration_ms: int = 1000) -> list[dict[str, Any]]:
        """The user speaks, as server VAD hears it, in no time."""
        start = len(self.sent)
        begins = self.session.audio_ms
        self.hear(duration_ms)
        self.feed(SpeechStarted(begins))
        self.hear(500)
        self.feed(SpeechPaused(begins + duration_ms))
        self.feed(SpeechStopped(begins + duration_ms))
        return self.sent[start:]

    def begin_speech(self) -> list[dict[str, Any]]:
        self.hear(100)
        return self.feed(SpeechStarted(self.session.audio_ms - 100))

    def end_speech(self) -> list[dict[str, Any]]:
        self.hear(500)
        return self.feed(SpeechStopped(self.session.audio_ms - 400))

    def write(self, text: str, **fields: Any) -> list[dict[str, Any]]:
        item = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": text}],
            **fields,
        }
        return self.client("conversation.item.create", item=item)

    def agent_says(self, event: AgentEvent, response_id: str | None = None) -> list[dict[str, Any]]:
        return self.feed(FromAgent(response_id or self.request.response_id, event))

    def say(self, text: str, seconds: float = 0.0) -> None:
        """The agent writes text, and speaks it in `seconds` of audio."""
        self.agent_says(TextDelta(text))
        self.text = getattr(self, "text", "") + text
        if seconds:
            self.agent_says(AudioDelta(bytes(int(seconds * 24_000) * 2), len(self.text)))

    def finish(self, done: GenerationDone | GenerationFailed | None = None) -> list[dict[str, Any]]:
        self.text = ""
        return self.agent_says(done or GenerationDone())

    def transcribe(self, text: str, item_id: str) -> list[dict[str, Any]]:
        return self.feed(Transcribed(item_id, 0, Transcript(text, 1.0)))

    def fail_transcription(self, item_id: str) -> list[dict[str, Any]]:
        return self.feed(TranscriptionError(item_id, 0, "agent_error", "broken"))

    # What came of it

    @property
    def request(self) -> AgentRequest:
        """The latest request to the agent."""
        return self.requests[-1]

    @property
    def requests(self) -> list[AgentRequest]:
        return [effect.request for effect in self.effects if isinstance(effect, do.Generate)]

    @property
    def transcriptions(self) -> list[do.Transcribe]:
        """What was to be transcribed, in order."""
        return self.performed(do.Transcribe)

    def of_type(self, event_type: str) -> list[dict[str, Any]]:
        return [event for event in self.sent if event["type"] == event_type]

    def last(self, event_type: str) -> dict[str, Any]:
        return self.of_type(event_type)[-1]

    def performed(self, kind: type) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def _take(self, effects: list[do.Effect]) -> list[dict[str, Any]]:
        start = len(self.sent)
        for effect in effects:
            if isinstance(effect, do.Send):
                self.sent.append(json.loads(encode(effect.event)))
            else:
                self.effects.append(effect)
        return self.sent[start:]

    def _new_id(self, kind: str) -> str:
        self._ids[kind] += 1
        return f"{kind}_{self._ids[kind]}"


def audio_b64(duration_ms: int) -> str:
    return base64.b64encode(bytes(duration_ms * 48)).decode()


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]
