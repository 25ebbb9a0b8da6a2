"""Waits that hang say so, and lateness is measured."""

import asyncio
import threading

import pytest

from tests import waiting
from tests.waiting import Lateness, News, polled, unless_it_hangs


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "HANGS_S", 0.02)


@pytest.mark.usefixtures("impatient")
async def test_what_never_comes_is_named() -> None:
    for wait in (News().until, polled):
        with pytest.raises(AssertionError, match="never came: rain in May"):
            await wait(lambda: False, lambda: "rain in May")


@pytest.mark.usefixtures("impatient")
async def test_a_time_out_of_what_is_waited_for_is_not_taken_for_a_hang() -> None:
    with pytest.raises(TimeoutError):
        async with unless_it_hangs("anything"):
            raise TimeoutError


def test_a_wait_that_hangs_ends_before_its_test_does(pytestconfig: pytest.Config) -> None:
    assert float(pytestconfig.getini("timeout")) > waiting.HANGS_S


async def test_all_who_wait_look_again_at_each_news() -> None:
    news, come = News(), list[str]()
    waits = [asyncio.create_task(news.until(lambda n=n: len(come) >= n, "it")) for n in (1, 2)]
    for what in ("one", "two"):
        come.append(what)
        news()
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*waits)


async def test_a_loop_that_stood_still_is_allowed_for() -> None:
    async with Lateness() as lateness:
        await asyncio.sleep(0)  # it has begun
        threading.Event().wait(0.1)  # on the loop, as whatever keeps it from running
        await polled(lambda: lateness.worst_ms >= 80, "the lateness")
        assert lateness.allowed_ms(200) >= 360
