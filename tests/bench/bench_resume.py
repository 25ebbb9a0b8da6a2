"""A thousand connections killed at every step of a spoken turn: how many sessions go on without a lost or
repeated word.

    python -m tests.bench.bench_resume [--kills 1000] [--only TRANSPORT] [--at-once N]

Users speak and hear in real time. A word is lost when some of its sound never came out of the loudspeaker,
and repeated when all of it came twice; each turn is to be one turn, with one answer, whose text is told once.
"""

import argparse
import asyncio
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiomqtt import MqttError

from tests.bench import report
from tests.bench.machine import describe
from tests.bench.stats import Percentiles
from tests.peers.base import Event, Peer
from tests.peers.place import TRANSPORTS, Place, place
from tests.peers.recital import SENTENCE_MS, heard_twice, recital, sentences
from tests.speech import utterance

SHARES = {"websocket": 0.4, "webrtc": 0.3, "mqtt": 0.3}
AT_ONCE = {"websocket": 16, "webrtc": 4, "mqtt": 12}
N_SENTENCES = 3
QUESTIONS = ("cards_001", "cards_003", "cards_004", "lecture_12")
LEAD_S = 0.5  # so that the answer is made while it is heard
LOST_MS = 60.0
"""Less is how exactly a recording of Opus says where it ends."""
SETTLES_WITHIN_S = 15.0
STILL_S = 1.0
"""When nothing was heard for so long, no more of an answer comes."""

SESSION, SPEECH = "parlour.resume_token", "input_audio_buffer.speech_started"
IN_SPEECH = "in mid-sentence"
BEGINNING = (
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
)
FIRST_SOUND = "first sound"
IN_ANSWER = "in mid-answer"
RESUMING = "resuming"
END = (
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
)
HEARD = "heard to its end"
PHASES = ((SESSION, SPEECH, IN_SPEECH), BEGINNING, (FIRST_SOUND, IN_ANSWER, RESUMING), (*END, HEARD))
"""A turn is killed once in each, one step after the other."""


@dataclass
class Step:
    kills: int = 0
    resumed: int = 0
    lost: int = 0
    repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # ended cleanly, and why
    faults: Counter[str] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)
    again_ms: list[float] = field(default_factory=list)  # sound that came out twice; below 0: never
    over_ms: list[float] = field(default_factory=list)  # of its turns: where the answer ended


Tally = defaultdict[str, Step]


class Turn:
    """One user's spoken turn, and its answer."""

    def __init__(self, peer: Peer, chance: random.Random, tally: Tally) -> None:
        self._peer = peer
        self._chance = chance
        self._tally = tally
        self._item_id = ""
        self._began_ms = 0.0  # where in the answer this peer's own record begins, by the server's word

    async def run(self, steps: Sequence[str]) -> None:
        peer = self._peer
        await peer.begin(**sentences(N_SENTENCES))
        question = utterance(self._chance.choice(QUESTIONS))
        speaking = asyncio.create_task(peer.speak(question), name="user")
        killed: list[Step] = []
        try:
            for name in steps:
                if await self._reached(name):
                    killed.append(self._tally[name])
                    if not await self._kill(name, killed[-1]):
                        return
            await speaking
            await self._settled()
            for step in killed:
                step.over_ms.append(self._over_ms)
            fault = await self._fault()
        except (AssertionError, TimeoutError, OSError, MqttError) as error:
            fault = f"{type(error).__name__}: {error}"[:120]
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
        if fault:
            for step in killed:
                step.faults[fault] += 1

    async def _reached(self, name: str) -> bool:
        """Wait for that moment of the turn. False when it has passed while nobody was connected."""
        peer = self._peer
        match name:
            case "in mid-sentence":
                await peer.until(SPEECH)
                await asyncio.sleep(self._chance.uniform(0.05, 0.4))
            case "first sound":
                await self._heard(20)
            case "in mid-answer" | "resuming":
                await self._heard(self._chance.uniform(400, 1_700))
            case "heard to its end":
                await self._heard(N_SENTENCES * SENTENCE_MS - LOST_MS)
            case _:
                async with asyncio.timeout(SETTLES_WITHIN_S):
                    await peer.wait(lambda: peer.of(name) or self._is_heard, name)
                return bool(peer.of(name))
        return True

    async def _kill(self, name: str, step: Step) -> bool:
        """And come back. False when the session is over."""
        peer, loop = self._peer, asyncio.get_running_loop()
        step.kills += 1
        await peer.kill()
        if name == RESUMING:
            await peer.knock()
        started = loop.time()
        resumed = await peer.resume()
        if resumed["type"] != "parlour.resumed":
            step.refused[resumed["error"]["code"]] += 1
            return False
        step.took_ms.append((loop.time() - started) * 1000)
        step.resumed += 1
        self._goes_on(resumed, step)
        return True

    def _goes_on(self, resumed: Event, step: Step) -> None:
        for playing in resumed["playing"] if self._tells_anew(resumed) else ():
            self._item_id = playing["item_id"]
            heard_ms = self._began_ms + self._peer.heard_before_ms[self._item_id]
            again_ms = heard_ms - playing["heard_ms"]
            self._began_ms = playing["heard_ms"] - self._peer.heard_before_ms[self._item_id]
            step.again_ms.append(again_ms)
            step.lost += -again_ms > LOST_MS
            step.repeated += heard_twice(playing["heard_ms"], heard_ms) > 0

    def _tells_anew(self, resumed: Event) -> bool:
        """Its sound begins where the server says; else the peer goes on with what it has."""
        return self._peer.is_played_for or not resumed["replayed"]

    async def _settled(self) -> None:
        """Wait until nothing more is heard."""
        await self._peer.until("response.done")
        await self._heard(LOST_MS)
        heard_ms = 0.0
        while heard_ms < self._position_ms:
            heard_ms = self._position_ms
            await asyncio.sleep(STILL_S)

    async def _fault(self) -> str:
        """What is wrong with the turn as a whole; "" for nothing."""
        peer = self._peer
        if abs(self._over_ms) > LOST_MS:
            return f"{self._over_ms:+.0f} ms of sound"
        if peer.words(self._item_id) != recital(N_SENTENCES):
            return "words"
        if len(peer.answers()) != 1:
            return f"{len(peer.answers())} answers"
        for kind in ("input_audio_buffer.committed", "response.created", "response.done"):
            if len(peer.of(kind)) != 1:
                return f"{len(peer.of(kind))} times {kind}"
        return ""

    async def _heard(self, ms: float) -> None:
        self._item_id = await self._peer.answer()
        async with asyncio.timeout(SETTLES_WITHIN_S):
            await self._peer.wait(lambda: self._position_ms >= ms, f"{ms:.0f} ms of sound")

    @property
    def _position_ms(self) -> float:
        if not self._item_id and self._peer.answers():
            self._item_id = self._peer.answers()[0]
        return self._began_ms + self._peer.heard_ms[self._item_id]

    @property
    def _over_ms(self) -> float:
        return self._position_ms - N_SENTENCES * SENTENCE_MS

    @property
    def _is_heard(self) -> bool:
        return self._position_ms >= N_SENTENCES * SENTENCE_MS - LOST_MS


