"""A run that is killed at random, again and again, ends as one that was not: nothing lost or repeated."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from evaluation.record import Record
from evaluation.run.appended_lines import whole_lines
from evaluation.run.run_folder import records
from tests.evaluation.run.scripted_server import Asked, Script, ScriptedServer, rightly, scripted_server
from tests.waiting import unless_it_hangs

ROOT = Path(__file__).parents[3]
N_SAMPLES, N_KILLS, IN_FLIGHT_MAX = 250, 50, 8


class Runs:
    """Starts runs, one at a time, and kills them."""

    def __init__(self, forker: asyncio.subprocess.Process) -> None:
        self._forker = forker
        self._pid: int | None = None

    async def tell(self, *told: object) -> None:
        assert self._forker.stdin is not None
        self._forker.stdin.write(json.dumps(told).encode() + b"\n")
        await self._forker.stdin.drain()

    async def start(self, *arguments: str) -> None:
        await self.tell(*arguments)
        self._pid = int(await self._answer("started"))

    async def ended(self) -> int:
        status = int(await self._answer("ended"))
        self._pid = None
        return status

    def kill(self) -> None:
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)

    async def _answer(self, what: str) -> str:
        assert self._forker.stdout is not None
        async with unless_it_hangs(f"{what} of a run"):
            line = await self._forker.stdout.readline()
        word, _, value = line.decode().partition(" ")
        assert word == what, line
        return value


@asynccontextmanager
async def _forking(clips: Path) -> AsyncIterator[Runs]:
    forker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.evaluation.run.fork_runs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    runs = Runs(forker)
    try:
        await runs.tell(str(clips), N_SAMPLES)
        yield runs
    finally:
        runs.kill()
        assert forker.stdin is not None
        forker.stdin.close()
        await forker.wait()


def _arguments(server: ScriptedServer, out: Path) -> list[str]:
    chat = ["--route", "chat", "--url", server.url, "--model", "m"]
    return ["run", "few", "--out", str(out), *chat, "--in-flight-max", str(IN_FLIGHT_MAX)]


def _answered(out: Path) -> set[str]:
    lines = (msgspec.json.decode(line, type=Record) for _, line in whole_lines(out / "records.jsonl"))
    return {record.sample_id for record in lines if record.answer is not None}


async def test_a_run_killed_fifty_times_has_the_records_of_one_that_was_not(tmp_path: Path) -> None:
    drawn = random.Random(50)
    asked_twice_at_most = 0
    async with scripted_server() as server, _forking(tmp_path / "clips") as runs:
        await runs.start(*_arguments(server, tmp_path / "whole"))
        assert await runs.ended() == 0
        assert len(server.asked) == N_SAMPLES
        server.asked.clear()

        killed = 0
        while killed < N_KILLS:
            before, n_asked = _answered(tmp_path / "killed"), len(server.asked)
            server.script = _killing(runs, n_asked + drawn.randrange(1, 8), drawn)
            await runs.start(*_arguments(server, tmp_path / "killed"))
            assert await runs.ended() == -signal.SIGKILL
            killed += 1
            of_this_life = [one.sample_id for one in server.asked[n_asked:]]
            assert len(set(of_this_life)) == len(of_this_life)
            assert not before & set(of_this_life), "what was answered and kept has been asked again"
            in_flight = set(of_this_life) - _answered(tmp_path / "killed")
            assert len(in_flight) <= IN_FLIGHT_MAX, "more was lost than was in flight"
            asked_twice_at_most += len(in_flight)

        server.script = rightly
        await runs.start(*_arguments(server, tmp_path / "killed"))
        assert await runs.ended() == 0
        assert len(server.asked) == N_SAMPLES + asked_twice_at_most
        assert asked_twice_at_most > N_KILLS / 2  # it was killed at its work
    whole, resumed = records(tmp_path / "whole"), records(tmp_path / "killed")
    assert [_timeless(record) for record in resumed] == [_timeless(record) for record in whole]
    assert all(record.response == record.reference for record in whole)


def _killing(runs: Runs, number: int, drawn: random.Random) -> Script:
    """Kill the run when the request of that number comes, or some turns of the event loop later."""

    async def script(asked: Asked) -> None:
        if asked.number == number:
            for _ in range(drawn.randrange(0, 6)):
                await asyncio.sleep(0)
            runs.kill()
        elif asked.number > number:
            await asyncio.sleep(0)

    return script


def _timeless(record: Record) -> Record:
    assert record.answer is not None
    return msgspec.structs.replace(
        record, answer=msgspec.structs.replace(record.answer, ttft_s=None, total_s=None)
    )
