"""What a client can configure: the session, merged key by key from `session.update`s.

Each of these structs names all fields of its object: what none of them names is refused (config_update.py).
"""

import re
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from agent.api import AUTO_TRUNCATION, Tool, Truncation
from realtime.errors import InvalidEvent

OUTPUT_TOKENS_MAX = 4096  # the wire's own limit for a number; "inf" stands for no limit
SPEEDS = 0.25, 1.5  # the wire's own
DEFAULT_VOICE = "default"
LOGPROBS = "item.input_audio_transcription.logprobs"


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"Invalid {name}: expected {low:g} to {high:g}, got {value:g}")


class PcmFormat(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="audio/pcm"):
    """s16le mono. Strict clients accept no rate but 24000."""

    rate: Literal[24000] = 24000


class PcmuFormat(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="audio/pcmu"):
    """G.711 mu-law at 8 kHz."""


class PcmaFormat(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="audio/pcma"):
    """G.711 A-law at 8 kHz."""


AudioFormat = PcmFormat | PcmuFormat | PcmaFormat


class ServerVad(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="server_vad"
):
    """End the turn after silence_duration_ms without speech; a frame is speech above threshold."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: int | None = None

    def __post_init__(self) -> None:
        _in_range("threshold", self.threshold, 0.0, 1.0)
        _in_range("prefix_padding_ms", self.prefix_padding_ms, 0, 5_000)
        _in_range("silence_duration_ms", self.silence_duration_ms, 100, 10_000)
        if self.idle_timeout_ms is not None:
            _in_range("idle_timeout_ms", self.idle_timeout_ms, 5_000, 30_000)

    @property
    def detector_settings(self) -> tuple[object, ...]:
        """What the detector itself depends on; the rest is for the session, and can change in mid-speech."""
        return self.threshold, self.silence_duration_ms


class SemanticVad(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="semantic_vad"
):
    """End the turn when the user seems to have finished; eager means sooner."""

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True

    prefix_padding_ms = 300
    idle_timeout_ms = None

    @property
    def detector_settings(self) -> tuple[object, ...]:
        return (self.eagerness,)


TurnDetection = ServerVad | SemanticVad


class Transcription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly these keys: another one in the echo ends pipecat's receive loop."""

    model: str | None = None
    language: str | None = None
    prompt: str | None = None

    @property
    def iso_language(self) -> str | None:
        """ISO 639-1: the language of "en-US" is "en"."""
        return self.language.partition("-")[0].lower() if self.language else None


