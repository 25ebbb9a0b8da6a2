"""Barge-in: from the user's first voiced sample to the last audio sent, and to speech_started.

    python -m tests.bench.bench_barge_in [--count 60] [--load 50]

The scripted agent speaks for ten seconds; at a random time into its answer a recorded utterance is
spoken, in a room, at real-time pace. Time runs from when the first voiced sample was spoken (the
manifest's voiced_start_ms), so the 20 ms that a frame takes to fill count too.
"""

import argparse
import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from tests.bench import machine, report
from tests.bench.gateway import OTHERS_CORE, GatewayWire, running_gateway, triggers, warm_up
from tests.bench.load import Crowd
from tests.bench.stats import Percentiles
from tests.bench.tracks import tracks
from tests.bench.user import User, prepare, talking_user
from tests.speech import Utterance, utterances

_AT_ONCE = 4
_INTO_ANSWER_S = (0.3, 4.5)  # while audio still leaves: it is sent at most 5 s ahead of being heard
_HEARD_WITHIN_S = 3.0
_RAMP_S = 6.0


async def bench_barge_in(count: int, others: int, seed: int = 1) -> dict[str, Any]:
    """count: barge-ins to measure; others: sessions that talk meanwhile."""
    machine.pin(os.getpid(), OTHERS_CORE)
    randomness = random.Random(seed)
    plan = [
        (utterances()[number % len(utterances())], randomness.uniform(*_INTO_ANSWER_S))
        for number in range(count)
    ]
    prepare(utterance for utterance, _ in plan)
    to_signal: list[float] = []
    to_last_audio: list[float] = []
    async with running_gateway("--model", "scripted") as gateway:
        await warm_up(gateway.port)
        async with _others_talking(gateway.port, others, 30.0 + count * 1.8), asyncio.TaskGroup() as tasks:
            for first in range(_AT_ONCE):
                tasks.create_task(_barge(gateway.port, plan[first::_AT_ONCE], to_signal, to_last_audio))
    return {
        "others": others,
        "count": count,
        "unheard": count - len(to_signal),
        "speech_started_ms": Percentiles.of(to_signal).shown(),
        "last_audio_ms": Percentiles.of(to_last_audio).shown(),
    }


async def _barge(
    port: int, plan: list[tuple[Utterance, float]], to_signal: list[float], to_last_audio: list[float]
) -> None:
    async with talking_user(port) as user:
        for utterance, into_answer_s in plan:
            await user.send(type="response.create")
            await user.until(_is_audio)
            await asyncio.sleep(into_answer_s)
            begun = await user.say(utterance)
            with contextlib.suppress(TimeoutError):
                signal_at, last_audio_at = await _stopped(user)
                voiced_at = begun + utterance.voiced_start_ms / 1000
                to_signal.append((signal_at - voiced_at) * 1000)
                to_last_audio.append(max(0.0, (last_audio_at - voiced_at) * 1000))
            user.fall_silent()
            await user.send(type="response.cancel")  # an error, unless the utterance was not heard
            await user.send(type="input_audio_buffer.clear")
            await user.until(lambda event: event["type"] == "input_audio_buffer.cleared")


async def _stopped(user: User) -> tuple[float, float]:
    """When speech_started came, and when the last audio of the answer did."""
    signal_at, last_audio_at = 0.0, 0.0
    while True:
        at, event = await user.next_event(_HEARD_WITHIN_S)
        if _is_audio(event):
            last_audio_at = at
        elif event["type"] == "input_audio_buffer.speech_started":
            signal_at = at
        elif event["type"] == "response.done" and signal_at:
            return signal_at, last_audio_at


def _is_audio(event: dict[str, Any]) -> bool:
    return bool(event["type"] == "response.output_audio.delta")


@asynccontextmanager
async def _others_talking(port: int, count: int, seconds: float) -> AsyncIterator[None]:
    if not count:
        yield
        return
    said = tracks(2, seconds)
    crowd = Crowd(GatewayWire(), port, said, triggers(said))
    pace = asyncio.create_task(crowd.keep_pace(), name="pace")
    try:
        await crowd.grow(count, _RAMP_S)
        yield
    finally:
        pace.cancel()
        crowd.leave()
        await asyncio.gather(pace, return_exceptions=True)


def table(*results: dict[str, Any]) -> str:
    rows: list[list[object]] = []
    for result in results:
        for what, name in (("speech_started", "speech_started_ms"), ("last audio", "last_audio_ms")):
            figures = result[name]
            rows.append(
                [
                    result["others"],
                    what,
                    *(figures[key] for key in ("n", "p50", "p95", "p99", "max")),
                    result["unheard"],
                ]
            )
    columns = ["other sessions", "voice to", "n", "p50", "p95", "p99", "max", "unheard"]
    return report.table("Barge-in, ms from the first voiced sample", columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--load", type=int, default=50, help="other sessions in the second run")
    options = parser.parse_args()
    facts = machine.describe()
    results = [uvloop.run(bench_barge_in(options.count, others)) for others in (0, options.load)]
    print(table(*results))
    print(report.save("barge-in", {"machine": facts, "results": results}))


if __name__ == "__main__":
    main()
