"""MQTT sessions per core, and memory per session, of the gateway alone; and what Mosquitto takes beside it.

    python -m tests.bench.bench_mqtt [--steps 25,50,...] [--hold 8] [--format opus]

As bench_gateway: the gateway has core 0; Mosquitto, the scripted agent and this load share core 1. Each
device has a connection of its own, sends 40 ms of sound at a time at real-time pace with VAD on, hears ten
seconds of answer after each utterance, and acknowledges every 200 ms. Late is a round trip of a small event,
through the broker both ways, above 20 ms at the 99th percentile.
"""

import argparse
import asyncio
import json
import os
import struct
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from aiomqtt import Client, Message, Will

from realtime.audio.resample import Resampler
from realtime.commands.speaker_sound import FRAME_MS, Coding, UpSound
from realtime.transports.mqtt.broker import connection, parse_broker, publish, subscribe
from tests.bench import machine, report
from tests.bench.gateway import GATEWAY_CORE, OTHERS_CORE, running_gateway, warm_up
from tests.bench.stats import Percentiles, slope
from tests.bench.tracks import WIRE_HZ, Track, tracks
from tests.e2e.mosquitto import OPEN, Mosquitto, running_broker

STEPS = (25, 50, 75, 100, 125, 150, 175, 200)
LATE_MS = 20.0
PREFIX = "parlour/v1"
_FRAME_S = FRAME_MS / 1000
_PLAYED_EVERY_S = 0.2
_ASK_EVERY_S = 0.5
_SETTLE_S = 2.0
_WITHIN_S = 30.0
_ASK = json.dumps({"type": "conversation.item.retrieve", "item_id": "item_that_is_not"})


class Device:
    """answers_ms: round trips of a small event; late_ms: of its own sound; frames: that came of answers."""

    def __init__(self, name: str, payloads: Sequence[bytes]) -> None:
        self.answers_ms: list[float] = []
        self.late_ms: list[float] = []
        self.frames = 0
        self._name = name
        self._payloads = payloads
        self._asked_at: deque[float] = deque()
        self._listens = asyncio.Event()
        self._answer, self._began_at, self._received_ms = 0, 0.0, 0.0
        self._client: Client | None = None

    async def live(self, broker: Mosquitto, coding: Coding, ready: asyncio.Event) -> None:
        will = Will(self._up("status"), "offline", 1, True)
        async with connection(parse_broker(broker.url), will, self._take) as self._client:
            await subscribe(self._client, f"{PREFIX}/{self._name}/down/+")
            formats = {"up": coding, "down": coding, "down_ms": FRAME_MS}
            await publish(self._client, self._up("format"), json.dumps(formats), 1, True)
            await publish(self._client, self._up("status"), "online", 1, True)
            await self._say(type="parlour.start")
            await self._listens.wait()
            ready.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._speak(self._client))
                tasks.create_task(self._acknowledge())

    async def ask(self) -> None:
        assert self._client is not None
        self._asked_at.append(time.perf_counter())
        await publish(self._client, self._up("event"), _ASK, 1)

    def _up(self, channel: str) -> str:
        return f"{PREFIX}/{self._name}/up/{channel}"

    async def _say(self, **event: object) -> None:
        assert self._client is not None
        await publish(self._client, self._up("event"), json.dumps(event), 1)

    async def _speak(self, client: Client) -> None:
        began_at, topic, at = time.perf_counter(), self._up("audio"), 0
        while True:
            due = began_at + at * _FRAME_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self.late_ms.append((time.perf_counter() - due) * 1000)
            await publish(client, topic, self._payloads[at % len(self._payloads)])
            at += 1

    async def _acknowledge(self) -> None:
        told = 0.0
        while True:
            await asyncio.sleep(_PLAYED_EVERY_S)
            played_ms = min(self._received_ms, (time.perf_counter() - self._began_at) * 1000)
            if self._answer and played_ms != told:
                told = played_ms
                await self._say(type="parlour.played", answer=self._answer, played_ms=int(played_ms))

    def _take(self, message: Message) -> None:
        payload = message.payload
        assert isinstance(payload, bytes)
        match message.topic.value.rpartition("/")[2]:
            case "audio":
                answer, offset = struct.unpack_from("<II", payload)
                if answer != self._answer:
                    self._answer, self._began_at = answer, time.perf_counter()
                self._received_ms = offset / 24 + FRAME_MS
                self.frames += 1
            case "state" if payload == b"listening":
                self._listens.set()
            case "event" if payload.startswith(b'{"type":"error"') and self._asked_at:
                self.answers_ms.append((time.perf_counter() - self._asked_at.popleft()) * 1000)


