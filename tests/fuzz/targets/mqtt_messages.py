"""A device's messages to the codec: the first line of an input is the topic, the rest the payload."""

import random

from aiomqtt import Topic

from realtime.audio.opus import FRAME_BYTES, OpusEncoder
from realtime.errors import InvalidEvent
from realtime.protocol.codec import encode
from realtime.protocol.events import Error, ErrorObject
from realtime.transports.mqtt.codec import (
    Formats,
    Topics,
    read_event,
    read_formats,
    read_frame,
    read_mute,
    read_status,
    read_volume,
)
from realtime.transports.mqtt.uplink import Uplink
from tests.fuzz.mutate import bytes_changed, json_changed
from tests.fuzz.target import Pure, Unkept

_topics = Topics("parlour/v1")


def _hear(payload: bytes) -> None:
    """As sound of either format, of which not all need be any."""
    for formats in (Formats(), Formats(up="opus")):
        uplink = Uplink(0.0, lambda: None)
        uplink.set_formats(formats)
        try:
            uplink.put_audio(payload, 1.0)
            uplink.put_audio(payload, 2.0)
        except InvalidEvent:
            continue
        while not uplink.is_empty:
            uplink.take()


READERS = {
    "audio": _hear,
    "format": read_formats,
    "event": read_event,
    "status": read_status,
    "mute": read_mute,
    "volume": read_volume,
}


def run(data: bytes) -> None:
    topic, _, payload = data.partition(b"\n")
    try:
        address = _topics.address(Topic(topic.decode(errors="replace")).value)
    except ValueError:
        address = None  # the client library lets no such topic through
    try:
        read_frame(payload)
    except ValueError:
        pass
    if address is None or address.channel is None:
        return
    if "/" in address.device or not address.device.isascii():
        raise Unkept("a device's name is a level of a topic")
    try:
        READERS[address.channel](payload)
    except InvalidEvent as error:
        shown = ErrorObject("invalid_request_error", error.code, error.message, error.param, error.event_id)
        encode(Error(error=shown))


def _mutate(data: bytes, chance: random.Random) -> bytes:
    topic, _, payload = data.partition(b"\n")
    if chance.random() < 0.1:
        return bytes_changed(topic, chance) + b"\n" + payload
    return topic + b"\n" + json_changed(payload, chance)


def seeds() -> list[bytes]:
    session = '{"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm"}}}}'
    events = [
        f'{{"type": "parlour.start", "push_to_talk": true, "event_id": "e", "session": {session}}}',
        '{"type": "parlour.release"}',
        '{"type": "parlour.stop"}',
        '{"type": "parlour.played", "answer": 1, "played_ms": 200, "underruns": 0}',
        f'{{"type": "session.update", "session": {session}}}',
        '{"type": "parlour.resume", "token": "rt_a.b", "history": false}',
        '{"type": "response.create", "response": {"instructions": "x"}}',
        '{"type": "input_audio_buffer.append", "audio": "AAAA"}',
    ]
    opus = bytes(4) + OpusEncoder().encode(bytes(FRAME_BYTES))
    formats = '{"up": "opus", "down": "opus", "down_ms": 40}'
    others = {
        "format": formats,
        "status": "online",
        "mute": "on",
        "volume": "50",
        "audio": "\0" * 64,
        "other": "",
    }
    return [
        *(f"parlour/v1/kitchen/up/event\n{event}".encode() for event in events),
        b"parlour/v1/kitchen/up/audio\n" + opus,
        *(f"parlour/v1/kitchen/up/{channel}\n{text}".encode() for channel, text in others.items()),
    ]


TARGET = Pure(run, seeds, words=("parlour/v1/", "/up/", "event", "status", "\n", "\\ud800"), mutate=_mutate)
