"""The contract between the gateway and whatever answers. Standard library only.

A gateway builds an `AgentRequest` that carries the whole conversation, iterates over
`Agent.respond`, and closes the iterator when it has heard enough. In process, in a child
process, on another machine, scripted for tests: the same call.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

LISTENING_HZ = 16_000
"""Sample rate of all audio that goes to an agent: s16le, mono."""
SPEAKING_HZ = 24_000
"""Sample rate of all audio that comes from an agent: s16le, mono."""


# What was said ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Speech of the user, s16le mono at LISTENING_HZ.

    transcript: its words where they are known ("" when it is known to hold none), else None.
    pcm may be empty when the transcript is known and the agent keeps no audio history.
    """

    pcm: bytes
    transcript: str | None = None


@dataclass(frozen=True, slots=True)
class SystemMessage:
    text: str


@dataclass(frozen=True, slots=True)
class UserMessage:
    parts: tuple[TextPart | AudioPart, ...]


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    """What the assistant said, as far as it was heard."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallMessage:
    call_id: str
    name: str
    arguments: str  # a JSON object, as the model wrote it


@dataclass(frozen=True, slots=True)
class ToolResultMessage:
    call_id: str
    output: str


Message = SystemMessage | UserMessage | AssistantMessage | ToolCallMessage | ToolResultMessage


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    parameters: Mapping[str, Any]  # JSON schema of the arguments


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. None is the model's own way.

    temperature: 0 takes the likeliest token always. top_k: 0 looks at all tokens. seed: the same one
    gives the same answer, where the model keeps to it. stop: texts that end the answer, and are no
    part of it.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


OWN_SAMPLING = Sampling()
"""All of it the model's own way."""


@dataclass(frozen=True, slots=True)
class Truncation:
    """What becomes of a conversation that is longer than the model's context.

    retention_ratio: the share of the room that is used after turns have left, the oldest first; None: none
    leaves, and the answer fails. tokens_max: of the conversation without instructions and tools, where less
    than the model's own room is wanted. cuts_texts: a last turn that is too long by itself is shortened, and
    not refused.
    """

    retention_ratio: float | None = 0.5
    tokens_max: int | None = None
    cuts_texts: bool = True


AUTO_TRUNCATION = Truncation()


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One answer to produce.

    tool_choice: "auto", "none", "required", or the name of the one tool to call.
    voice: one of `Health.voices`, or "" for the agent's own choice; an unknown one is
    treated as "". speed: of the speech, 0.25 to 1.5 times the voice's own, its pitch kept.
    verbatim: the answer's words where they are known already, or "": no model is asked then.
    messages: in any order and shape that a client may leave them in; agent/history.py makes them well formed.
    """

    session_id: str
    response_id: str
    instructions: str
    messages: tuple[Message, ...]
    modality: Literal["audio", "text"] = "audio"
    voice: str = ""
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    max_output_tokens: int | None = None
    sampling: Sampling = OWN_SAMPLING
    verbatim: str = ""
    truncation: Truncation = AUTO_TRUNCATION
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class TranscribeRequest:
    """language: ISO 639-1, or None for the recogniser's own choice."""

    session_id: str
    pcm: bytes
    language: str | None = None


# What comes back ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text, as it is decoded."""

    text: str


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """The next piece of speech, at most 200 ms, s16le mono at SPEAKING_HZ.

    text_end: how many characters of the answer's text (all `TextDelta`s joined) have been
    spoken when this piece has been played. Never decreases.
    """

    pcm: bytes
    text_end: int


@dataclass(frozen=True, slots=True)
class SpeechSkipped:
    """The answer's text[text_start:text_end] gets no sound, for the voice cannot say it.

    It is in the letters of a language that the voice does not speak. Comes before the sound of what
    follows it in the text.
    """

    text_start: int
    text_end: int


@dataclass(frozen=True, slots=True)
class ToolCall:
    call_id: str
    name: str
    arguments: str  # a JSON object


