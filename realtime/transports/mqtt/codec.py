"""What goes over MQTT, read and written: topics, sound, events of devices. Its page is docs/mqtt.md.

Every failure is an InvalidEvent with a code and a sentence, which the device gets on its `down/event`.
"""

import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from realtime.errors import InvalidEvent
from realtime.protocol.codec import decode
from realtime.protocol.config import invalid_event
from realtime.protocol.events import (
    AnyClientEvent,
    InputAudioBufferAppend,
    ServerEvent,
    SessionUpdate,
    WireInt,
)
from realtime.transports.mqtt.membership import Kind

UP_HZ = 16_000
DOWN_HZ = 24_000
AUDIO_BYTES_MAX = 2 * UP_HZ * 2
"""Two seconds in one message; 20 to 60 ms is what a device should send."""
PACKET_BYTES_MAX = 4 + 1275 * 3
"""Three frames of the most that Opus can take (RFC 6716 3.2.1): 60 ms."""
EVENT_BYTES_MAX = 64 * 1024

Channel = Literal["audio", "event", "format", "status", "volume", "mute"]
_CHANNELS = get_args(Channel)
_DEVICE = re.compile(r"[^/+#\x00-\x1f\x7f]{1,64}")
_SERVER = re.compile(r"[0-9a-f]{16}")
_FRAME_HEAD = struct.Struct("<II")
_PACKET_HEAD = struct.Struct("<I")
U32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]


# Topics -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """Of a message from a device. channel: None for one that there is not."""

    device: str
    channel: Channel | None


@dataclass(frozen=True, slots=True)
class OfServer:
    """A server's presence, or (kind, name) its claim to a device."""

    server: str
    kind: Kind | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Topics:
    prefix: str

    @property
    def server(self) -> str:
        """Retained: whether the server is there, "online" or "offline"."""
        return f"{self.prefix}/server"

    @property
    def of_servers(self) -> tuple[str, ...]:
        """What servers say of themselves and to each other."""
        return (self.server, f"{self.server}/+", *(f"{self.server}/+/{kind}/+" for kind in get_args(Kind)))

    def presence(self, server: str) -> str:
        """Retained while that server is there."""
        return f"{self.server}/{server}"

    def claim(self, server: str, kind: Kind, name: str) -> str:
        """Retained while that server holds a conversation of that device."""
        return f"{self.server}/{server}/{kind}/{name}"

    def of_server(self, topic: str) -> "OfServer | None":
        """A presence or a claim; None for what is neither."""
        if not topic.startswith(self.server + "/"):
            return None
        match topic[len(self.server) + 1 :].split("/"):
            case [server] if _SERVER.fullmatch(server):
                return OfServer(server)
            case [server, kind, name] if _SERVER.fullmatch(server):
                known = next((one for one in get_args(Kind) if one == kind), None)
                return OfServer(server, known, name) if known is not None else None
        return None

    @property
    def all_up(self) -> str:
        return f"{self.prefix}/+/up/+"

    def up(self, device: str, channel: str) -> str:
        return f"{self.prefix}/{device}/up/{channel}"

    def down(self, device: str, channel: str) -> str:
        return f"{self.prefix}/{device}/down/{channel}"

    def address(self, topic: str) -> Address | None:
        """Whose message that is; None for what is no device's."""
        return _address(self.prefix, topic)

    def unusable_name(self, topic: str) -> str | None:
        """Of a device whose message that would be, was its name one; None for what is no device's."""
        levels = _levels_up(self.prefix, topic)
        return levels[0] if levels is not None and not is_device(levels[0]) else None


@lru_cache(maxsize=4096)  # the same few topics, fifty times a second
def _address(prefix: str, topic: str) -> Address | None:
    levels = _levels_up(prefix, topic)
    if levels is None or not is_device(levels[0]):
        return None
    channel = next((known for known in _CHANNELS if known == levels[2]), None)
    return Address(levels[0], channel)


def _levels_up(prefix: str, topic: str) -> list[str] | None:
    if not topic.startswith(prefix + "/"):
        return None
    levels = topic[len(prefix) + 1 :].split("/")
    return levels if len(levels) == 3 and levels[1] == "up" else None


