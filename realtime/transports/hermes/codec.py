"""What of Rhasspy's Hermes is read and written: topics, sound, messages. Its page is docs/mqtt.md, "Hermes".

Every failure is an InvalidEvent with a code and a sentence.
"""

import io
import re
import wave
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace

from realtime.errors import InvalidEvent

UP_HZ = 16_000
DOWN_HZ = 24_000
MESSAGE_BYTES_MAX = 16 * 1024
DEFAULT_SITE = "default"
"""Of a message that names none."""

FILTERS = (
    "hermes/audioServer/+/audioFrame",
    "hermes/audioServer/+/playFinished",
    "hermes/hotword/+/detected",
    "hermes/dialogueManager/startSession",
    "hermes/dialogueManager/continueSession",
    "hermes/dialogueManager/endSession",
    "hermes/asr/toggleOn",
    "hermes/asr/toggleOff",
    "hermes/tts/say",
)
"""All that is read."""

Reason = Literal["nominal", "abortedByUser", "intentNotRecognized", "timeout", "error"]
"""All that rhasspy-hermes 0.6.2 can read (dialogue.py, DialogueSessionTerminationReason)."""
Service = Literal["asr", "dialogueManager", "tts"]
"""Whose error topic it is."""
_SITE = re.compile(r"[^/+#\x00-\x1f\x7f]{1,64}")


NOTHING = Raw(b"null")


# Read ---------------------------------------------------------------------------------
#
# What may be left out or null is what rhasspy-hermes 0.6.2 declares so (its dataclasses have a default), and
# what its own services do without. A field that nothing here depends on is not looked at.


class _Message(Struct, frozen=True, kw_only=True):
    site_id: str | None = field(name="siteId", default=None)
    session: str | None = field(name="sessionId", default=None)

    @property
    def site(self) -> str:
        return DEFAULT_SITE if self.site_id is None else self.site_id


class Detected(_Message, frozen=True, kw_only=True):
    """The wake word was heard at a site."""


class Init(Struct, frozen=True, kw_only=True):
    """What a session that another program wants begins with."""

    type: Literal["action", "notification"] | None = None
    text: str | None = None


class _OfSession(_Message, frozen=True, kw_only=True):
    """custom: any JSON, given back as it came; NOTHING where there is none."""

    custom: Raw = field(name="customData", default=NOTHING)


class StartSession(_OfSession, frozen=True, kw_only=True):
    init: Init | None = None


class ContinueSession(_OfSession, frozen=True, kw_only=True):
    text: str | None = None


class EndSession(_OfSession, frozen=True, kw_only=True):
    text: str | None = None


class ToggleOn(_Message, frozen=True, kw_only=True):
    """The microphone of a site counts."""


class ToggleOff(_Message, frozen=True, kw_only=True):
    """It does not."""


class Say(_Message, frozen=True, kw_only=True):
    """A text to be spoken. id: comes back when it was."""

    text: str
    id: str | None = None


class PlayFinished(_Message, frozen=True, kw_only=True):
    """A piece was heard to its end. piece: its id in the topic of playBytes; None: the one that plays."""

    piece: str | None = field(name="id", default=None)


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """riff: a small WAV file (microphone.py)."""

    site: str
    riff: bytes


Message = Detected | StartSession | ContinueSession | EndSession | ToggleOn | ToggleOff | Say | PlayFinished
_OF_TOPIC: dict[str, type[Message]] = {
    "dialogueManager/startSession": StartSession,
    "dialogueManager/continueSession": ContinueSession,
    "dialogueManager/endSession": EndSession,
    "asr/toggleOn": ToggleOn,
    "asr/toggleOff": ToggleOff,
    "tts/say": Say,
}
_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in get_args(Message)
}


def is_site(name: str) -> bool:
    return _SITE.fullmatch(name) is not None


def read(topic: str, payload: bytes) -> Message | AudioFrame | None:
    """None for a topic that is not Hermes's, or not read. Raises InvalidEvent."""
    match topic.split("/"):
        case ["hermes", "audioServer", site, "audioFrame"]:
            return AudioFrame(_checked(site), payload)
        case ["hermes", "audioServer", site, "playFinished"]:
            # What plays says so in its topic, and some say nothing more.
            finished = _decoded(PlayFinished, payload or b"{}")
            return replace(finished, site_id=_checked(site))
        case ["hermes", "hotword", _, "detected"]:
            return _decoded(Detected, payload)
        case ["hermes", *rest]:
            kind = _OF_TOPIC.get("/".join(rest))
            return _decoded(kind, payload) if kind is not None else None
    return None


def sender_of(topic: str, payload: bytes) -> tuple[Service, str]:
    """Where it is told that this message cannot be read: the service's error topic, and the site."""
    match topic.split("/"):
        case ["hermes", "audioServer", site, _]:
            return "asr", site
        case ["hermes", "asr", *_]:
            return "asr", _site_named(payload)
        case ["hermes", "tts", *_]:
            return "tts", _site_named(payload)
    return "dialogueManager", _site_named(payload)


class _Site(Struct, frozen=True):
    siteId: str = DEFAULT_SITE  # noqa: N815 - the name on the wire


_site_decoder: msgspec.json.Decoder[_Site] = msgspec.json.Decoder(_Site)


def _site_named(payload: bytes) -> str:
    if len(payload) > MESSAGE_BYTES_MAX:
        return DEFAULT_SITE
    try:
        return _site_decoder.decode(payload).siteId[:SITE_SHOWN_MAX]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return DEFAULT_SITE


SITE_SHOWN_MAX = 256
"""Characters of a siteId that cannot be used, in the error about it."""


def _checked(site: str) -> str:
    """Raises InvalidEvent for what is no siteId."""
    if not is_site(site):
        raise InvalidEvent(
            "invalid_value",
            "siteId: expected 1 to 64 characters without '/', '+', '#' and control characters.",
            "siteId",
        )
    return site


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
    _checked(message.site)
    return message


# Between servers: the Hermes session that is open at a site ----------------------------------


class HeldSession(Struct, frozen=True):
    sessionId: str  # noqa: N815 - the name on the wire
    customData: Raw = NOTHING  # noqa: N815


NONE_HELD = b"{}"
_held_decoder: msgspec.json.Decoder[HeldSession] = msgspec.json.Decoder(HeldSession)


def held(session: str, custom: Raw) -> bytes:
    return msgspec.json.encode(HeldSession(session, custom))


def read_held(payload: bytes) -> HeldSession | None:
    """None where none is open."""
    try:
        return _held_decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


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


def session_started(site: str, session: str, custom: Raw) -> tuple[str, bytes]:
    return _json("dialogueManager/sessionStarted", siteId=site, sessionId=session, customData=custom)


def session_ended(site: str, session: str, custom: Raw, reason: Reason) -> tuple[str, bytes]:
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


def say_finished(site: str, session: str | None, say_id: str | None) -> tuple[str, bytes]:
    """session: as the message named it that asked for the text."""
    return _json("tts/sayFinished", siteId=site, id=say_id, sessionId=session)


def error(
    of: Service, site: str, session: str | None, why: str, topic: str | None = None
) -> tuple[str, bytes]:
    """topic: of the message that was wrong."""
    return _json(f"error/{of}", error=why, context=topic, siteId=site, sessionId=session)


def _json(topic: str, **message: object) -> tuple[str, bytes]:
    return f"hermes/{topic}", msgspec.json.encode(message)
