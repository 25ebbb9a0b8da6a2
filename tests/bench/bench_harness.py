"""How busy `parlour eval run` keeps a server, beside a plain `asyncio.gather` with a semaphore of 8.

    python -m tests.bench.bench_harness [--quick] [--checkpoint FOLDER]

Servers with a known number of places tell themselves how much of them was in use. Parlour's own gateway with
the scripted agent, and with a checkpoint, cannot: what they can is the best of several fixed numbers in
flight, measured here too. Latencies are a request's, at the client. The harness keeps its records on disk
meanwhile.
"""

import argparse
import asyncio
import io
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from evaluation.record import Answer
from evaluation.routes.chat_server import ChatServer
from evaluation.routes.openai_server import wav
from evaluation.routes.route import Failure, Question
from evaluation.run.limiter import Limiter
from evaluation.run.progress import Progress
from evaluation.run.run_folder import RunFolder, records
from evaluation.run.runner import Runner
from evaluation.sample import Sample
from tests.bench import machine, report
from tests.bench.stats import Percentiles
from tests.e2e.serving import serving
from tests.evaluation.run.few_samples import read_clip

MOST = 128
SEMAPHORE = 8
CLIP_S = 2.0
ROUNDS = 3

MakeRoute = Callable[[], ChatServer]


@dataclass(frozen=True, slots=True)
class Load:
    """One way to ask, and what came of it. busy: as the server says, None where it cannot tell."""

    name: str
    n: int
    per_s: float
    latency_ms: Percentiles
    busy: float | None = None
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Capacity:
    name: str
    flags: tuple[str, ...]
    n: int


CAPACITIES = (
    Capacity("32 places, a queue", ("--places", "32", "--service-ms", "300"), 3_200),
    Capacity(
        "32 places, then 429",
        ("--places", "32", "--service-ms", "600", "--room", "0", "--retry-after-s", "1"),
        3_200,
    ),
    Capacity("4 places, a queue", ("--places", "4", "--service-ms", "100"), 600),
)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a third of the requests")
    parser.add_argument("--checkpoint", help="a folder with a Qwen2-Audio, served by Parlour, too")
    options = parser.parse_args()
    facts = machine.describe()
    print(f"Machine: {facts}\n", flush=True)
    results: dict[str, Any] = {"machine": facts}
    with tempfile.TemporaryDirectory() as folder:
        samples = _clips(Path(folder) / "clips", 3_200)
        for capacity in CAPACITIES:
            n = capacity.n // 3 if options.quick else capacity.n
            async with _capacity_server(*capacity.flags) as url:
                loads = await _beside(url, "m", samples[:n], Path(folder), asks_server=True)
            _show(capacity.name, loads, results)
        n = 600 if options.quick else 2_000
        async with serving("--model", "scripted") as url:
            await _until_ready(url)
            # In turns: what else the machine does hits all alike.
            rounds = [
                await _beside(url, "scripted", samples[:n], Path(folder), fixed=(2, 4, 8, 16, 32))
                for _ in range(ROUNDS)
            ]
        loads = [_median(alike) for alike in zip(*rounds, strict=True)]
        _show(f"parlour serve --model scripted (medians of {ROUNDS})", loads, results)
        if options.checkpoint:
            async with serving("--model", options.checkpoint) as url:
                await _until_ready(url)
                loads = await _beside(url, options.checkpoint, samples[:128], Path(folder), fixed=(8, 16, 32))
            _show("parlour serve --model CHECKPOINT", loads, results)
    print(report.save("harness", results))


