"""WebRTC sessions per core, and memory per session, of the gateway alone.

    python -m tests.bench.bench_webrtc [--steps 5,10,20,...] [--hold 12]

As bench_gateway: the gateway has core 0, the scripted agent and this load share core 1, users talk at
real-time pace with VAD on and hear ten seconds of answer after each utterance. Their Opus is encoded
beforehand, and what they get is decrypted and not decoded: a user costs the load less than the server.
Late is a round trip of a small event above 20 ms at the 99th percentile, or a load that is itself late.
"""

import argparse
import asyncio
import json
import os
import time
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import httpx
import uvloop
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from realtime.audio.opus import OpusEncoder
from tests.bench import machine, report
from tests.bench.gateway import GATEWAY_CORE, OTHERS_CORE, running_gateway, warm_up
from tests.bench.stats import Percentiles, slope
from tests.bench.tracks import tracks

STEPS = (5, 10, 15, 20, 25, 30, 40)
LATE_MS = 20.0
_FRAME_S = 0.02
_SETTLE_S = 2.0
_ASK_EVERY_S = 0.5
_CONNECT_WITHIN_S = 30.0
_ASK = json.dumps({"type": "conversation.item.retrieve", "item_id": "item_that_is_not"})


class EncodedSpeech(MediaStreamTrack):
    """Packets that all users of a track share, at the pace of speech."""

    kind = "audio"

    def __init__(self, packets: Sequence[bytes]) -> None:
        super().__init__()
        self.late_ms: list[float] = []
        self._packets = packets
        self._at = 0
        self._began_at = time.perf_counter()

    async def recv(self) -> "av.Packet[Any]":
        due = self._began_at + self._at * _FRAME_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        self.late_ms.append((time.perf_counter() - due) * 1000)
        packet = av.Packet(self._packets[self._at % len(self._packets)])
        packet.time_base, packet.pts = Fraction(1, 48_000), self._at * 960
        self._at += 1
        return packet


class User:
    """One call. answers_ms: round trips of a small event; packets: what came of the answers' audio."""

    def __init__(self, packets: Sequence[bytes]) -> None:
        self.answers_ms: list[float] = []
        self.packets = 0
        self.speech = EncodedSpeech(packets)
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.addTrack(self.speech)
        self._channel = self._connection.createDataChannel("oai-events")
        self._channel.on("message", self._came)
        self._asked_at: deque[float] = deque()
        self._ready = asyncio.Event()
        [receiver] = self._connection.getReceivers()
        receiver._handle_rtp_packet = self._hear  # type: ignore[method-assign]

    async def call(self, port: int) -> None:
        await self._connection.setLocalDescription(await self._connection.createOffer())
        async with httpx.AsyncClient(timeout=_CONNECT_WITHIN_S) as http:
            response = await http.post(
                f"http://127.0.0.1:{port}/v1/realtime/calls",
                content=self._connection.localDescription.sdp,
                headers={"content-type": "application/sdp"},
            )
        response.raise_for_status()
        await self._connection.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            await self._ready.wait()

    def ask(self) -> None:
        self._asked_at.append(time.perf_counter())
        self._channel.send(_ASK)

    async def leave(self) -> None:
        await self._connection.close()

    def _came(self, message: str) -> None:
        self._ready.set()
        if message.startswith('{"type":"error"') and self._asked_at:
            self.answers_ms.append((time.perf_counter() - self._asked_at.popleft()) * 1000)

    async def _hear(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        self.packets += 1


async def bench_webrtc(sizes: Sequence[int], hold_s: float) -> dict[str, Any]:
    said = [_encoded(track.frames) for track in tracks(4, 60.0)]
    machine.pin(os.getpid(), OTHERS_CORE)
    users: list[User] = []
    steps: list[dict[str, Any]] = []
    async with running_gateway("--model", "scripted") as gateway:
        await warm_up(gateway.port)
        await _one_call(gateway.port, said[0])
        idle_mb = machine.rss_bytes(gateway.pid) / 2**20
        try:
            for size in sizes:
                while len(users) < size:
                    users.append(User(said[len(users) % len(said)]))
                    await users[-1].call(gateway.port)
                await asyncio.sleep(_SETTLE_S)
                step = await _step(users, gateway.pid, hold_s)
                steps.append(step)
                print(f"  {step}", flush=True)
                if step["answers_ms"]["p99"] > LATE_MS:
                    break
        finally:
            await asyncio.gather(*(user.leave() for user in users), return_exceptions=True)
    return _result(steps, idle_mb)


async def _step(users: Sequence[User], pid: int, hold_s: float) -> dict[str, Any]:
    for user in users:
        user.answers_ms.clear()
        user.speech.late_ms.clear()
    packets = sum(user.packets for user in users)
    before, load_before = machine.usage(pid, GATEWAY_CORE), time.process_time()
    until = time.monotonic() + hold_s
    while time.monotonic() < until:
        for user in users:
            user.ask()
            await asyncio.sleep(_ASK_EVERY_S / len(users))
    after, load_cpu = machine.usage(pid, GATEWAY_CORE), time.process_time() - load_before
    load = machine.load_between(before, after)
    seconds = after.at - before.at
    return {
        "sessions": len(users),
        "answers_ms": Percentiles.of([ms for user in users for ms in user.answers_ms]).shown(),
        "load_lateness_ms": Percentiles.of([ms for user in users for ms in user.speech.late_ms]).shown(),
        "server_cpu": round(load.cpu, 3),
        "others_on_its_core": round(load.others, 3),
        "load_cpu": round(load_cpu / seconds, 3),
        "speaking": round((sum(user.packets for user in users) - packets) / seconds * _FRAME_S, 1),
        "rss_mb": round(machine.rss_bytes(pid) / 2**20, 1),
    }


def _result(steps: Sequence[dict[str, Any]], idle_mb: float) -> dict[str, Any]:
    holds = [step["sessions"] for step in steps if step["answers_ms"]["p99"] <= LATE_MS]
    sized = [(float(step["sessions"]), float(step["rss_mb"])) for step in steps]
    costs = [(float(step["sessions"]), float(step["server_cpu"])) for step in steps]
    return {
        "server": "Parlour over WebRTC",
        "sessions_per_core": max(holds, default=0),
        "cpu_per_session": round(slope(costs), 4) if len(steps) > 1 else None,
        "mb_per_session": round(slope(sized), 2) if len(steps) > 1 else None,
        "idle_mb": round(idle_mb, 1),
        "late_above_ms": LATE_MS,
        "steps": list(steps),
    }


async def _one_call(port: int, packets: Sequence[bytes]) -> None:
    """So that what is done once only is done."""
    user = User(packets)
    await user.call(port)
    await user.leave()


def _encoded(frames: Sequence[bytes]) -> list[bytes]:
    encoder = OpusEncoder()
    return [encoder.encode(frame) for frame in frames]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", default=",".join(map(str, STEPS)))
    parser.add_argument("--hold", type=float, default=12.0, help="seconds to measure at each step")
    options = parser.parse_args()
    facts = machine.describe()
    print(facts)
    result = uvloop.run(bench_webrtc([int(size) for size in options.steps.split(",")], options.hold))
    print({name: value for name, value in result.items() if name != "steps"})
    print(report.save("webrtc", {"machine": facts, "results": [result]}))


if __name__ == "__main__":
    main()
