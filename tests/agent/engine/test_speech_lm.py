"""The engine as the rest of Parlour sees it: asyncio in front, a thread behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from agent.api import AgentError, Sampling, TextDelta
from agent.engine import speech_lm
from agent.engine.base import EngineDelta, EngineDone, EngineRequest
from agent.engine.speech_lm import SpeechLM
from tests.agent.engine.speech_models import GREEDY, Bench, Reference, spoken, transformers_tiny, typed
from tests.waiting import unless_it_hangs


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
async def engine(bench: Bench) -> AsyncIterator[SpeechLM]:
    engine = SpeechLM(bench.core, bench.prompts, bench.tokenizer.backend_tokenizer, GREEDY)
    yield engine
    await engine.aclose()


def request(*messages: object, name: str = "a", tokens: int = 12, **sampling: object) -> EngineRequest:
    return EngineRequest(name, "", messages, max_tokens=tokens, sampling=Sampling(**sampling))  # type: ignore[arg-type]


async def all_of(engine: SpeechLM, asked: EngineRequest) -> list[EngineDelta]:
    async with unless_it_hangs("the end of the answer"):
        return [delta async for delta in engine.generate(asked)]


def text_of(deltas: list[EngineDelta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_the_text_is_that_of_the_tokens(engine: SpeechLM, bench: Bench) -> None:
    deltas = await all_of(engine, request(spoken(1)))
    truth = bench.text(Reference(transformers_tiny()).tokens([spoken(1)], 12))
    # Bytes that are no whole character at the end of an answer are not said.
    assert text_of(deltas)
    assert truth.startswith(text_of(deltas).rstrip("\ufffd"))
    done = deltas[-1]
    assert isinstance(done, EngineDone)
    assert done.usage.input_audio_tokens == 12
    assert 0 < done.usage.output_text_tokens <= 12


async def test_the_next_turn_is_told_what_was_kept(engine: SpeechLM) -> None:
    await all_of(engine, request(spoken(1)))
    [*_, done] = await all_of(engine, request(spoken(1), typed("And?")))
    assert isinstance(done, EngineDone)
    assert done.usage.cached_tokens > 60


async def test_sixteen_at_once_are_answered(engine: SpeechLM) -> None:
    answers = await asyncio.gather(
        *(all_of(engine, request(spoken(n), name=f"c{n}", tokens=6)) for n in range(16))
    )
    assert all(isinstance(answer[-1], EngineDone) for answer in answers)


async def test_closing_frees_the_place(engine: SpeechLM, bench: Bench) -> None:
    async with aclosing(engine.generate(request(spoken(1), tokens=500))) as deltas:
        await anext(deltas)
    await all_of(engine, request(typed("Hello"), tokens=1))  # a later command is done after the abort
    assert bench.core._scheduler.n_running == 0
    assert not engine._answers
    assert not engine._stepper._takers


async def test_a_warm_that_is_cancelled_leaves_nothing(engine: SpeechLM, bench: Bench) -> None:
    warming = asyncio.create_task(engine.warm(request(spoken(2, 5.0))))
    await all_of(engine, request(typed("Hello"), name="b", tokens=1))
    warming.cancel()
    await asyncio.wait({warming})
    await all_of(engine, request(typed("Hello"), name="b", tokens=1))
    assert not engine._stepper._takers


async def test_what_was_warmed_is_not_read_again(engine: SpeechLM) -> None:
    await engine.warm(request(spoken(3, 2.0)))
    [*_, done] = await all_of(engine, request(spoken(3, 2.0), tokens=2))
    assert isinstance(done, EngineDone)
    assert done.usage.cached_tokens == done.usage.input_text_tokens + done.usage.input_audio_tokens - 1


async def test_too_many_are_refused(engine: SpeechLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_lm, "WAITING_ANSWERS", 0)
    with pytest.raises(AgentError) as refused:
        await all_of(engine, request(typed("Hello")))
    assert refused.value.code == "agent_overloaded"


async def test_a_stop_text_ends_the_answer(engine: SpeechLM) -> None:
    whole = text_of(await all_of(engine, request(spoken(1))))
    stop = whole[1:3]
    deltas = await all_of(engine, request(spoken(1), stop=(stop,)))
    assert text_of(deltas) == whole[: whole.index(stop)]
    assert deltas[-1].reason == "stop"  # type: ignore[union-attr]


async def test_sampling_that_cannot_be_is_the_requests_own_fault(engine: SpeechLM) -> None:
    with pytest.raises(AgentError) as refused:
        await all_of(engine, request(typed("Hello"), temperature=-1.0))
    assert refused.value.code == "invalid_value"


async def test_a_bug_between_steps_is_told_to_all_and_survived(
    engine: SpeechLM, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise LookupError("of secret words")

    with monkeypatch.context() as patch:
        patch.setattr(bench.core._scheduler, "plan", broken)
        with pytest.raises(AgentError) as failure:
            await all_of(engine, request(typed("Hello")))
    assert failure.value.code == "agent_error"
    assert "secret" not in failure.value.message
    assert isinstance((await all_of(engine, request(typed("Hello"))))[-1], EngineDone)
