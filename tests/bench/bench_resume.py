"""A thousand connections killed at random moments of a spoken turn: how many sessions go on without a lost or
repeated word.

    python -m tests.bench.bench_resume [--kills 1000] [--at-once 8]
"""

import argparse
import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from agent.scripted import RECITAL
from tests.bench.machine import describe
from tests.bench.stats import Percentiles
from tests.conftest import running_server
from tests.e2e.resuming import ResumingClient
from tests.speech import utterances

ANSWER_BYTES = 10 * 48_000
KILLS_IN_A_TURN = 5
EVENTS_OF_A_TURN = 260


@dataclass
class Tally:
    kills: int = 0
    resumed: int = 0
    turns: int = 0
    whole: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)


async def one_turn(url: str, speech: bytes, chance: random.Random, tally: Tally) -> None:
    client = await ResumingClient(url).begin()
    speaking = asyncio.create_task(client.speak(speech))
    loop = asyncio.get_running_loop()
    for kill_at in sorted(chance.sample(range(3, EVENTS_OF_A_TURN), KILLS_IN_A_TURN)):
        await client._wait(
            lambda at=kill_at: len(client.events) >= at or client.of("response.done"), "events"
        )
        await client.drop()
        tally.kills += 1
        started = loop.time()
        resumed = await client.come_back()
        if resumed["type"] != "parlour.resumed":
            tally.faults[resumed["error"]["code"]] += 1
            return
        tally.took_ms.append((loop.time() - started) * 1000)
        tally.resumed += 1
    await speaking
    await client.until("response.done")
    tally.turns += 1
    items = {event["item_id"] for event in client.of("response.output_audio.delta")}
    counts = {
        kind: len(client.of(kind))
        for kind in ("input_audio_buffer.committed", "response.created", "response.done")
    }
    if len(items) == 1 and set(counts.values()) == {1}:
        [item_id] = items
        if client.words(item_id) == RECITAL and len(client.sound(item_id)) == ANSWER_BYTES:
            tally.whole += 1
        else:
            tally.faults["words or sound"] += 1
    else:
        tally.faults[f"turns {counts}"] += 1
    await client.leave()


async def measure(kills: int, at_once: int, seed: int = 1) -> Tally:
    tally, chance = Tally(), random.Random(seed)
    speech = [utterance.pcm24k + bytes(48_000) for utterance in utterances()[:8]]
    places = asyncio.Semaphore(at_once)

    async def turn(number: int, url: str) -> None:
        async with places:
            try:
                await one_turn(url, speech[number % len(speech)], random.Random(chance.random()), tally)
            except AssertionError as error:
                tally.faults[str(error)[:80]] += 1

    async with running_server(playback_lead_s=60.0) as server:
        url = f"{server.ws}/v1/realtime"
        await asyncio.gather(*(turn(number, url) for number in range(kills // KILLS_IN_A_TURN)))
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=8)
    options = parser.parse_args()
    print("Machine:", describe())
    tally = asyncio.run(measure(options.kills, options.at_once))
    print(f"{tally.kills} connections killed, {tally.resumed} resumed ({tally.resumed / tally.kills:.1%})")
    print(f"{tally.turns} turns, {tally.whole} without a lost or repeated word; faults: {dict(tally.faults)}")
    print("connection to resumed, ms:", Percentiles.of(tally.took_ms).shown())


if __name__ == "__main__":
    main()
