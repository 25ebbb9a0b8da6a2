"""What can happen to a session, besides the client's own events and the agent's."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.api import AgentEvent, Transcript

# Turn signals: what a turn detector hears. Times are positions in the session's input audio, in
# milliseconds from its first sample.


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user has begun to speak. audio_ms: where the first voiced frame begins."""

    audio_ms: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The user is silent, perhaps at the end of the turn. audio_ms: where the utterance would end
    if this was its end; the same place that the SpeechStopped of this pause will name."""

    audio_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The user's turn is over. audio_ms: where the utterance ends (last voiced frame and a pad)."""

    audio_ms: int


TurnSignal = SpeechStarted | SpeechPaused | SpeechStopped


# From the runner.


@dataclass(frozen=True, slots=True)
class ClientDisconnected:
    """The connection is lost; the session waits for its client to come back.

    heard_ms: of each item of which the transport knows better than what was reported.
    """

    heard_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClientReconnected:
    """The client is there again, on this or on another connection."""


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """Input audio, s16le mono at 16 kHz, decoded from the append that event_id names.

    sent_ms: how much the client sent; the decoder's filter may hold back a little of it.
    """

    pcm: bytes
    sent_ms: float
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class FromAgent:
    """An event of the answer to `response_id`. Late ones match no response and vanish."""

    response_id: str
    event: AgentEvent


@dataclass(frozen=True, slots=True)
class Transcribed:
    """is_final: as in the Transcribe that it answers."""

    item_id: str
    content_index: int
    transcript: Transcript
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class TranscriptionError:
    item_id: str
    content_index: int
    code: str
    message: str