@dataclass(frozen=True, slots=True)
class StageDone:
    """A stage on the way to the first sound has ended; for traces, never for control.

    stage: "recognition", "prefill" (to the first token), "decode" (first token to the end of
    the first clause), "synthesis" (first clause to its first sound).
    """

    stage: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The answer is being worked on, and has nothing new to say: its model is loaded, or thinks."""


@dataclass(frozen=True, slots=True)
class Usage:
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    cached_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0


@dataclass(frozen=True, slots=True)
class PromptRead:
    """What the answer's prompt holds: for an answer that is cut off, and never comes to its own usage.

    Before its first words, from an engine that knows it then. usage: of the input alone.
    """

    usage: Usage


@dataclass(frozen=True, slots=True)
class GenerationDone:
    """The last event of an answer. "no_words": the user's audio held no words, so there is none.

    input_was_cut: a text of the last turn was longer than the model reads, and was shortened for it.
    """

    reason: Literal["stop", "max_tokens", "no_words"] = "stop"
    usage: Usage = Usage()
    input_was_cut: bool = False


@dataclass(frozen=True, slots=True)
class GenerationFailed:
    """The last event of an answer that could not be finished.

    code: "agent_unavailable", "agent_timeout", "agent_overloaded", "agent_out_of_memory",
    "agent_error"; "unspeakable_text" where the whole answer is in letters that the voice cannot say: all
    of its text has been told, none of it sounds; or one of REQUEST_FAULTS: "context_length_exceeded" where
    the instructions and the last turn alone are longer than the model reads, "invalid_value" for audio or
    an option that it cannot take. message: for the developer of a client; holds no words of the conversation.
    """

    code: str
    message: str


UNSPEAKABLE_TEXT = "unspeakable_text"
"""Code of a failure that leaves an answer whole as text, and silent."""
REQUEST_FAULTS = frozenset({"context_length_exceeded", "invalid_value"})
"""Codes of failures that are the request's own fault: asked again, it would fail again."""


AgentEvent = (
    TextDelta
    | AudioDelta
    | SpeechSkipped
    | ToolCall
    | StageDone
    | KeepAlive
    | PromptRead
    | GenerationDone
    | GenerationFailed
)


@dataclass(frozen=True, slots=True)
class Transcript:
    text: str  # "" when the audio holds no words
    duration_s: float


@dataclass(frozen=True, slots=True)
class Health:
    """status: "starting" while models load, "ready" once warm, "failed" when it cannot serve, "away" while
    a server that it needs does not answer: it is ready again when that is back.

    detail: one sentence; of what is away, at which address and how to start it. transcribes: whether
    `transcribe` works. wants_audio_history: whether audio of earlier turns is of use once its transcript is
    known. instructions_bytes_max: longer ones (UTF-8) leave no room in the context; 0: not known.
    calls_tools: whether tools have an effect. languages: that `transcribe` can be asked for, ISO 639-1; empty
    where that is not known.
    """

    status: Literal["starting", "ready", "failed", "away"]
    model: str
    detail: str = ""
    voices: tuple[str, ...] = ()
    transcribes: bool = False
    wants_audio_history: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)  # for people: versions, devices
    instructions_bytes_max: int = 0
    calls_tools: bool = True
    languages: tuple[str, ...] = ()


class AgentError(Exception):
    """The agent cannot do what was asked. `code` is one of GenerationFailed's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Agent(Protocol):
    def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        """Yield the answer; the last event is GenerationDone or GenerationFailed, exactly once.

        Never raises but for cancellation. Closing the generator frees what the answer held,
        within one token.
        """
        ...

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        """Raises AgentError. Shares its work with `respond` and `warm` on the same audio."""
        ...

    async def warm(self, request: AgentRequest) -> None:
        """Do ahead what `respond` will need: recognise, prefill. A hint: failing is silent."""
        ...

    async def health(self) -> Health: ...

    async def aclose(self) -> None:
        """Release processes, threads and models. Idempotent."""
        ...