def is_device(name: str) -> bool:
    return _DEVICE.fullmatch(name) is not None


# Sound --------------------------------------------------------------------------------


def read_audio(payload: bytes) -> bytes:
    """A device's sound: s16le mono at UP_HZ, nothing else. Raises InvalidEvent."""
    if not payload or len(payload) % 2 or len(payload) > AUDIO_BYTES_MAX:
        raise InvalidEvent(
            "invalid_audio",
            f"up/audio had {len(payload)} bytes: expected whole 16-bit samples at 16 kHz, "
            f"2 to {AUDIO_BYTES_MAX} bytes.",
        )
    return payload


class Formats(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a device's sound is coded, up and down. down_ms: of each packet of Opus that it gets."""

    up: Literal["pcm", "opus"] = "pcm"
    down: Literal["pcm", "opus"] = "pcm"
    down_ms: Literal[20, 40, 60] = 20


_formats_decoder: msgspec.json.Decoder[Formats] = msgspec.json.Decoder(Formats)


def read_formats(payload: bytes) -> Formats:
    """Raises InvalidEvent."""
    try:
        return _formats_decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidEvent(
            "invalid_value",
            'format: expected {"up": "pcm" or "opus", "down": "pcm" or "opus", "down_ms": 20, 40 or 60}.',
        ) from None


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of Opus. at: its place in what the microphone heard, in samples at UP_HZ."""

    at: int
    opus: bytes


def write_packet(packet: Packet) -> bytes:
    """u32 place, little-endian, and a packet of Opus."""
    return _PACKET_HEAD.pack(packet.at & 0xFFFFFFFF) + packet.opus


def read_packet(payload: bytes) -> Packet:
    """Raises InvalidEvent."""
    if not _PACKET_HEAD.size < len(payload) <= PACKET_BYTES_MAX:
        raise InvalidEvent(
            "invalid_audio",
            f"up/audio had {len(payload)} bytes: expected a place of 4 bytes and one Opus packet, "
            f"at most {PACKET_BYTES_MAX} bytes.",
        )
    (at,) = _PACKET_HEAD.unpack_from(payload)
    return Packet(at, payload[_PACKET_HEAD.size :])


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of an answer. offset: samples of that answer before it."""

    answer: int
    offset: int
    pcm: bytes


def write_frame(frame: Frame, opus: bytes | None = None) -> bytes:
    """u32 answer, u32 offset, both little-endian, and s16le mono at DOWN_HZ, or in its place `opus`."""
    return _FRAME_HEAD.pack(frame.answer, frame.offset) + (frame.pcm if opus is None else opus)


def read_head(payload: bytes) -> tuple[int, int, bytes]:
    """Answer, offset, and the sound as it is coded. Raises ValueError for what has no head."""
    if len(payload) < _FRAME_HEAD.size:
        raise ValueError(f"expected a head of {_FRAME_HEAD.size} bytes, got {len(payload)} bytes")
    answer, offset = _FRAME_HEAD.unpack_from(payload)
    return answer, offset, payload[_FRAME_HEAD.size :]


def read_frame(payload: bytes) -> Frame:
    """Raises ValueError for what is no frame of PCM."""
    answer, offset, pcm = read_head(payload)
    if len(pcm) % 2:
        raise ValueError(f"expected whole samples, got {len(pcm)} bytes")
    return Frame(answer, offset, pcm)


# Events -------------------------------------------------------------------------------


class DeviceEvent(Struct, frozen=True, kw_only=True, tag_field="type"):
    event_id: str | None = None


class Start(DeviceEvent, frozen=True, kw_only=True, tag="parlour.start"):
    """The wake word was heard, or (push_to_talk) the button went down.

    session: as in `session.update`, for a session that this begins or for the one that there is.
    """

    push_to_talk: bool = False
    session: dict[str, Any] | None = None


class Release(DeviceEvent, frozen=True, kw_only=True, tag="parlour.release"):
    """The button went up: what was said is a turn."""


class Stop(DeviceEvent, frozen=True, kw_only=True, tag="parlour.stop"):
    """The conversation is over."""


class Played(DeviceEvent, frozen=True, kw_only=True, tag="parlour.played"):
    """How much of an answer has come out of the loudspeaker."""

    answer: U32
    played_ms: WireInt
    underruns: WireInt = 0


OwnEvent = Start | Release | Stop | Played
_OWN_TYPES = frozenset(str(event.__struct_config__.tag) for event in get_args(OwnEvent))
_own_decoder: msgspec.json.Decoder[OwnEvent] = msgspec.json.Decoder(OwnEvent)


class _Head(Struct):
    type: str
    event_id: str | None = None


_head_decoder: msgspec.json.Decoder[_Head] = msgspec.json.Decoder(_Head)


def read_event(payload: bytes) -> OwnEvent | AnyClientEvent:
    """A device's event: one of its own, or any of the realtime protocol but audio. Raises InvalidEvent."""
    if len(payload) > EVENT_BYTES_MAX:
        raise InvalidEvent(
            "event_too_large",
            f"up/event had {len(payload)} bytes: expected at most {EVENT_BYTES_MAX}.",
        )
    event = _read_own(payload) or decode(payload)
    if isinstance(event, InputAudioBufferAppend):
        raise InvalidEvent(
            "invalid_value", "Sound goes to up/audio as bytes, not into events.", "type", event.event_id
        )
    if isinstance(event, SessionUpdate | Start) and event.session is not None:
        _refuse_formats(event.session, event.event_id)
    return event


def _read_own(payload: bytes) -> OwnEvent | None:
    try:
        head = _head_decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # the protocol's own codec finds the words for it
    if head.type not in _OWN_TYPES:
        return None
    try:
        event = _own_decoder.decode(payload)
    except msgspec.ValidationError as error:
        found = invalid_event(error)
        found.event_id = head.event_id
        raise found from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(event, Start) and event.session is not None:
        # The same shape as that of an update, and no larger.
        decode(msgspec.json.encode({"type": "session.update", "session": event.session}))
    return event


def _refuse_formats(session: dict[str, Any], event_id: str | None) -> None:
    """Over MQTT the formats are fixed: a device that asks for another would hear noise."""
    audio = session.get("audio")
    for side in ("input", "output"):
        half = audio.get(side) if isinstance(audio, dict) else None
        wanted = half.get("format") if isinstance(half, dict) else None
        if wanted is not None and not (isinstance(wanted, dict) and wanted.get("type") == "audio/pcm"):
            raise InvalidEvent(
                "invalid_value",
                "Over MQTT the formats of sound are chosen with up/format, not with the session.",
                f"session.audio.{side}.format",
                event_id,
            )


def read_status(payload: bytes) -> bool:
    """Whether the device is there. Raises InvalidEvent."""
    return _one_of(payload, "status", "online", "offline") == "online"


def read_mute(payload: bytes) -> bool:
    """Whether the microphone is off. Raises InvalidEvent."""
    return _one_of(payload, "mute", "on", "off") == "on"


def read_volume(payload: bytes) -> int:
    """0 to 100. Raises InvalidEvent."""
    if not re.fullmatch(rb"100|[1-9]?[0-9]", payload):
        raise InvalidEvent("invalid_value", "volume: expected a whole number from 0 to 100.")
    return int(payload)


def _one_of(payload: bytes, what: str, *known: str) -> str:
    for word in known:
        if payload == word.encode():
            return word
    raise InvalidEvent("invalid_value", f"{what}: expected {' or '.join(map(repr, known))}.")


# What the server says of its own ------------------------------------------------------


class AnswerBegins(ServerEvent, kw_only=True, tag="parlour.answer"):
    """The frames that carry this number are this item's sound, from start_ms on."""

    answer: int
    item_id: str
    response_id: str
    start_ms: int
    format: Literal["pcm", "opus"] = "pcm"


class AnswerCleared(ServerEvent, kw_only=True, tag="output_audio_buffer.cleared"):
    """Be silent now: drop all sound of answers up to this number, also what is yet to come."""

    response_id: str
    answer: int


class Asleep(ServerEvent, kw_only=True, tag="parlour.asleep"):
    """Nobody is listened to until the next parlour.start; the conversation is remembered."""

    remembered_s: float


class Closed(ServerEvent, kw_only=True, tag="parlour.closed"):
    """The session is over. code: as in a WebSocket close (RFC 6455 7.4)."""

    code: int
    reason: str
