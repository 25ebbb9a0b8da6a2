"""What fuzzing (`make fuzz`) broke once stays mended; and every target takes what it starts from."""

import asyncio
import logging
import random

import pytest

from tests.fuzz.child import run_once
from tests.fuzz.mutate import bytes_changed, in_lines, in_parts, json_changed
from tests.fuzz.target import Live, Pure, kept, load, names, packed, parts_of
from tests.fuzz.watch import Broken, pulse, watching

PURE = [name for name in names() if isinstance(load(name), Pure)]
LIVE = [name for name in names() if isinstance(load(name), Live)]
ROUNDS = 30


@pytest.mark.parametrize("name", PURE)
def test_what_broke_once_stays_mended_in(name: str) -> None:
    target = load(name)
    assert isinstance(target, Pure)
    with watching() as watch:
        for data in kept(name) + target.seeds():
            run_once(target, watch, data)


@pytest.mark.parametrize("name", LIVE)
async def test_what_broke_once_stays_mended_over_real_sockets_in(name: str) -> None:
    """The seeds, of which there are many, are a sample here."""
    target = load(name)
    assert isinstance(target, Live)
    sample = random.Random(name).sample(target.seeds(), min(ROUNDS, len(target.seeds())))
    with watching() as watch:
        asyncio.get_running_loop().set_exception_handler(watch.on_loop)
        async with pulse(watch), target.opened() as attack:
            for data in kept(name) + sample:
                await attack(data)
                watch.check(data)
        watch.check(b"")


def test_the_same_seed_gives_the_same_mutations() -> None:
    data = packed(b"one", b'{"two": [1, 2]}')
    for mutate in (bytes_changed, json_changed, in_parts(bytes_changed), in_lines(json_changed)):
        first, second = (
            [mutate(data, chance) for _ in range(20)] for chance in (random.Random(3), random.Random(3))
        )
        assert first == second
        assert any(one != data for one in first)


def test_an_input_of_several_messages_is_read_as_it_was_written() -> None:
    assert parts_of(packed(b"", b"a", b"bc")) == [b"", b"a", b"bc"]
    assert parts_of(packed(b"abc")[:-1]) == [b"ab"]


def _say_it() -> None:
    logging.getLogger("parlour.session").warning("odd", extra={"why": "what somebody said, all of it"})


def test_a_log_with_the_words_of_an_input_is_a_finding() -> None:
    with watching() as watch:
        _say_it()
        with pytest.raises(Broken, match="logged words"):
            watch.check(b"..what somebody said, all of it..")
        _say_it()
        watch.check(b"something else")


async def test_an_exception_that_nobody_catches_is_a_finding() -> None:
    with watching() as watch:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(watch.on_loop)
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(0)
        with pytest.raises(Broken, match="ZeroDivisionError"):
            watch.check(b"")
