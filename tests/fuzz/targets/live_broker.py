"""Messages to a server over a real Mosquitto: a byte (1: retained, 2: as the last will of a client that is
cut off), the topic's line, the payload. Topics without the prefix are a device's own. Another device is
served all the time.
"""

import math
import random
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt

from tests.conftest import running_server
from tests.e2e.device import PREFIX, Device, device
from tests.e2e.mosquitto import Mosquitto, running_broker
from tests.fuzz.mutate import bytes_changed, json_changed
from tests.fuzz.target import Attack, Live, Unkept
from tests.fuzz.targets import hermes_messages

MAD = f"{PREFIX}/mad/up/"
NOT_ITS_OWN = f"{PREFIX}/other/", f"{PREFIX}/server"
"""A broker's rules keep them (docs/mqtt.md): the other device would be gone with good reason."""
LOOK_EVERY = 25
RETAINED, WILL = 1, 2


class Attacker:
    def __init__(self, broker: Mosquitto, client: aiomqtt.Client, other: Device) -> None:
        self._broker = broker
        self._client = client
        self._other = other
        self._count = 0

    async def attack(self, data: bytes) -> None:
        self._count += 1
        kind, (topic, _, payload) = data[:1], data[1:].partition(b"\n")
        with suppress(aiomqtt.MqttError, ValueError):
            name = topic.decode(errors="replace")
            is_whole = name.startswith((PREFIX, "hermes/")) and not name.startswith(NOT_ITS_OWN)
            where = name if is_whole else MAD + name
            if kind == bytes([WILL]):
                await self._die_with(where, payload)
            else:
                await self._client.publish(where, payload, retain=kind == bytes([RETAINED]))
        if self._count % LOOK_EVERY == 0:
            await self._look()

    async def _die_with(self, topic: str, payload: bytes) -> None:
        will = aiomqtt.Will(topic, payload, 1, False)
        async with aiomqtt.Client("127.0.0.1", self._broker.port, will=will) as dying:
            dying._client.socket().shutdown(socket.SHUT_RDWR)

    async def _look(self) -> None:
        known = len(self._other.of("error"))
        try:
            await self._other.say("conversation.item.retrieve", item_id="none")
            await self._other.event("error", known + 1)
        except AssertionError:
            raise Unkept("the session of another device goes on") from None


@asynccontextmanager
async def opened() -> AsyncIterator[Attack]:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            running_broker(Path(folder)) as broker,
            running_server(mqtt_url=broker.url, mqtt_hermes="any"),
            device(broker.url, "other", plays=False) as other,
            aiomqtt.Client("127.0.0.1", broker.port, timeout=math.inf) as client,
        ):
            await other.say("parlour.start")
            await other.event("session.created")
            yield Attacker(broker, client, other).attack


def seeds() -> list[bytes]:
    events = [
        '{"type": "parlour.start", "push_to_talk": true, "session": {"type": "realtime"}}',
        '{"type": "parlour.release"}',
        '{"type": "parlour.stop"}',
        '{"type": "parlour.played", "answer": 1, "played_ms": 200, "underruns": 0}',
        '{"type": "session.update", "session": {"type": "realtime", "parlour": {"resume": true}}}',
        '{"type": "parlour.resume", "token": "rt_eyJzZXNzaW9uIjoiXHVkODAwIn0.AAAA", "history": false}',
        '{"type": "parlour.hand_over"}',
        '{"type": "response.create"}',
    ]
    return [
        *(b"\0" + seed for seed in hermes_messages.seeds()),
        b'\0format\n{"up": "opus", "down": "opus"}',
        *(b"\0event\n" + event.encode() for event in events),
        b"\1event\n" + events[0].encode(),
        b"\0audio\n" + bytes(1280),
        b"\0audio\n" + bytes(641),
        b"\0status\nonline",
        b"\1status\nonline",
        b"\2status\noffline",
        b"\2event\n" + events[0].encode(),
        b"\0mute\non",
        b"\0volume\n50",
        b"\0nothing\n",
        f"\0{PREFIX}/server\nonline".encode(),
        f"\0{PREFIX}/other2/up/event\n{events[0]}".encode(),
    ]


def _mutate(data: bytes, chance: random.Random) -> bytes:
    topic, line, payload = data.partition(b"\n")
    if chance.random() < 0.1:
        return bytes_changed(topic, chance) + line + payload
    return topic + line + json_changed(payload, chance)


TARGET = Live(opened, seeds, mutate=_mutate, bytes_max=4096, per_s=80.0)
