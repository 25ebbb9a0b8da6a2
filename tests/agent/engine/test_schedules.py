"""Random schedules of many conversations: every answer is transformers' own, and nothing is left behind."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agent.api import AssistantMessage, AudioPart, Message, TextPart, UserMessage
from agent.engine import kv_cache, scheduler
from agent.engine.core import Job
from agent.engine.scheduler import Purpose
from tests.agent.engine.speech_models import Bench, Reference, noise, transformers_tiny

N_CONVERSATIONS = 4
MAX_TOKENS = 6

# What may be said: few enough things that transformers answers each history once for many schedules.
UTTERANCES = (
    UserMessage((AudioPart(noise(1, 0.3)),)),
    UserMessage((AudioPart(noise(2, 0.9)),)),
    UserMessage((TextPart("Hm?"),)),
    UserMessage((AudioPart(noise(1, 0.3)), TextPart("What?"))),
)

conversations = st.integers(0, N_CONVERSATIONS - 1)
utterances = st.integers(0, len(UTTERANCES) - 1)
asks = st.tuples(st.just("ask"), conversations, utterances)
interrupts = st.tuples(st.just("interrupt"), conversations, st.integers(0, 3))
warms = st.tuples(st.just("warm"), conversations, utterances)
besides = st.tuples(st.just("beside"), conversations, utterances)
steps = st.tuples(st.just("steps"), st.integers(1, 12), st.just(0))
evicts = st.tuples(st.just("evict"), st.just(0), st.just(0))
# Most of what happens is that someone speaks and time passes; the rest happens to answers in progress.
schedules = st.lists(
    st.one_of(asks, asks, steps, steps, interrupts, warms, besides, evicts), min_size=8, max_size=24
)


@dataclass
class Conversation:
    history: list[Message] = field(default_factory=list)
    job: Job | None = None


class World:
    """A core, and the conversations as a gateway would keep them."""

    def __init__(self, reference: Reference) -> None:
        # Small: answers wait for room, and what is kept is evicted.
        self.bench = Bench(n_blocks=44, block_size=16, batch_max=3, prefill_tokens=24)
        self.reference = reference
        self.conversations = [Conversation() for _ in range(N_CONVERSATIONS)]
        self.finished: list[tuple[Job, tuple[Message, ...], bool]] = []
        self.asked: dict[Job, tuple[Message, ...]] = {}

    def do(self, what: str, number: int, choice: int) -> None:
        match what:
            case "ask":
                self.ask(self.conversations[number], f"c{number}", UTTERANCES[choice])
            case "interrupt":
                self.interrupt(self.conversations[number], choice)
            case "warm":
                history = (*self.conversations[number].history, UTTERANCES[choice])
                if self.conversations[number].job is None:
                    self.bench.submit(self.bench.job(f"c{number}", history, purpose=Purpose.WARM))
            case "beside":  # out of band: it shares the conversation's name, and little else
                self.submit(f"c{number}", (UTTERANCES[choice],))
            case "evict":
                self.bench.cache.clear()
            case "steps":
                for _ in range(number):
                    self.bench.step()
                    self.settle()

    def submit(self, name: str, messages: tuple[Message, ...]) -> Job:
        job = self.bench.ask(name, messages, MAX_TOKENS)
        self.asked[job] = messages
        return job

    def ask(self, conversation: Conversation, name: str, utterance: UserMessage) -> None:
        if conversation.job is not None:
            self.interrupt(conversation, 1)
        conversation.history = [*conversation.history[-4:], utterance]
        conversation.job = self.submit(name, tuple(conversation.history))

    def interrupt(self, conversation: Conversation, heard: int) -> None:
        job, conversation.job = conversation.job, None
        if job is None:
            return
        self.bench.core.abort(job)
        text = self.bench.text(self.bench.answers[job][:heard])
        conversation.history.append(AssistantMessage(text or "."))

    def settle(self) -> None:
        for conversation in self.conversations:
            job = conversation.job
            if job is not None and job in self.bench.ended:
                conversation.job = None
                conversation.history.append(AssistantMessage(self.bench.text(self.bench.answers[job]) or "."))

    def check(self) -> None:
        for job, messages in self.asked.items():
            truth = self.reference.tokens(messages, MAX_TOKENS)
            answer = self.bench.answers[job]
            if job in self.bench.ended:
                assert self.bench.ended[job] is None
                assert answer == truth
            else:  # interrupted: what was said until then
                assert answer == truth[: len(answer)]
        sequences = self.bench.cache._sequences
        assert not any(sequence.in_use for sequence in sequences)
        held = [block for sequence in sequences for block in sequence.blocks]
        assert sorted([*held, *self.bench.cache._pool.free]) == list(range(44))


def run(schedule: list[tuple[str, int, int]], reference: Reference) -> None:
    world = World(reference)
    for what, number, choice in schedule:
        world.do(what, number, choice)
    world.bench.run(most=2000)
    world.settle()
    world.check()


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(transformers_tiny())


def run_many(reference: Reference, examples: int) -> None:
    @given(schedule=schedules)
    @settings(
        max_examples=examples,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
    )
    def all_schedules(schedule: list[tuple[str, int, int]]) -> None:
        run(schedule, reference)

    all_schedules()


def test_every_answer_of_every_schedule_is_exact(reference: Reference) -> None:
    run_many(reference, examples=200)


# Planted bugs: each of them makes some of these schedules fail ------------------------------------------


def _forget_to_roll_back(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = kv_cache._common
    monkeypatch.setattr(
        kv_cache, "_common", lambda one, other: min(len(one), len(other), honest(one, other) + 3)
    )


def _keep_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler.KVCache, "_trim", lambda self, sequence: sequence.blocks.clear())


def _forget_to_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = scheduler.KVCache.lease

    def lease(self: kv_cache.KVCache, *prompt: object) -> object:
        found = honest(self, *prompt)  # type: ignore[arg-type]
        return found and kv_cache.Lease(found.sequence)

    monkeypatch.setattr(scheduler.KVCache, "lease", lease)


def _mix_up_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.engine import clips

    monkeypatch.setattr(clips.Clips, "_first_key", lambda self, clip: 100_000)


def _never_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler.KVCache, "release", lambda self, sequence: None)


@pytest.mark.parametrize(
    "bug", [_forget_to_roll_back, _keep_blocks, _forget_to_copy, _mix_up_clips, _never_release]
)
def test_planted_bugs_die(
    bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, reference: Reference
) -> None:
    bug(monkeypatch)
    with pytest.raises(Exception):  # noqa: B017, PT011 - wrong answers, lost blocks or a core that stands still
        run_many(reference, examples=60)