async def _beside(
    url: str,
    model: str,
    samples: Sequence[Sample],
    folder: Path,
    fixed: Sequence[int] = (SEMAPHORE,),
    asks_server: bool = False,
) -> list[Load]:
    """The harness, then each fixed number in flight; the latter with a quarter of the requests."""

    def route() -> ChatServer:
        return ChatServer(url, model, max_tokens=16)

    loads = [await _harness(route, samples, folder / f"run {time.monotonic_ns()}")]
    if asks_server:
        loads = [await _told(url, loads[0])]
    for n_in_flight in fixed:
        some = samples[: len(samples) // 4]
        load = await _gathered(route, some, n_in_flight)
        loads.append(await _told(url, load) if asks_server else load)
    return loads


def _median(loads: Sequence[Load]) -> Load:
    return sorted(loads, key=lambda load: load.per_s)[len(loads) // 2]


async def _harness(route: MakeRoute, samples: Sequence[Sample], out: Path) -> Load:
    began_at = time.monotonic()
    limiter = Limiter(MOST)
    with RunFolder(out) as folder:
        async with route() as opened:
            folder.put_samples(samples)
            progress = Progress({"bench": len(samples)}, out=io.StringIO())
            await Runner(opened, folder, read_clip, limiter, progress).answer_all(samples)
    wall_s = time.monotonic() - began_at
    answers = [record.answer for record in records(out) if record.answer is not None]
    assert len(answers) == len(samples)
    latencies = [1000 * answer.total_s for answer in answers if answer.total_s is not None]
    retries = sum(record.retries for record in records(out))
    name = f"parlour eval run (limit {limiter.limit} in the end)"
    return Load(name, len(samples), len(samples) / wall_s, Percentiles.of(latencies), refused=retries)


async def _gathered(route: MakeRoute, samples: Sequence[Sample], n_in_flight: int) -> Load:
    """What one writes without a harness: no retries, no records."""
    places = asyncio.Semaphore(n_in_flight)
    began_at = time.monotonic()
    async with route() as opened:

        async def one(sample: Sample) -> Answer | Failure:
            async with places:
                return (await opened.ask([Question(sample, read_clip(sample.audio).pcm)]))[0]

        outcomes = await asyncio.gather(*map(one, samples))
    wall_s = time.monotonic() - began_at
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    latencies = [1000 * answer.total_s for answer in answers if answer.total_s is not None]
    return Load(
        f"gather, {n_in_flight} at once",
        len(samples),
        len(answers) / wall_s,
        Percentiles.of(latencies),
        refused=len(outcomes) - len(answers),
    )


async def _told(url: str, load: Load) -> Load:
    async with httpx.AsyncClient() as client:
        told = (await client.get(f"{url}/busy")).json()
    return Load(load.name, load.n, load.per_s, load.latency_ms, told["busy"], told["refused"])


def _show(title: str, loads: Sequence[Load], results: dict[str, Any]) -> None:
    best = max(load.per_s for load in loads[1:])
    plain = next(load for load in loads if load.name == f"gather, {SEMAPHORE} at once")
    rows = [
        (
            load.name,
            load.n,
            load.per_s,
            None if load.busy is None else 100 * load.busy,
            *(load.latency_ms.p50, load.latency_ms.p95, load.latency_ms.p99),
            load.refused,
            f"{load.per_s / plain.per_s:.2f}",
            f"{load.per_s / best:.2f}",
        )
        for load in loads
    ]
    columns = (
        "",
        "n",
        "answers/s",
        "busy %",
        "p50 ms",
        "p95",
        "p99",
        "refused",
        "to gather 8",
        "to the best",
    )
    print(report.table(title, columns, rows) + "\n", flush=True)
    results[title] = [
        {"name": load.name, "n": load.n, "per_s": round(load.per_s, 2), "busy": load.busy}
        | {"latency_ms": load.latency_ms.shown(), "refused": load.refused}
        for load in loads
    ]


def _clips(folder: Path, n: int) -> list[Sample]:
    folder.mkdir()
    noise = np.random.default_rng(1)
    samples = []
    for number in range(n):
        path = folder / f"{number}.wav"
        path.write_bytes(wav(noise.normal(0, 0.05, int(16_000 * CLIP_S)).astype(np.float32)))
        samples.append(
            Sample(
                sample_id=str(number),
                benchmark="bench",
                audio=str(path),
                source="bench",
                prompt=f"What is number {number}?",
                reference="yes",
            )
        )
    return samples


@asynccontextmanager
async def _capacity_server(*flags: str) -> AsyncIterator[str]:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.capacity_server", *flags), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        yield (await server.stdout.readline()).decode().strip()
    finally:
        server.terminate()
        await server.wait()


async def _until_ready(url: str) -> None:
    async with httpx.AsyncClient() as client:
        while (await client.get(f"{url}/readyz")).status_code != 200:
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main())
