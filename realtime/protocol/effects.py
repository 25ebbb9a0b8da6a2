"""What a session wants done (session/runner.py). Effects are performed in their order."""

from dataclasses import dataclass

from agent.api import AgentRequest
from realtime.protocol.config import AudioFormat
from realtime.protocol.server_events import ServerEvent


@dataclass(frozen=True, slots=True)
class Send:
    """To the client."""

    event: ServerEvent


@dataclass(slots=True)
class Play:
    """Let the user hear this. pcm: s16le mono at 24 kHz, to be converted to `format`.

    start_ms: where in the item's audio this piece begins. event_id: given when it is sent.
    """

    response_id: str
    item_id: str
    output_index: int
    content_index: int
    pcm: bytes
    format: AudioFormat
    start_ms: float = 0.0
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class StopPlayback:
    """Drop what has not left yet of this response's audio.

    is_in_conversation: its items are, and a client that does not tell where they were cut is told.
    """

    response_id: str
    is_in_conversation: bool = True


@dataclass(frozen=True, slots=True)
class Generate:
    """Ask the agent for an answer; its events come back as FromAgent."""

    request: AgentRequest


@dataclass(frozen=True, slots=True)
class PauseGenerating:
    """Take no more events of the agent's answer until ResumeGenerating: it may not be heard yet."""

    response_id: str


@dataclass(frozen=True, slots=True)
class ResumeGenerating:
    """The agent's answer may be heard now."""

    response_id: str


@dataclass(frozen=True, slots=True)
class StopGenerating:
    """The agent's answer is not wanted any more."""

    response_id: str


@dataclass(frozen=True, slots=True)
class Warm:
    """The user may have finished: do ahead what the answer would need."""

    request: AgentRequest


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Ask the agent for the words: a Transcribed or a TranscriptionError. pcm: s16le mono at 16 kHz.

    is_final: False where the utterance may go on. Then there may be no answer, and no error.
    """

    item_id: str
    content_index: int
    pcm: bytes
    language: str | None
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class ResetTurnDetector:
    """Detect turns from here on: the turn detection was changed, or the input buffer was taken."""


@dataclass(frozen=True, slots=True)
class FlushTurnDetector:
    """No audio comes in the middle of an utterance: let the turn detector end it."""


@dataclass(frozen=True, slots=True)
class IssueResumeToken:
    """The session may be resumed from now on: give its client a token for that."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the session. code: a WebSocket close code (RFC 6455 7.4)."""

    code: int
    reason: str


Effect = (
    Send
    | Play
    | StopPlayback
    | Generate
    | PauseGenerating
    | ResumeGenerating
    | StopGenerating
    | Warm
    | Transcribe
    | ResetTurnDetector
    | FlushTurnDetector
    | IssueResumeToken
    | Close
)
