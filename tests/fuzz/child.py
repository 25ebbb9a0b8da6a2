"""One target, fuzzed in this process; the last line of stdout is its result as JSON.

Functions are fuzzed with Atheris (libFuzzer: it keeps the inputs that reach new code) where it is installed,
and else, as live servers always are, by mutation of seeds.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.fuzz.findings import Findings
from tests.fuzz.mutate import bytes_changed
from tests.fuzz.target import CORPUS, Live, Pure, kept, load
from tests.fuzz.watch import Watch, pulse, timed, watching
from tests.peers.pace import Paced

INSTRUMENTED = [
    "realtime",
    "agent",
    "aioice",
    "aiortc",
    "aiomqtt",
    "python_multipart",
    "starlette.formparsers",
]
HANG_S = 20
MEMORY_MB = 2048
POOL_MAX = 400


class Tally:
    def __init__(self, name: str, seconds: float) -> None:
        self.findings = Findings(name)
        self.executions = 0
        self.began = time.monotonic()
        self._seconds = seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() - self.began >= self._seconds

    def send(self, way: str) -> None:
        seconds = time.monotonic() - self.began
        broke = [
            {"what": one.text, "times": one.times, "input": one.path.name}
            for one in self.findings.found.values()
        ]
        told = {"way": way, "executions": self.executions, "seconds": seconds, "broke": broke}
        print(json.dumps(told), flush=True)


def run_once(target: Pure, watch: Watch, data: bytes) -> None:
    """Raises whatever is a finding."""
    with timed():
        target.run(data)
    watch.check(data)


def guided(name: str, seconds: float, seed: int) -> None:
    """Ends the process: libFuzzer has no other way out."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        target = load(name)
    assert isinstance(target, Pure)
    tally = Tally(name, seconds)
    with watching() as watch, tempfile.TemporaryDirectory() as folder:

        def one(data: bytes) -> None:
            if tally.is_over:
                tally.tell("atheris")
                os._exit(0)
            tally.executions += 1
            try:
                run_once(target, watch, data)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                tally.findings.note(error, data)

        def custom(data: bytes, bytes_max: int, number: int) -> bytes:
            chance = random.Random(number)
            if target.mutate is None or chance.random() < 0.5:
                return bytes(atheris.Mutate(data, bytes_max))
            return target.mutate(data, chance)[:bytes_max]

        grown, words = Path(folder) / "grown", Path(folder) / "words"
        grown.mkdir()
        for number, start in enumerate(target.seeds() + kept(name)):
            (grown / f"{number:04}").write_bytes(start)
        lines = ["".join(f"\\x{byte:02x}" for byte in word.encode()) for word in target.words]
        words.write_text("".join(f'"{line}"\n' for line in lines if line))
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        flags = [
            f"-seed={seed}",
            f"-max_len={target.bytes_max}",
            *([f"-dict={words}"] if target.words else []),
            f"-timeout={HANG_S}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-max_total_time={int(seconds) + 60}",
            f"-artifact_prefix={CORPUS / name}/",
            "-print_final_stats=0",
            "-reload=0",
        ]
        mutator: dict[str, Any] = {"custom_mutator": custom} if target.mutate else {}
        atheris.Setup([sys.argv[0], *flags, str(grown)], one, **mutator)
        atheris.Fuzz()


class Mutations:
    """Inputs without end, made of seeds: each is a seed, or one that was made before, changed."""

    def __init__(self, target: Pure | Live, name: str, seed: int) -> None:
        self._target = target
        self._chance = random.Random(seed)
        self._words = [word.encode() for word in target.words]
        self._seeds = target.seeds() + kept(name) or [b""]
        self._pool: list[bytes] = []

    def next(self) -> bytes:
        chance, target = self._chance, self._target
        data = chance.choice(self._pool if self._pool and chance.random() < 0.3 else self._seeds)
        if target.mutate is not None and chance.random() < 0.7:
            data = target.mutate(data, chance)
        else:
            data = bytes_changed(data, chance, self._words)
        data = data[: target.bytes_max]
        if len(self._pool) < POOL_MAX:
            self._pool.append(data)
        else:
            self._pool[chance.randrange(POOL_MAX)] = data
        return data


def mutated(name: str, target: Pure, seconds: float, seed: int) -> None:
    tally, inputs = Tally(name, seconds), Mutations(target, name, seed)
    with watching() as watch:
        while not tally.is_over:
            data = inputs.next()
            tally.executions += 1
            try:
                run_once(target, watch, data)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                tally.findings.note(error, data)
    tally.tell("mutation")


async def attacked(name: str, target: Live, seconds: float, seed: int) -> None:
    """A server that broke is begun anew, so that each finding stands by itself."""
    tally, inputs = Tally(name, seconds), Mutations(target, name, seed)
    with watching() as watch:
        asyncio.get_running_loop().set_exception_handler(watch.on_loop)
        while not tally.is_over:
            data = b""
            try:
                async with pulse(watch), target.opened() as attack:
                    paced = Paced()
                    while not tally.is_over:
                        data = inputs.next()
                        tally.executions += 1
                        await attack(data)
                        watch.check(data)
                        await paced.after(1 / target.per_s)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                tally.findings.note(error, data)
                watch.forget()
    tally.tell("mutation, live")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--guided", action="store_true", help="by what an input reaches")
    options = parser.parse_args()
    if options.guided:
        guided(options.name, options.seconds, options.seed)
    target = load(options.name)
    if isinstance(target, Pure):
        mutated(options.name, target, options.seconds, options.seed)
    else:
        asyncio.run(attacked(options.name, target, options.seconds, options.seed))


if __name__ == "__main__":
    main()
