"""Many answers in one batch: who joins, how much of whose prompt is read, who decodes. No tensors here.

One step = what to compute (`plan`), the model's pass over it, and what came of it (`took`). All that
decode go on in every step; beside them, prompts are read in chunks of a budget, so that no prompt
holds up the others' next word for longer than the budget takes.
"""

import enum
from collections import deque
from dataclasses import dataclass, field

from agent.engine.batch import Chunk
from agent.engine.kv_cache import Copy, Keys, KVCache, Sequence


class Purpose(enum.Enum):
    ANSWER = "answer"
    WARM = "warm"
    """Only the prompt is read, while nobody waits for it."""


@dataclass(slots=True, eq=False)
class Generation:
    """One answer, or one prompt to be read ahead. tokens: what was decoded so far.

    is_ready: whether all that its prompt holds can be computed; until then it keeps its place.
    """

    conversation_id: str
    prompt: Keys
    max_tokens: int
    stop_ids: frozenset[int]
    purpose: Purpose = Purpose.ANSWER
    sequence: Sequence | None = None
    tokens: list[int] = field(default_factory=list)
    n_cached: int = 0
    is_ready: bool = True
    is_over: bool = False

    @property
    def room(self) -> int:
        """Positions beyond the prompt: the last token of an answer is never fed back."""
        return max(0, self.max_tokens - 1)

    @property
    def n_prompt_left(self) -> int:
        assert self.sequence is not None
        return max(0, len(self.prompt) - self.sequence.n_filled)


@dataclass(frozen=True, slots=True)
class Joined:
    """A generation has its place in the cache; `copy` has to be done before the next pass."""

    generation: Generation
    copy: Copy | None


@dataclass(frozen=True, slots=True)
class Plan:
    """chunks[i] belongs to generations[i]."""

    generations: tuple[Generation, ...]
    chunks: tuple[Chunk, ...]

    @property
    def wanting(self) -> tuple[Generation, ...]:
        """Whose chunks want logits, in order."""
        return tuple(
            generation
            for generation, chunk in zip(self.generations, self.chunks, strict=True)
            if chunk.wants_logits
        )


class Scheduler:
    """Owned by one thread, as its cache is.

    batch_max: answers that decode at the same time. prefill_tokens: of prompts, per step.
    """

    def __init__(self, cache: KVCache, batch_max: int, prefill_tokens: int) -> None:
        self._cache = cache
        self._batch_max = batch_max
        self._prefill_tokens = prefill_tokens
        self._waiting: deque[Generation] = deque()
        self._running: list[Generation] = []

    @property
    def n_running(self) -> int:
        return len(self._running)

    @property
    def n_waiting(self) -> int:
        return len(self._waiting)

    def submit(self, generation: Generation) -> None:
        """An answer ends the reading ahead of its conversation, and goes on from where that is."""
        self.end_warming(generation.conversation_id)
        self._waiting.append(generation)

    def end_warming(self, conversation_id: str) -> None:
        for other in [*self._running, *self._waiting]:
            if other.purpose is Purpose.WARM and other.conversation_id == conversation_id:
                self.end(other)

    def end(self, generation: Generation) -> None:
        """Free its place; what it computed stays in the cache for the next turn. Idempotent."""
        generation.is_over = True
        if generation in self._waiting:
            self._waiting.remove(generation)
        if generation in self._running:
            self._running.remove(generation)
            assert generation.sequence is not None
            self._cache.release(generation.sequence)

    def fail(self, generation: Generation) -> None:
        """As `end`, for one whose last pass broke: what the cache holds of it is not to be trusted."""
        generation.is_over = True
        if generation in self._running:
            self._running.remove(generation)
            assert generation.sequence is not None
            self._cache.discard(generation.sequence)
        elif generation in self._waiting:
            self._waiting.remove(generation)

    def join(self) -> Joined | None:
        """Give the next one that waits its place, if there is room for it. Raises JoinError."""
        if not self._waiting or len(self._running) >= self._batch_max:
            return None
        generation = next((g for g in self._waiting if g.purpose is Purpose.ANSWER), self._waiting[0])
        try:
            lease = self._cache.lease(generation.conversation_id, generation.prompt, generation.room)
        except MemoryError as error:
            self.fail(generation)
            raise JoinError(generation, str(error)) from error
        if lease is None:
            return None
        self._waiting.remove(generation)
        self._running.append(generation)
        generation.sequence = lease.sequence
        generation.n_cached = lease.sequence.n_filled
        return Joined(generation, lease.copy)

    def plan(self) -> Plan:
        """What the next pass computes: one token of each that decodes, and prompts up to the budget.

        Answers' prompts come before what is read ahead, each kind in the order of its coming.
        """
        generations: list[Generation] = []
        chunks: list[Chunk] = []
        budget = self._prefill_tokens
        reading = [
            generation for generation in self._running if generation.is_ready and generation.n_prompt_left > 0
        ]
        for generation in self._running:
            if generation.n_prompt_left == 0 and generation.tokens:
                generations.append(generation)
                chunks.append(self._decoding(generation))
        for generation in sorted(reading, key=lambda generation: generation.purpose is Purpose.WARM):
            if budget <= 0:
                break
            count = min(budget, generation.n_prompt_left)
            budget -= count
            generations.append(generation)
            chunks.append(self._reading(generation, count))
        return Plan(tuple(generations), tuple(chunks))

    def took(self, generation: Generation, token: int) -> bool:
        """A token was decoded; return whether the answer goes on."""
        if token not in generation.stop_ids:
            generation.tokens.append(token)
        if token in generation.stop_ids or len(generation.tokens) >= generation.max_tokens:
            self.end(generation)
            return False
        return True

    def _decoding(self, generation: Generation) -> Chunk:
        sequence = generation.sequence
        assert sequence is not None
        start = sequence.n_filled
        sequence.append(generation.tokens[-1])
        blocks = self._cache.blocks(sequence, start + 1)
        return Chunk(sequence.keys[start : start + 1], start, blocks, wants_logits=True)

    def _reading(self, generation: Generation, count: int) -> Chunk:
        sequence = generation.sequence
        assert sequence is not None
        start = sequence.n_filled
        end = start + count
        sequence.keys[start:end] = generation.prompt[start:end]
        sequence.n_filled = end
        is_last = end == len(generation.prompt)
        wants_logits = is_last and generation.purpose is Purpose.ANSWER
        return Chunk(sequence.keys[start:end], start, self._cache.blocks(sequence, end), wants_logits)


class JoinError(Exception):
    """A generation can never have a place. It has been taken out already."""

    def __init__(self, generation: Generation, message: str) -> None:
        super().__init__(message)
        self.generation = generation
