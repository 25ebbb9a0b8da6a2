"""Trying again: how long to wait, and when to stop."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.errors import EvaluationError
from evaluation.routes.route import Failure
from evaluation.run.asking import LONGEST_WAIT_S, Patience, asked, wait_s
from evaluation.run.limiter import Answered, Limiter
from evaluation.run.permits import Permits

BUSY = Failure("HTTP 429", is_transient=True, is_overload=True)
REFUSED = Failure("HTTP 400")


@given(st.integers(1, 30), st.none() | st.floats(0, 1_000), st.floats(0, 1))
def test_a_wait_is_bounded_spread_and_never_shorter_than_asked(
    n_failed: int, retry_after_s: float | None, drawn: float
) -> None:
    waited_s = wait_s(n_failed, retry_after_s, lambda: drawn)
    assert 0.25 <= waited_s <= max(LONGEST_WAIT_S, (retry_after_s or 0) + 1)
    assert retry_after_s is None or waited_s >= retry_after_s


def test_requests_that_failed_together_do_not_come_back_together() -> None:
    uniform = random.Random(1).random
    waits = [wait_s(3, 2.0, uniform) for _ in range(50)]
    assert len(set(waits)) == 50


async def _tried(*outcomes: Failure | str, retries: int = 8) -> tuple[list[Failure | str], int, list[float]]:
    script, waited = list(outcomes), list[float]()

    async def ask() -> list[Failure | str]:
        return [script.pop(0)]

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    permits = Permits(Limiter(4))
    result, n_failed = await asked(ask, permits, lambda: 0.0, retries, sleep)
    assert permits.limiter.in_flight == 0
    return result, n_failed, waited


async def test_what_may_pass_is_tried_again_and_counted() -> None:
    assert await _tried(BUSY, BUSY, "yes") == (["yes"], 2, [0.25, 0.5])


async def test_what_is_refused_for_good_is_not_tried_again() -> None:
    assert await _tried(REFUSED) == ([REFUSED], 0, [])


async def test_the_last_failure_is_told_when_the_tries_are_used_up() -> None:
    outcome, n_failed, waited = await _tried(*[BUSY] * 4, retries=3)
    assert (outcome, n_failed, len(waited)) == ([BUSY], 3, 3)


async def test_a_bug_gives_its_place_back() -> None:
    permits = Permits(Limiter(1))

    async def ask() -> list[str | Failure]:
        raise KeyError

    with pytest.raises(KeyError):
        await asked(ask, permits, lambda: 0.0)
    assert permits.limiter.in_flight == 0


async def test_who_gives_up_waiting_takes_no_place() -> None:
    permits = Permits(Limiter(1))
    first = await permits.take()
    waiting = asyncio.create_task(permits.take())
    await asyncio.sleep(0)
    permits.give_back(first, Answered())
    waiting.cancel()  # its place has just been given to it
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert permits.limiter.in_flight == 0


def test_a_server_that_answers_nothing_more_ends_the_run() -> None:
    patience = Patience(3)
    patience.seen(None)
    for _ in range(2):
        patience.seen(BUSY)
    patience.seen(None)
    for _ in range(2):
        patience.seen(BUSY)
    with pytest.raises(EvaluationError, match="3 questions in a row failed, the last because HTTP 429"):
        patience.seen(BUSY)


def test_questions_that_are_refused_one_by_one_do_not_end_a_run_that_works() -> None:
    patience = Patience(3)
    patience.seen(None)
    for _ in range(10):
        patience.seen(REFUSED)


def test_a_wrong_key_ends_the_run_before_all_questions_were_asked() -> None:
    patience = Patience(3)
    for _ in range(2):
        patience.seen(REFUSED)
    with pytest.raises(EvaluationError):
        patience.seen(REFUSED)
