"""After a barge-in: the last word in the history, against what the listener's side recorded.

    python -m tests.bench.bench_heard [--cases 40] [--at-once 6] [--only TRANSPORT]

The scripted agent recites, a recorded utterance interrupts it at a random moment, and the peer's own record
tells how much came out: what its loudspeaker played, or what came over RTP and was decoded. The history's
side is what `conversation.item.retrieve` gives and what the agent was given for its next answer.
"""

import argparse
import asyncio
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.api import AssistantMessage
from tests.bench import report
from tests.bench.machine import describe
from tests.bench.stats import Percentiles
from tests.peers.base import Peer
from tests.peers.place import TRANSPORTS, Place, place
from tests.peers.recital import end_of_words_ms, words_heard
from tests.speech import utterance

WAYS = (*TRANSPORTS, "websocket, truncating")
IN_A_CONVERSATION = 5
INTO_ANSWER_MS = (300, 3_500)
INTERRUPTIONS = ("cards_001", "cards_003", "cards_004", "lecture_12")


@dataclass(frozen=True, slots=True)
class Case:
    """heard_ms: the listener's record. kept_ms, kept: what the history keeps. given: to the agent."""

    heard_ms: float
    kept_ms: float
    kept: str
    given: str

    @property
    def position_ms(self) -> float:
        return abs(self.kept_ms - self.heard_ms)

    @property
    def last_word_ms(self) -> float:
        """From the end of the history's last word to the end of the recording."""
        return abs(self.heard_ms - end_of_words_ms(len(self.kept.split())))

    @property
    def words_off(self) -> int:
        """Whole words that the history has too many or too few."""
        return abs(len(self.kept.split()) - words_heard(self.heard_ms))


async def converse(there: Place, peer: Peer, count: int, chance: random.Random) -> list[Case]:
    """Each barge-in's own answer is what the next one interrupts."""
    await peer.begin()
    session_id = (await peer.until("session.created"))["session"]["id"]
    await peer.ask()
    cases = []
    for n in range(1, count + 1):
        item_id = await peer.answer(n)
        await peer.hears(item_id, chance.uniform(*INTO_ANSWER_MS))
        await peer.speak(utterance(chance.choice(INTERRUPTIONS)))
        await peer.answer(n + 1)
        kept = await peer.history(item_id)
        asked = [request for request in there.agent.requests if request.session_id == session_id]
        given = [one.text for one in asked[-1].messages if isinstance(one, AssistantMessage)]
        cases.append(Case(peer.heard_ms[item_id], position_of(peer, item_id), kept, given[-1]))
    await peer.close()
    return cases


def position_of(peer: Peer, item_id: str) -> float:
    """What the server told of it last."""
    told = [
        event["audio_end_ms"]
        for event in peer.events
        if event["type"] in ("parlour.heard", "conversation.item.truncated") and event["item_id"] == item_id
    ]
    return float(told[-1])


async def measure(way: str, count: int, at_once: int, seed: int = 1) -> list[Case]:
    places, chance = asyncio.Semaphore(at_once), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        async with place(Path(folder), way) as there, asyncio.TaskGroup() as tasks:

            async def one(chance: random.Random) -> list[Case]:
                async with places:
                    return await converse(there, there.peer(way), IN_A_CONVERSATION, chance)

            n_conversations = -(-count // IN_A_CONVERSATION)
            running = [
                tasks.create_task(one(random.Random(chance.random())), name="conversation")
                for _ in range(n_conversations)
            ]
            found = await asyncio.gather(*running)
    return [case for cases in found for case in cases]


def summary(way: str, cases: Sequence[Case]) -> dict[str, Any]:
    return {
        "transport": way,
        "position_ms": Percentiles.of([case.position_ms for case in cases]).shown(),
        "last_word_ms": Percentiles.of([case.last_word_ms for case in cases]).shown(),
        "words_off": sum(case.words_off for case in cases),
        "disagree": sum(case.kept != case.given for case in cases),
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    columns = ["transport", "what", "n", "p50", "p95", "p99", "max", "words off", "agent was given otherwise"]
    rows = [
        [result["transport"], what, *result[name].values(), result["words_off"], result["disagree"]]
        for result in results
        for what, name in (("position", "position_ms"), ("last word", "last_word_ms"))
    ]
    return report.table("History against the listener's own record after a barge-in, ms", columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=40, help="for each transport")
    parser.add_argument("--at-once", type=int, default=6)
    parser.add_argument("--only", choices=WAYS)
    options = parser.parse_args()
    facts = describe()
    print(f"Machine: {facts}\n", flush=True)
    ways = (options.only,) if options.only else WAYS
    results = [summary(way, asyncio.run(measure(way, options.cases, options.at_once))) for way in ways]
    print(table(results))
    print(report.save("heard", {"machine": facts, "results": results}))


if __name__ == "__main__":
    main()