async def measure(transport: str, kills: int, at_once: int, seed: int = 1) -> Tally:
    tally: Tally = defaultdict(Step)
    places, chance = asyncio.Semaphore(at_once), random.Random(seed)

    async def turn(there: Place, number: int, chance: random.Random) -> None:
        async with places:
            peer = there.peer(transport)
            await Turn(peer, chance, tally).run([phase[number % len(phase)] for phase in PHASES])
            await peer.close()

    with tempfile.TemporaryDirectory() as folder:
        settings = {"playback_lead_s": LEAD_S}
        async with place(Path(folder), transport, **settings) as there, asyncio.TaskGroup() as tasks:
            for number in range(-(-kills // len(PHASES))):
                own = random.Random(chance.random())
                tasks.create_task(turn(there, number, own), name=f"turn {number}")
    return tally


def row(transport: str, name: str, step: Step) -> dict[str, Any]:
    return {
        "transport": transport,
        "step": name,
        "kills": step.kills,
        "resumed": step.resumed,
        "lost": step.lost,
        "repeated": step.repeated,
        "refused": dict(step.refused),
        "faults": dict(step.faults),
        "ms": Percentiles.of(step.took_ms).shown(0),
        "lost_ms": round(max([0.0, *(-ms for ms in step.again_ms)])),
        "again_ms": Percentiles.of(step.again_ms).shown(0),
        "short_ms": round(max([0.0, *(-ms for ms in step.over_ms)])),
    }


def together(steps: Sequence[Step]) -> Step:
    whole = Step()
    for step in steps:
        whole.kills += step.kills
        whole.resumed += step.resumed
        whole.lost += step.lost
        whole.repeated += step.repeated
        whole.refused += step.refused
        whole.faults += step.faults
        whole.took_ms += step.took_ms
        whole.again_ms += step.again_ms
        whole.over_ms += step.over_ms
    return whole


def table(rows: Sequence[dict[str, Any]]) -> str:
    columns = ["transport", "step", "kills", "resumed", "lost", "repeated", "refused", "faults"]
    columns += ["p50 ms", "p95", "p99", "lost ms at most", "twice p95 ms", "short ms at most"]
    cells = [
        [
            *(one[name] for name in columns[:6]),
            sum(one["refused"].values()),
            sum(one["faults"].values()),
            *(one["ms"][rank] for rank in ("p50", "p95", "p99")),
            one["lost_ms"],
            one["again_ms"]["p95"],
            one["short_ms"],
        ]
        for one in rows
    ]
    return report.table("Connections killed and resumed", columns, cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000, help="in all, by shares of the transports")
    parser.add_argument("--only", choices=TRANSPORTS)
    parser.add_argument("--at-once", type=int, help="connections side by side")
    options = parser.parse_args()
    facts = describe()
    print(f"Machine: {facts}\n", flush=True)
    rows: list[dict[str, Any]] = []
    for transport in (options.only,) if options.only else TRANSPORTS:
        kills = round(options.kills * SHARES[transport])
        tally = asyncio.run(measure(transport, kills, options.at_once or AT_ONCE[transport]))
        order = [name for phase in PHASES for name in phase]
        found = [row(transport, name, tally[name]) for name in order if name in tally]
        found.append(row(transport, "all", together(list(tally.values()))))
        print(table(found))
        for one in found[:-1]:
            if one["faults"] or one["refused"]:
                print(one["step"], one["faults"], one["refused"])
        print(flush=True)
        rows += found
    print(report.save("resume", {"machine": facts, "results": rows}))


if __name__ == "__main__":
    main()