class NoiseReduction(Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["near_field", "far_field"]


class AudioInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: AudioFormat = PcmFormat()
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = ServerVad()

    @property
    def detector_settings(self) -> tuple[object, ...]:
        """As long as this stays the same, the decoder and the turn detector go on as they are."""
        detection = self.turn_detection
        return (
            self.format,
            self.noise_reduction,
            type(detection),
            detection.detector_settings if detection else None,
        )


class Voice(Struct, frozen=True, forbid_unknown_fields=True):
    """How the wire names a voice that is not one of OpenAI's own."""

    id: str


class AudioOutput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: AudioFormat = PcmFormat()
    voice: str | Voice = DEFAULT_VOICE
    speed: float = 1.0

    def __post_init__(self) -> None:
        _in_range("speed", self.speed, *SPEEDS)

    @property
    def voice_name(self) -> str:
        return self.voice if isinstance(self.voice, str) else self.voice.id


class Audio(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class TokenLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """post_instructions: tokens of the conversation beside instructions and tools."""

    post_instructions: int | None = None

    def __post_init__(self) -> None:
        if self.post_instructions is not None:
            _in_range("post_instructions", self.post_instructions, 1, 2**31)


class RetentionRatio(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="retention_ratio"
):
    """When the conversation is too long, its oldest turns leave until this share of the room is used."""

    retention_ratio: float
    token_limits: TokenLimits | None = None

    def __post_init__(self) -> None:
        _in_range("retention_ratio", self.retention_ratio, 0.0, 1.0)


class ParlourExtensions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parlour's own events, each sent only to a client that asked for it.

    playback_ack: the client reports what was heard (`parlour.playback`).
    alignment: which words a stretch of audio holds (`parlour.alignment`), and which have none
        (`parlour.speech_skipped`).
    trace: the times of each turn (`parlour.turn`).
    resume: the session outlives its connection (`parlour.resume_token`, `parlour.going_away`).
    thinking: an answer is being worked on that has no word yet (`parlour.thinking`).
    temperature: of the model, 0 to 2 (the wire had it in its beta); None: the model's own.
    """

    playback_ack: bool = False
    alignment: bool = False
    trace: bool = False
    resume: bool = False
    thinking: bool = False
    temperature: float | None = None

    def __post_init__(self) -> None:
        if self.temperature is not None:
            _in_range("temperature", self.temperature, 0.0, 2.0)


class Tracing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Names for a dashboard that is not here: each turn is traced in the server's log, whatever they are."""

    workflow_name: str | None = None
    group_id: str | None = None
    metadata: dict[str, Any] | None = None


class SessionConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session object of `session.created` and `session.updated`, every default filled in.

    Of one whose type is "transcription" clients see a TranscriptionSession.
    """

    type: Literal["realtime", "transcription"] = "realtime"
    object: Literal["realtime.session"] = "realtime.session"
    id: str = ""
    model: str = ""
    output_modalities: list[Literal["audio", "text"]] = msgspec.field(default_factory=lambda: ["audio"])
    instructions: str = ""
    audio: Audio = Audio()
    tools: list[dict[str, Any]] = []
    tool_choice: str | dict[str, Any] = "auto"
    max_output_tokens: int | Literal["inf"] = "inf"
    tracing: Literal["auto"] | Tracing | None = None
    truncation: Literal["auto", "disabled"] | RetentionRatio = "auto"
    prompt: None = None
    expires_at: int = 0
    include: list[Literal["item.input_audio_transcription.logprobs"]] | None = None
    parlour: ParlourExtensions | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.output_modalities not in (["audio"], ["text"]):
            raise ValueError('Invalid output_modalities: expected ["audio"] or ["text"]')
        if self.max_output_tokens != "inf":
            _in_range("max_output_tokens", self.max_output_tokens, 1, OUTPUT_TOKENS_MAX)
        names = {parse_tool(tool).name for tool in self.tools}
        if isinstance(self.tool_choice, dict) and parse_tool_choice(self.tool_choice) not in names:
            raise ValueError("Invalid tool_choice: no tool has this name")
        parse_tool_choice(self.tool_choice)

    @property
    def extensions(self) -> ParlourExtensions:
        return ParlourExtensions() if self.parlour is UNSET else self.parlour

    @property
    def transcribes_only(self) -> bool:
        """No answers are made: the user's words are all that is wanted."""
        return self.type == "transcription"

    @property
    def shown(self) -> "SessionConfig | TranscriptionSession":
        """As clients see it."""
        if not self.transcribes_only:
            return self
        audio = TranscriptionAudio(input=self.audio.input)
        return TranscriptionSession(
            id=self.id, expires_at=self.expires_at, audio=audio, include=self.include, parlour=self.parlour
        )


class TranscriptionAudio(Struct, frozen=True, kw_only=True):
    input: AudioInput


class TranscriptionSession(Struct, frozen=True, kw_only=True):
    """What clients see of a session that only transcribes."""

    type: Literal["transcription"] = "transcription"
    object: Literal["realtime.transcription_session"] = "realtime.transcription_session"
    id: str
    expires_at: int
    audio: TranscriptionAudio
    include: list[Literal["item.input_audio_transcription.logprobs"]] | None
    parlour: ParlourExtensions | UnsetType


ShownSession = SessionConfig | TranscriptionSession


def agent_truncation(config: SessionConfig) -> Truncation:
    match config.truncation:
        case "auto":
            return AUTO_TRUNCATION
        case "disabled":
            return Truncation(retention_ratio=None)
        case RetentionRatio(retention_ratio=ratio, token_limits=limits):
            return Truncation(ratio, limits.post_instructions if limits else None)


def parse_tool(tool: dict[str, Any]) -> Tool:
    """Raises ValueError: function tools alone can be called."""
    if tool.get("type", "function") != "function":
        raise ValueError(f"Invalid tools: expected the type 'function', got {tool.get('type')!r:.80}")
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError("Invalid tools: expected a non-empty string as each one's 'name'")
    parameters = tool.get("parameters")
    return Tool(
        name=name,
        description=str(tool.get("description") or ""),
        parameters=parameters if isinstance(parameters, dict) else {"type": "object", "properties": {}},
    )


def parse_tool_choice(choice: str | dict[str, Any]) -> str:
    """ "auto", "none", "required" or a function's name. Raises ValueError."""
    if isinstance(choice, dict):
        name = choice.get("name")
        if choice.get("type") != "function" or not isinstance(name, str):
            raise ValueError("Invalid tool_choice: expected {'type': 'function', 'name': NAME}")
        return name
    if choice not in ("auto", "none", "required"):
        raise ValueError("Invalid tool_choice: expected 'auto', 'none', 'required' or a function")
    return choice


_OWN_COMPLAINT = re.compile(r"Invalid (\w+): (.*)", re.DOTALL)
"""Of a __post_init__, which msgspec's path cannot lead into: the field's name is in it."""


def invalid_event(error: msgspec.ValidationError, prefix: str = "") -> InvalidEvent:
    """msgspec's complaint in the wire's words: its path becomes `param`."""
    message, _, path = str(error).partition(" - at `")
    param = path.rstrip("`").removeprefix("$").removeprefix(".")
    own = _OWN_COMPLAINT.match(message)
    if own is not None:
        param, message = f"{param}.{own[1]}" if param else own[1], own[2]
    if message.startswith("Object contains unknown field"):
        field = message.rpartition("field `")[2].rstrip("`")
        return unknown_parameter(".".join(part for part in (prefix, param, field) if part))
    if message.startswith("Object missing required field"):
        field = message.rpartition("field `")[2].rstrip("`")
        param = f"{param}.{field}" if param else field
        param = f"{prefix}.{param}" if prefix else param
        return InvalidEvent("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
    param = ".".join(part for part in (prefix, param) if part)
    wrong_type = message.startswith("Expected `") and ", got `" in message
    code = "invalid_type" if wrong_type else "invalid_value"
    where = f" for '{param}'" if param else ""
    return InvalidEvent(code, f"Invalid value{where}: {message}.", param or None)


def unknown_parameter(param: str, hint: str = "") -> InvalidEvent:
    """hint: a sentence of advice."""
    message = f"Unknown parameter: '{param}'." + (f" {hint}" if hint else "")
    return InvalidEvent("unknown_parameter", message, param)
