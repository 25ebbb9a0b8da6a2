"""Speakers over MQTT with the embedded default: how long after the last word the answer is heard.

    python -m tests.bench.bench_speakers [--speakers 3] [--turns 4]

Everything on this machine, unpinned: Mosquitto, the gateway, its agent, the devices. Each device says
recorded sentences at real-time pace and plays its answers to their end. TTFA: from the last sample of the
voice to the first frame of sound that the device has. Late end: by how much longer the answer took than it
lasts, from that frame to the state "listening".
"""

import argparse
import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import machine, report
from tests.bench.gateway import running_gateway
from tests.bench.stats import Percentiles
from tests.e2e.device import Device, device
from tests.e2e.mosquitto import running_broker
from tests.speech import Utterance, utterances

_SETTINGS = {"type": "realtime", "max_output_tokens": 40}


@dataclass
class Measured:
    ttfa_ms: list[float] = field(default_factory=list)
    late_end_ms: list[float] = field(default_factory=list)


async def converse(speaker: Device, said: list[Utterance], measured: Measured) -> None:
    await speaker.say("parlour.start", session=_SETTINGS)
    await speaker.state("listening")
    for turn, utterance in enumerate(said, 1):
        began_at = time.perf_counter()
        speaking = asyncio.create_task(speaker.speak(utterance.pcm16k, paced=True))
        await speaker.until(lambda turn=turn: any(frame[0] == turn for frame in speaker.frames))
        first_at = time.perf_counter()
        measured.ttfa_ms.append((first_at - began_at) * 1000 - utterance.speech_end_ms)
        await speaking
        await speaker.event("response.done", turn)
        await speaker.state("listening")
        took_ms = (time.perf_counter() - first_at) * 1000
        measured.late_end_ms.append(max(0.0, took_ms - len(speaker.spoken(turn)) / 48))


async def bench_speakers(n_speakers: int, n_turns: int) -> dict[str, Any]:
    said = [one for one in utterances() if one.language == "en" and 2 <= one.seconds <= 6]
    measured = Measured()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = await stack.enter_async_context(running_broker(folder))
        flags = ["--mqtt-url", broker.url, "--mqtt-follow-up-s", "600", "--store", "memory"]
        await stack.enter_async_context(running_gateway("--model", "embedded", *flags, pinned=False))
        speakers = [
            await stack.enter_async_context(device(broker.url, f"speaker-{n}")) for n in range(n_speakers)
        ]
        async with asyncio.TaskGroup() as tasks:
            for number, speaker in enumerate(speakers):
                mine = [said[(number * n_turns + turn) % len(said)] for turn in range(n_turns)]
                tasks.create_task(converse(speaker, mine, measured))
    return {
        "speakers": n_speakers,
        "ttfa_ms": Percentiles.of(measured.ttfa_ms).shown(0),
        "late_end_ms": Percentiles.of(measured.late_end_ms).shown(0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--speakers", type=int, default=3)
    parser.add_argument("--turns", type=int, default=4)
    options = parser.parse_args()
    facts = machine.describe()
    print(facts)
    result = asyncio.run(bench_speakers(options.speakers, options.turns))
    print(result)
    print(report.save("speakers", {"machine": facts, "results": [result]}))


if __name__ == "__main__":
    main()
