"""What of Rhasspy's Hermes is read and written: topics, sound, messages. Its page is docs/mqtt.md, "Hermes".

Every failure is an InvalidEvent with a code and a sentence.
"""

import io
import re
import wave
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Struct, field

from realtime.errors import InvalidEvent

UP_HZ = 16_000
DOWN_HZ = 24_000
AUDIO_FRAME_BYTES_MAX = 2 * UP_HZ * 2 + 1024
"""Two seconds of sound and its head; satellites send 16 to 64 ms."""
MESSAGE_BYTES_MAX = 16 * 1024

FILTERS = (
    "hermes/audioServer/+/audioFrame",
    "hermes/audioServer/+/playFinished",
    "hermes/hotword/+/detected",
    "hermes/dialogueManager/startSession",
    "hermes/dialogueManager/continueSession",
    "hermes/dialogueManager/endSession",
    "hermes/asr/toggleOn",
    "hermes/asr/toggleOff",
)
"""All that is read."""

Reason = Literal["nominal", "abortedByUser", "timeout", "siteUnavailable", "error"]
_SITE = re.compile(r"[^/+#\x00-\x20\x7f]{1,64}")


# Read ---------------------------------------------------------------------------------


class _Message(Struct, frozen=True, kw_only=True):
    site: str = field(name="siteId", default="default")
    session: str | None = field(name="sessionId", default=None)


class Detected(_Message, frozen=True, kw_only=True):
    """The wake word was heard at a site."""


class Init(Struct, frozen=True, kw_only=True):
    """What a session that another program wants begins with."""

    type: Literal["action", "notification"] = "action"
    text: str | None = None


class StartSession(_Message, frozen=True, kw_only=True):
    init: Init
    custom: str | None = field(name="customData", default=None)


class ContinueSession(_Message, frozen=True, kw_only=True):
    text: str | None = None


class EndSession(_Message, frozen=True, kw_only=True):
    text: str | None = None


class ToggleOn(_Message, frozen=True, kw_only=True):
    """The microphone of a site counts."""


class ToggleOff(_Message, frozen=True, kw_only=True):
    """It does not."""


class PlayFinished(_Message, frozen=True, kw_only=True):
    """A piece was heard to its end. piece: its id in the topic of playBytes."""

    piece: str = field(name="id", default="")


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """pcm: s16le mono at UP_HZ."""

    site: str
    pcm: bytes


Message = Detected | StartSession | ContinueSession | EndSession | ToggleOn | ToggleOff | PlayFinished
_OF_TOPIC: dict[str, type[Message]] = {
    "dialogueManager/startSession": StartSession,
    "dialogueManager/continueSession": ContinueSession,
    "dialogueManager/endSession": EndSession,
    "asr/toggleOn": ToggleOn,
    "asr/toggleOff": ToggleOff,
}
_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in get_args(Message)
}


def is_site(name: str) -> bool:
    return _SITE.fullmatch(name) is not None


def read(topic: str, payload: bytes) -> Message | AudioFrame | None:
    """None for a topic that is not Hermes's, or not read. Raises InvalidEvent."""
    match topic.split("/"):
        case ["hermes", "audioServer", site, "audioFrame"] if is_site(site):
            return AudioFrame(site, read_audio_frame(payload))
        case ["hermes", "audioServer", site, "playFinished"] if is_site(site):
            return msgspec.structs.replace(_decoded(PlayFinished, payload), site=site)
        case ["hermes", "hotword", _, "detected"]:
            return _decoded(Detected, payload)
        case ["hermes", *rest]:
            kind = _OF_TOPIC.get("/".join(rest))
            return _decoded(kind, payload) if kind is not None else None
    return None


def read_audio_frame(payload: bytes) -> bytes:
    """A small WAV file -> s16le mono at UP_HZ. Raises InvalidEvent."""
    expected = f"expected a WAV file of 16-bit mono at {UP_HZ} Hz, at most two seconds"
    if len(payload) > AUDIO_FRAME_BYTES_MAX:
        raise InvalidEvent("invalid_audio", f"audioFrame had {len(payload)} bytes: {expected}.")
    try:
        with wave.open(io.BytesIO(payload)) as file:
            shape = file.getnchannels(), file.getsampwidth(), file.getframerate()
            pcm: bytes = file.readframes(file.getnframes())
    except (wave.Error, EOFError, RuntimeError):
        raise InvalidEvent("invalid_audio", f"audioFrame was no WAV file: {expected}.") from None
    if shape != (1, 2, UP_HZ):
        channels, width, hz = shape
        came = f"{8 * width} bits in {channels} channels at {hz} Hz"
        raise InvalidEvent("invalid_audio", f"audioFrame had {came}: {expected}.")
    return pcm[: len(pcm) - len(pcm) % 2]


M = TypeVar("M", bound=Message)


def _decoded(kind: type[M], payload: bytes) -> M:
    if len(payload) > MESSAGE_BYTES_MAX:
        raise InvalidEvent(
            "event_too_large", f"A message had {len(payload)} bytes: expected at most {MESSAGE_BYTES_MAX}."
        )
    try:
        message: M = _DECODERS[kind].decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = str(error) if isinstance(error, msgspec.ValidationError) else "it is no JSON object"
        raise InvalidEvent("invalid_value", f"A message of {kind.__name__} cannot be read: {why}.") from None
    if not is_site(message.site):
        raise InvalidEvent("invalid_value", "siteId: expected 1 to 64 characters without '/', '+' and '#'.")
    return message


# Written ------------------------------------------------------------------------------


def play_bytes(site: str, piece: str, pcm: bytes) -> tuple[str, bytes]:
    """Topic and payload. pcm: s16le mono at DOWN_HZ."""
    with io.BytesIO() as raw:
        with wave.open(raw, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(DOWN_HZ)
            file.writeframes(pcm)
        return f"hermes/audioServer/{site}/playBytes/{piece}", raw.getvalue()


def session_started(site: str, session: str, custom: str | None) -> tuple[str, bytes]:
    return _json("dialogueManager/sessionStarted", siteId=site, sessionId=session, customData=custom)


def session_ended(site: str, session: str, custom: str | None, reason: Reason) -> tuple[str, bytes]:
    return _json(
        "dialogueManager/sessionEnded",
        siteId=site,
        sessionId=session,
        customData=custom,
        termination={"reason": reason},
    )


def listening(site: str, session: str, is_on: bool) -> tuple[str, bytes]:
    return _json(f"asr/{'start' if is_on else 'stop'}Listening", siteId=site, sessionId=session)


def text_captured(site: str, session: str, text: str, seconds: float) -> tuple[str, bytes]:
    """The recogniser tells no likelihood: it is always 1."""
    return _json(
        "asr/textCaptured", text=text, likelihood=1.0, seconds=seconds, siteId=site, sessionId=session
    )


def error(of: Literal["asr", "dialogueManager"], site: str, session: str, why: str) -> tuple[str, bytes]:
    return _json(f"error/{of}", error=why, context="", siteId=site, sessionId=session)


def _json(topic: str, **message: object) -> tuple[str, bytes]:
    return f"hermes/{topic}", msgspec.json.encode(message)
