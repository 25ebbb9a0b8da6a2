"""What the engine does besides answering right: free places, bounded stalls, faults kept where they are."""

import random
from collections.abc import Sequence

import pytest
import torch

from agent.api import AssistantMessage
from agent.engine.batch import Chunk
from agent.engine.clips import Clip
from agent.engine.model_runner import Audio, ModelRunner
from agent.engine.sampling import SamplingParams
from agent.engine.scheduler import Purpose
from tests.agent.engine.speech_models import Bench, spoken, typed


def places(bench: Bench) -> tuple[int, int, int]:
    """Running, waiting, and sequences in use."""
    scheduler = bench.core._scheduler
    return (
        scheduler.n_running,
        scheduler.n_waiting,
        sum(sequence.in_use for sequence in bench.cache._sequences),
    )


def test_an_abort_frees_the_place_before_the_next_step() -> None:
    bench = Bench(batch_max=1)
    first = bench.ask("a", [spoken(1)], 30)
    bench.until(first, 1)
    second = bench.ask("b", [typed("Hello")], 2)
    bench.core.abort(first)
    assert places(bench) == (0, 1, 0)
    bench.step()
    assert second.generation is not None
    assert second.generation.sequence is not None
    assert bench.core._scheduler.n_running == 1
    bench.run()
    assert bench.ended == {second: None}


def test_a_thousand_random_aborts_leak_nothing() -> None:
    bench = Bench(n_blocks=64, batch_max=4, prefill_tokens=32)
    chance = random.Random(5)
    messages = [[spoken(seed, 0.3)] for seed in range(5)] + [[typed("Hm" * length)] for length in range(1, 6)]
    prompts = [bench.job("x", history, 6).prompt for history in messages]
    running = []
    for number in range(1000):
        job = bench.job("x", messages[0], 6)
        job.prompt = chance.choice(prompts)
        job.conversation_id = f"conversation {number % 7}"
        job.purpose = chance.choice([Purpose.ANSWER, Purpose.ANSWER, Purpose.WARM])
        running.append(bench.submit(job))
        if chance.random() < 0.5:
            bench.step()
        bench.core.abort(running.pop(chance.randrange(len(running))))
    for job in running:
        bench.core.abort(job)
    bench.run()
    assert places(bench) == (0, 0, 0)
    assert not bench.core._jobs
    assert not bench.core._to_encode
    held = [block for sequence in bench.cache._sequences for block in sequence.blocks]
    assert sorted([*held, *bench.cache._pool.free]) == list(range(64))


def test_a_long_prompt_holds_up_nobody_for_longer_than_the_budget() -> None:
    """While 2,000 tokens are read, whoever decodes gets a token in every step."""
    widths: list[int] = []

    class Watching(ModelRunner):
        def forward(self, chunks: Sequence[Chunk], audio: Sequence[Sequence[Audio]]) -> torch.Tensor:
            widths.append(sum(len(chunk.keys) for chunk in chunks))
            return super().forward(chunks, audio)

    bench = Bench(prefill_tokens=40)
    bench.core._runner.__class__ = Watching
    decoding = bench.ask("a", [typed("Hello")], 40)
    decoding.generation.stop_ids = frozenset()  # type: ignore[union-attr] - it must not end early
    bench.until(decoding, 1)
    long = bench.ask("b", [typed("word " * 250)], 2)
    before = len(bench.answers[decoding])
    steps = 0
    while not bench.answers[long] and long not in bench.ended:
        bench.step()
        steps += 1
    assert steps >= 30
    assert len(bench.answers[decoding]) - before == steps
    assert max(widths) <= 41


def test_out_of_memory_fails_the_one_that_asked_for_too_much() -> None:
    class Small(ModelRunner):
        def forward(self, chunks: Sequence[Chunk], audio: Sequence[Sequence[Audio]]) -> torch.Tensor:
            if any(len(chunk.keys) > 100 for chunk in chunks):
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(chunks, audio)

    alone = Bench().answer("a", [spoken(1)], 12)
    bench = Bench(prefill_tokens=500)
    mine = bench.ask("a", [spoken(1)], 12)
    bench.until(mine, 2)
    bench.core._runner.__class__ = Small
    big = bench.ask("b", [typed("word " * 60)], 4)
    bench.run()
    failure = bench.ended[big]
    assert failure is not None
    assert failure.code == "agent_out_of_memory"
    assert bench.ended[mine] is None
    assert bench.answers[mine] == alone
    assert places(bench) == (0, 0, 0)


def test_out_of_memory_on_a_clip_fails_its_own_answer_only() -> None:
    bench = Bench()
    encode = bench.core._encode
    chosen = bench.job("b", [spoken(2)])

    def small(clip: Clip) -> torch.Tensor:
        if clip.digest == next(piece for piece in chosen.prompt.pieces if isinstance(piece, Clip)).digest:
            raise MemoryError
        return encode(clip)

    bench.core._encode = small
    other = bench.ask("a", [spoken(1)])
    bench.submit(chosen)
    bench.run()
    assert bench.ended[other] is None
    assert bench.ended[chosen].code == "agent_out_of_memory"


def test_a_bug_in_a_step_is_told_and_the_next_answer_works(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ModelRunner):
        def forward(self, chunks: Sequence[Chunk], audio: Sequence[Sequence[Audio]]) -> torch.Tensor:
            raise RuntimeError("shape of the secret words")

    bench = Bench()
    bench.core._runner.__class__ = Broken
    job = bench.ask("a", [typed("Secret")])
    bench.run()
    assert bench.ended[job].code == "agent_error"
    assert "secret" not in f"{bench.ended[job].message} {caplog.text}".lower()
    bench.core._runner.__class__ = ModelRunner
    again = bench.ask("a", [typed("Secret")])
    bench.run()
    assert bench.ended[again] is None


def test_what_can_never_fit_is_refused_and_the_others_go_on() -> None:
    bench = Bench(n_blocks=16)
    big = bench.ask("a", [typed("x" * 300)], 4)
    small = bench.ask("b", [typed("x")], 4)
    bench.run()
    assert bench.ended[big].code == "agent_out_of_memory"
    assert bench.ended[small] is None


def test_the_least_recently_used_conversation_is_evicted() -> None:
    bench = Bench(n_blocks=24)
    for name in ("a", "b"):
        bench.answer(name, [typed(f"I am {name}. " * 8)], 2)
    bench.answer("a", [typed("I am a. " * 8), AssistantMessage("Hm."), typed("?")], 2)
    bench.answer("c", [typed("I am c. " * 8)], 2)  # there is no room for a third
    kept = {sequence.conversation_id for sequence in bench.cache._sequences}
    assert kept == {"a", "c"}


def test_seeds_give_the_same_answer_whoever_else_is_there() -> None:
    sampling_params = SamplingParams(temperature=1.0, top_k=50, top_p=0.9, seed=11)
    alone = Bench().answer("a", [spoken(1)], 12, sampling_params=sampling_params)
    bench = Bench()
    for number in range(3):
        bench.ask(f"other {number}", [spoken(number)], 12, sampling_params=SamplingParams(temperature=1.0))
    mine = bench.ask("a", [spoken(1)], 12, sampling_params=sampling_params)
    bench.run()
    assert bench.answers[mine] == alone
    others = {
        tuple(Bench().answer("a", [spoken(1)], 12, sampling_params=SamplingParams(1.0, seed=n)))
        for n in range(4)
    }
    assert len(others) > 1
