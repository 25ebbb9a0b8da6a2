"""Whole runs against a scripted server on a loopback socket."""

import asyncio
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, Response

from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes.chat_server import ChatServer
from evaluation.routes.route import Failure, Question, Route
from evaluation.run.limiter import Limiter
from evaluation.run.progress import Progress
from evaluation.run.run_folder import RunFolder, records, summary
from evaluation.run.runner import Runner
from evaluation.sample import Sample
from tests.evaluation.run.few_samples import make_samples, read_clip
from tests.evaluation.run.scripted_server import Asked, scripted_server


async def _run(samples: Sequence[Sample], route: Route, out: Path, most: int = 32, retries: int = 8) -> None:
    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    with RunFolder(out) as folder:
        async with route:
            folder.put_samples(samples)
            runner = Runner(
                route,
                folder,
                read_clip,
                Limiter(most),
                Progress({"few": len(samples)}),
                retries=retries,
                sleep=at_once,
            )
            await runner.answer_all(samples)


def _lose(sample: Sample) -> None:
    Path(sample.audio).unlink()


def _overwrite(sample: Sample, content: bytes) -> None:
    """With a sound of those bytes, unless it is no sound."""
    if content == b"no sound":
        Path(sample.audio).write_bytes(content)
        return
    with wave.open(sample.audio, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(content + b"\0" * (len(content) % 2))


def _right(samples: Sequence[Sample]) -> list[str]:
    return [sample.reference for sample in samples]


def _responses(out: Path) -> list[str]:
    return [record.response for record in records(out)]


async def test_all_samples_are_answered_whatever_the_order_of_the_answers(tmp_path: Path) -> None:
    samples = make_samples(tmp_path / "clips", 40)
    held = asyncio.Event()

    async def first_one_last(asked: Asked) -> None:
        if asked.sample_id == "0000":
            await held.wait()
        elif asked.number == 30:
            held.set()

    async with scripted_server(first_one_last) as server:
        await _run(samples, ChatServer(server.url, "m"), tmp_path / "run")
        assert len(server.asked) == 40
    assert _responses(tmp_path / "run") == _right(samples)
    written = (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    assert '"sample_id":"0000"' not in written[0]


async def test_a_server_that_takes_few_at_once_gets_all_of_them_in_the_end(tmp_path: Path) -> None:
    samples = make_samples(tmp_path / "clips", 60)

    async def three_at_once(asked: Asked) -> Response | None:
        if server.in_house > 3:
            return JSONResponse({}, 429, {"retry-after": "0"})
        await asyncio.sleep(0)
        return None

    async with scripted_server(three_at_once) as server:
        await _run(samples, ChatServer(server.url, "m"), tmp_path / "run", retries=50)
    assert _responses(tmp_path / "run") == _right(samples)
    assert sum(record.retries for record in records(tmp_path / "run")) == len(server.asked) - 60


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_what_a_server_cannot_do_just_now_is_asked_again(tmp_path: Path, status: int) -> None:
    samples = make_samples(tmp_path / "clips", 10)

    async def second_time(asked: Asked) -> Response | None:
        return JSONResponse({}, status) if asked.nth == 1 else None

    async with scripted_server(second_time) as server:
        await _run(samples, ChatServer(server.url, "m"), tmp_path / "run")
    assert _responses(tmp_path / "run") == _right(samples)
    assert {record.retries for record in records(tmp_path / "run")} == {1}


async def test_a_question_that_is_refused_is_a_failure_of_its_own_and_asked_again_by_the_next_run(
    tmp_path: Path,
) -> None:
    samples = make_samples(tmp_path / "clips", 10)
    has_changed_its_mind = False

    async def not_the_third(asked: Asked) -> Response | None:
        if asked.sample_id == "0003" and not has_changed_its_mind:
            return JSONResponse({"error": "too long"}, 400)
        return None

    async with scripted_server(not_the_third) as server:
        await _run(samples, ChatServer(server.url, "m"), tmp_path / "run")
        failed = records(tmp_path / "run")[3]
        assert "HTTP 400" in failed.error
        assert "too long" in failed.error
        of_few = summary(tmp_path / "run")["few"]
        assert (of_few.samples, of_few.answered, of_few.failed) == (10, 9, 1)
        has_changed_its_mind = True
        await _run(samples, ChatServer(server.url, "m"), tmp_path / "run")
        assert len(server.asked) == 11
    assert _responses(tmp_path / "run") == _right(samples)


async def test_a_server_that_falls_silent_is_given_up_and_asked_again(tmp_path: Path) -> None:
    samples = make_samples(tmp_path / "clips", 5)
    never = asyncio.Event()

    async def silent_at_first(asked: Asked) -> None:
        if asked.number == 0:
            await never.wait()

    async with scripted_server(silent_at_first) as server:
        await _run(samples, ChatServer(server.url, "m", silence_s=0.2), tmp_path / "run")
        never.set()
    assert _responses(tmp_path / "run") == _right(samples)


async def test_a_server_that_dies_ends_the_run_and_one_that_comes_back_goes_on(
    tmp_path: Path,
) -> None:
    samples = make_samples(tmp_path / "clips", 60)
    async with scripted_server() as server:
        await _run(samples[:20], ChatServer(server.url, "m"), tmp_path / "run")
        address = server.url
    with pytest.raises(EvaluationError, match="the server cannot be reached: what is answered is kept"):
        await _run(samples, ChatServer(address, "m"), tmp_path / "run", retries=1)
    assert summary(tmp_path / "run")["few"].answered == 20

    class SameServer(ChatServer):
        """It has come back at another port, which a test cannot help."""

        def description(self) -> Mapping[str, str | int | float | bool | None]:
            return {**super().description(), "url": f"{address}/v1"}

    async with scripted_server() as server:
        await _run(samples, SameServer(server.url, "m"), tmp_path / "run")
        assert len(server.asked) == 40
    assert _responses(tmp_path / "run") == _right(samples)


async def test_clips_that_cannot_be_read_fail_alone_and_say_which(tmp_path: Path) -> None:
    samples = make_samples(tmp_path / "clips", 6)
    _lose(samples[1])
    _overwrite(samples[2], b"no sound")
    async with scripted_server() as server:
        await _run(samples, ChatServer(server.url, "m"), tmp_path / "run")
        assert len(server.asked) == 4
        errors = [record.error for record in records(tmp_path / "run")]
        assert errors[1] == f"{samples[1].audio} is missing"
        assert errors[2] == f"{samples[2].audio} is damaged"
        make_samples(tmp_path / "clips", 6)
        await _run(samples, ChatServer(server.url, "m"), tmp_path / "run")
        assert len(server.asked) == 6
    assert _responses(tmp_path / "run") == _right(samples)


async def test_a_clip_that_has_changed_is_asked_again_and_one_that_is_gone_keeps_its_answer(
    tmp_path: Path,
) -> None:
    samples = make_samples(tmp_path / "clips", 4)
    async with scripted_server() as server:
        await _run(samples, ChatServer(server.url, "m"), tmp_path / "run")
        _lose(samples[0])
        _overwrite(samples[1], b"another sound")
        await _run(samples, ChatServer(server.url, "m"), tmp_path / "run")
        assert [one.sample_id for one in server.asked[4:]] == ["0001"]
    assert _responses(tmp_path / "run") == _right(samples)


async def test_a_bug_in_a_route_is_told_as_what_it_is(tmp_path: Path) -> None:
    class Broken(_Batches):
        async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await _run(make_samples(tmp_path / "clips", 3), Broken(), tmp_path / "run")


# Batches --------------------------------------------------------------------------------


class _Batches:
    """A Route in process: five at a time; the answer names the neighbours."""

    batch_size = 5
    in_flight_max = 1

    def __init__(self, ends_after: int | None = None) -> None:
        self.asked: list[list[str]] = []
        self._ends_after = ends_after

    async def __aenter__(self) -> "_Batches":
        return self

    async def __aexit__(self, *failure: object) -> None:
        pass

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        return {"route": "batches"}

    def request_shown(self, question: Question) -> str:
        return question.sample.prompt

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        if len(self.asked) == self._ends_after:
            raise EvaluationError("the machine is out of memory")
        names = [question.sample.sample_id for question in questions]
        self.asked.append(names)
        return [Answer(response=f"{name} of {' '.join(names)}") for name in names]


async def test_batches_are_neighbours_in_the_file_and_the_same_however_often_it_is_resumed(
    tmp_path: Path,
) -> None:
    samples = make_samples(tmp_path / "clips", 23)
    whole = _Batches()
    await _run(samples, whole, tmp_path / "whole")
    assert sorted(map(len, whole.asked)) == [3, 5, 5, 5, 5]
    with pytest.raises(EvaluationError, match="out of memory"):
        await _run(samples, _Batches(ends_after=3), tmp_path / "resumed")
    rest = _Batches()
    await _run(samples, rest, tmp_path / "resumed")
    assert len(rest.asked) == 2
    assert {tuple(names) for names in rest.asked} < {tuple(names) for names in whole.asked}
    assert _responses(tmp_path / "resumed") == _responses(tmp_path / "whole")


async def test_a_batch_of_which_one_is_missing_is_asked_again_whole(tmp_path: Path) -> None:
    samples = make_samples(tmp_path / "clips", 10)
    await _run(samples, _Batches(), tmp_path / "run")
    path = tmp_path / "run" / "records.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b'"sample_id":"0007"' not in line))
    again = _Batches()
    await _run(samples, again, tmp_path / "run")
    assert again.asked == [["0005", "0006", "0007", "0008", "0009"]]


async def test_a_batch_whose_clip_cannot_be_read_is_asked_without_it_and_once(tmp_path: Path) -> None:
    samples = make_samples(tmp_path / "clips", 5)
    _lose(samples[2])
    first, second = _Batches(), _Batches()
    await _run(samples, first, tmp_path / "run")
    await _run(samples, second, tmp_path / "run")
    assert first.asked == [["0000", "0001", "0003", "0004"]]
    assert second.asked == []
    assert summary(tmp_path / "run")["few"].failed == 1


async def test_batches_do_not_reach_over_the_end_of_a_benchmark(tmp_path: Path) -> None:
    samples = [*make_samples(tmp_path / "clips", 3), *make_samples(tmp_path / "clips", 3, benchmark="other")]
    route = _Batches()
    await _run(samples, route, tmp_path / "run")
    assert [len(names) for names in route.asked] == [3, 3]
