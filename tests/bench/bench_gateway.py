"""Sessions per core, and memory per session, of the gateway alone; and of a peer beside it.

    python -m tests.bench.bench_gateway [--steps 50,100,...] [--peer-env DIRECTORY]

The gateway process has core 0 to itself; the scripted agent and this load share core 1. Users talk
at real-time pace, 20 ms frames of 24 kHz PCM, VAD on. Their number rises until the 99th percentile
of the added latency passes 20 ms.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import uvloop

from tests.bench import machine, pipecat_peer, report
from tests.bench.gateway import GATEWAY_CORE, OTHERS_CORE, GatewayWire, running_gateway, triggers, warm_up
from tests.bench.load import Crowd, Trigger, Wire
from tests.bench.stats import Percentiles, slope
from tests.bench.tracks import Track, tracks

LATE_MS = 20.0
_TRACKS = 4
_RAMP_S_PER_SESSION = 0.12
_RAMP_S_MAX = 8.0
_SETTLE_S = 2.0
STEPS = (50, 100, 150, 200, 250, 300, 350, 400)
PEER_STEPS = (10, 20, 25, 30, 35, 40, 50, 60)


@dataclass(frozen=True, slots=True)
class Step:
    """One number of sessions, held for a while. cpu shares are of one core."""

    sessions: int
    signals: Percentiles
    answers: Percentiles
    sending: Percentiles
    server_cpu: float
    others_cpu: float
    load_cpu: float
    rss_mb: float
    wrong: int
    lost: int

    @property
    def p99_ms(self) -> float:
        """Of whichever is later: the turn signals, or the answers to a small question."""
        return max(self.signals.p99 if self.signals.n else 0.0, self.answers.p99)

    @property
    def holds(self) -> bool:
        return self.p99_ms <= LATE_MS and self.answers_hold

    @property
    def answers_hold(self) -> bool:
        """Whether at least the answers come in time; a signal that misses its frame is 20 ms late."""
        return self.answers.p99 <= LATE_MS and not self.lost and not self.wrong

    def shown(self) -> dict[str, Any]:
        return {
            "sessions": self.sessions,
            "signals_ms": self.signals.shown(),
            "answers_ms": self.answers.shown(),
            "load_lateness_ms": self.sending.shown(),
            "server_cpu": round(self.server_cpu, 3),
            "others_on_its_core": round(self.others_cpu, 3),
            "load_cpu": round(self.load_cpu, 3),
            "rss_mb": round(self.rss_mb, 1),
            "wrong_signals": self.wrong,
            "lost_connections": self.lost,
        }


async def measure(
    wire: Wire,
    pid: int,
    port: int,
    said: Sequence[Track],
    known: Sequence[Sequence[Trigger]],
    sizes: Sequence[int],
    hold_s: float,
) -> list[Step]:
    """Hold each number of sessions for hold_s; stop after the first whose answers are late."""
    crowd = Crowd(wire, port, said, known)
    pace = asyncio.create_task(crowd.keep_pace(), name="pace")
    steps: list[Step] = []
    try:
        for size in sizes:
            await crowd.grow(size, min(_RAMP_S_MAX, (size - crowd.size) * _RAMP_S_PER_SESSION))
            await asyncio.sleep(_SETTLE_S)
            crowd.take_measured()
            before, load_before = machine.usage(pid, GATEWAY_CORE), time.process_time()
            await asyncio.sleep(hold_s)
            after, load_cpu = machine.usage(pid, GATEWAY_CORE), time.process_time() - load_before
            measured, load = crowd.take_measured(), machine.load_between(before, after)
            step = Step(
                size,
                Percentiles.of(measured.signals),
                Percentiles.of(measured.answers),
                Percentiles.of(measured.sending),
                load.cpu,
                load.others,
                load_cpu / (after.at - before.at),
                machine.rss_bytes(pid) / 2**20,
                measured.wrong,
                measured.lost,
            )
            steps.append(step)
            print(
                f"  {size} sessions: p99 {step.p99_ms:.1f} ms, server {step.server_cpu:.0%} of a core",
                flush=True,
            )
            if not step.answers_hold:
                break
    finally:
        pace.cancel()
        crowd.leave()
        await asyncio.gather(pace, return_exceptions=True)
    return steps


async def bench_gateway(sizes: Sequence[int], hold_s: float, arguments: Sequence[str] = ()) -> dict[str, Any]:
    said = tracks(_TRACKS, _seconds_needed(sizes, hold_s))
    known = triggers(said)
    machine.pin(os.getpid(), OTHERS_CORE)
    async with running_gateway("--model", "scripted", *arguments) as gateway:
        await warm_up(gateway.port)
        idle_mb = machine.rss_bytes(gateway.pid) / 2**20
        steps = await measure(GatewayWire(), gateway.pid, gateway.port, said, known, sizes, hold_s)
    return _result("Parlour", steps, idle_mb)


async def bench_peer(environment: str, sizes: Sequence[int], hold_s: float) -> dict[str, Any]:
    said = tracks(_TRACKS, _seconds_needed(sizes, hold_s))
    machine.pin(os.getpid(), OTHERS_CORE)
    async with pipecat_peer.running_peer(environment) as peer:
        machine.pin(peer.pid, GATEWAY_CORE)
        known = await pipecat_peer.triggers(peer.python, said)
        idle_mb = machine.rss_bytes(peer.pid) / 2**20
        steps = await measure(pipecat_peer.PeerWire(), peer.pid, peer.port, said, known, sizes, hold_s)
    return _result("Pipecat 1.14", steps, idle_mb)


def table(*results: dict[str, Any]) -> str:
    rows: list[list[object]] = []
    for result in results:
        for step in result["steps"]:
            signals, answers = step["signals_ms"], step["answers_ms"]
            rows.append(
                [
                    result["server"],
                    step["sessions"],
                    *(signals[name] for name in ("n", "p50", "p95", "p99")),
                    *(answers[name] for name in ("n", "p50", "p95", "p99")),
                    f"{step['server_cpu']:.0%}",
                    f"{step['others_on_its_core']:.0%}",
                    f"{step['load_cpu']:.0%}",
                    step["rss_mb"],
                    step["wrong_signals"] + step["lost_connections"],
                ]
            )
    columns = ["server", "sessions", "signals n", "p50", "p95", "p99", "answers n", "p50", "p95", "p99"]
    columns += ["cpu", "others", "load", "RSS MB", "faults"]
    lines = [report.table("Added latency in ms at a number of sessions, one core", columns, rows)]
    lines += [
        f"{result['server']}: {result['sessions_per_core']} sessions per core "
        f"({result['sessions_per_core_by_answers_alone']} by the answers alone), "
        f"{result['mb_per_session']} MB each (the bare server {result['idle_mb']} MB)"
        for result in results
    ]
    return "\n".join(lines)


def _result(server: str, steps: Sequence[Step], idle_mb: float) -> dict[str, Any]:
    late = next((at for at, step in enumerate(steps) if not step.holds), len(steps))
    answers_hold = [step.sessions for step in steps if step.answers_hold]
    sized = [(float(step.sessions), step.rss_mb) for step in steps]
    grows = slope(sized) if len(sized) > 1 else (sized[0][1] - idle_mb) / sized[0][0]
    return {
        "server": server,
        "sessions_per_core": steps[late - 1].sessions if late else 0,
        "sessions_per_core_by_answers_alone": max(answers_hold, default=0),
        "mb_per_session": round(grows, 2),
        "idle_mb": round(idle_mb, 1),
        "late_above_ms": LATE_MS,
        "steps": [step.shown() for step in steps],
    }


def _seconds_needed(sizes: Sequence[int], hold_s: float) -> float:
    return len(sizes) * (hold_s + _RAMP_S_MAX + _SETTLE_S) + 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", default=",".join(map(str, STEPS)))
    parser.add_argument("--peer-steps", default=",".join(map(str, PEER_STEPS)))
    parser.add_argument("--hold", type=float, default=12.0, help="seconds to measure at each step")
    parser.add_argument(
        "--peer-env", default="", help="virtual environment for Pipecat; made if it is not there"
    )
    parser.add_argument("--serve", default="", help="further arguments for parlour serve")
    options = parser.parse_args()
    facts = machine.describe()
    print(facts)
    results = [uvloop.run(bench_gateway(_sizes(options.steps), options.hold, options.serve.split()))]
    if options.peer_env:
        results.append(uvloop.run(bench_peer(options.peer_env, _sizes(options.peer_steps), options.hold)))
    print(table(*results))
    print(report.save("gateway", {"machine": facts, "results": results}))


def _sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


if __name__ == "__main__":
    main()