async def bench_mqtt(sizes: Sequence[int], hold_s: float, coding: Coding) -> dict[str, Any]:
    said = [_sent(track, coding) for track in tracks(4, 60.0)]
    machine.pin(os.getpid(), OTHERS_CORE)
    steps: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = await stack.enter_async_context(running_broker(folder, f"{OPEN}\nset_tcp_nodelay true"))
        assert broker._process is not None
        machine.pin(broker._process.pid, OTHERS_CORE)
        flags = ["--mqtt-url", broker.url, "--mqtt-follow-up-s", "3600", "--store", "memory"]
        gateway = await stack.enter_async_context(running_gateway("--model", "scripted", *flags))
        await warm_up(gateway.port)
        idle_mb = machine.rss_bytes(gateway.pid) / 2**20
        devices: list[Device] = []
        tasks: list[asyncio.Task[None]] = []
        try:
            for size in sizes:
                while len(devices) < size:
                    ready = asyncio.Event()
                    # Each begins at a place of its own in what all say.
                    at, payloads = 37 * len(devices), said[len(devices) % len(said)]
                    devices.append(Device(f"d{len(devices)}", _from(payloads, at)))
                    tasks.append(asyncio.create_task(devices[-1].live(broker, coding, ready)))
                    async with asyncio.timeout(_WITHIN_S):
                        await ready.wait()
                await asyncio.sleep(_SETTLE_S)
                steps.append(await _step(devices, gateway.pid, broker._process.pid, hold_s))
                print(f"  {steps[-1]}", flush=True)
                if steps[-1]["answers_ms"]["p99"] > LATE_MS:
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return _result(steps, idle_mb, coding)


async def _step(devices: Sequence[Device], pid: int, broker_pid: int, hold_s: float) -> dict[str, Any]:
    for device in devices:
        device.answers_ms.clear()
        device.late_ms.clear()
    frames = sum(device.frames for device in devices)
    before, load_before = machine.usage(pid, GATEWAY_CORE), time.process_time()
    broker_before = machine.usage(broker_pid, OTHERS_CORE)
    until = time.monotonic() + hold_s
    while time.monotonic() < until:
        for device in devices:
            await device.ask()
            await asyncio.sleep(_ASK_EVERY_S / len(devices))
    after, load_cpu = machine.usage(pid, GATEWAY_CORE), time.process_time() - load_before
    broker_after = machine.usage(broker_pid, OTHERS_CORE)
    load, seconds = machine.load_between(before, after), after.at - before.at
    return {
        "sessions": len(devices),
        "answers_ms": Percentiles.of([ms for device in devices for ms in device.answers_ms]).shown(),
        "load_lateness_ms": Percentiles.of([ms for device in devices for ms in device.late_ms]).shown(),
        "server_cpu": round(load.cpu, 3),
        "others_on_its_core": round(load.others, 3),
        "mosquitto_cpu": round(machine.load_between(broker_before, broker_after).cpu, 3),
        "load_cpu": round(load_cpu / seconds, 3),
        "rss_mb": round(machine.rss_bytes(pid) / 2**20, 1),
        "speaking": round((sum(device.frames for device in devices) - frames) * _FRAME_S / seconds, 1),
    }


def _result(steps: Sequence[dict[str, Any]], idle_mb: float, coding: Coding) -> dict[str, Any]:
    holds = [step["sessions"] for step in steps if step["answers_ms"]["p99"] <= LATE_MS]
    cpu = [(float(step["sessions"]), step["server_cpu"]) for step in steps]
    broker = [(float(step["sessions"]), step["mosquitto_cpu"]) for step in steps]
    rss = [(float(step["sessions"]), step["rss_mb"]) for step in steps]
    many = len(steps) > 1
    return {
        "server": f"Parlour over MQTT, {coding}",
        "sessions_per_core": max(holds, default=0),
        "cpu_per_session": round(slope(cpu), 4) if many else None,
        "mosquitto_cpu_per_session": round(slope(broker), 4) if many else None,
        "mb_per_session": round(slope(rss), 2) if many else None,
        "idle_mb": round(idle_mb, 1),
        "late_above_ms": LATE_MS,
        "steps": list(steps),
    }


def _sent(track: Track, coding: Coding) -> list[bytes]:
    up, down = UpSound(coding), Resampler(WIRE_HZ, 16_000)
    return [payload for frame in track.frames for payload in up.push(down.push(frame))]


def _from(payloads: Sequence[bytes], at: int) -> Sequence[bytes]:
    """A packet of Opus that is no longer at its place begins a new stretch, once a minute."""
    at %= len(payloads)
    return [*payloads[at:], *payloads[:at]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", default=",".join(map(str, STEPS)))
    parser.add_argument("--hold", type=float, default=8.0, help="seconds to measure at each step")
    parser.add_argument("--format", choices=("pcm", "opus"), default="pcm")
    options = parser.parse_args()
    facts = machine.describe()
    print(facts)
    sizes = [int(size) for size in options.steps.split(",")]
    result = uvloop.run(bench_mqtt(sizes, options.hold, options.format))
    print({name: value for name, value in result.items() if name != "steps"})
    print(report.save("mqtt", {"machine": facts, "results": [result]}))


if __name__ == "__main__":
    main()
