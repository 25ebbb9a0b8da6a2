"""Which conversation's keys and values lie where in the KV cache. Bookkeeping only: no tensors here.

The cache is a pool of blocks, each of `block_size` positions. A `Sequence` owns the blocks of one
conversation. It stays after its answer, so that the next turn computes only what is new; where
memory is short, the one that was not used for the longest time goes.

Tokens are named by keys: a text token by its id, the n-th embedding of a clip of audio by a number
that no other clip has. Equal keys from the start on mean equal keys and values.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
"""(n_tokens,), each the name of what stands there."""

COPY_LEAST = 16
"""Positions: a shorter prefix of another conversation is computed again sooner than it is found."""


@dataclass(slots=True, eq=False)
class Sequence:
    """The positions of one conversation.

    keys: (capacity,), of which the first `n_filled` have their keys and values in the cache.
    blocks: in the order of positions. in_use: an answer is working on it.
    """

    conversation_id: str
    keys: Keys
    blocks: list[int]
    n_filled: int = 0
    in_use: bool = True
    last_used: int = 0

    def append(self, key: int) -> None:
        """Name the next position; its keys and values are then about to be computed."""
        self.keys[self.n_filled] = key
        self.n_filled += 1


@dataclass(frozen=True, slots=True)
class Copy:
    """The first `n_positions` of `source` have to be copied to the same positions of the new sequence."""

    source: Sequence
    n_positions: int


@dataclass(slots=True)
class Lease:
    """sequence: its first `n_filled` positions need no computing, once `copy` is done."""

    sequence: Sequence
    copy: Copy | None = None


@dataclass(slots=True)
class BlockPool:
    """Free blocks. Hands out neighbours where it can: they are read without being gathered."""

    n_blocks: int
    free: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.free = set(range(self.n_blocks))

    def take(self, count: int, after: int | None) -> list[int]:
        """Return `count` blocks, following block `after` where that is free. There must be enough."""
        taken: list[int] = []
        while len(taken) < count:
            block = after + 1 if after is not None and after + 1 in self.free else self._start_of_a_run(count)
            self.free.remove(block)
            taken.append(block)
            after = block
        return taken

    def _start_of_a_run(self, count: int) -> int:
        """A block with `count` free ones from it on, else the start of the longest run."""
        best, best_length = -1, 0
        for start, length in self._runs():
            if length >= count:
                return start
            if length > best_length:
                best, best_length = start, length
        return best

    def _runs(self) -> Iterator[tuple[int, int]]:
        start = previous = None
        for block in sorted(self.free):
            if start is None or previous is None:
                start = block
            elif block != previous + 1:
                yield start, previous - start + 1
                start = block
            previous = block
        if start is not None and previous is not None:
            yield start, previous - start + 1


class KVCache:
    """Leases sequences to answers. One thread owns it."""

    def __init__(self, n_blocks: int, block_size: int) -> None:
        self.block_size = block_size
        self._pool = BlockPool(n_blocks)
        self._sequences: list[Sequence] = []
        self._clock = 0

    @property
    def n_positions(self) -> int:
        return self._pool.n_blocks * self.block_size

    @property
    def n_free_positions(self) -> int:
        return len(self._pool.free) * self.block_size

    def lease(self, conversation_id: str, prompt: Keys, room: int) -> Lease | None:
        """Find or make a sequence that begins as `prompt` does and holds it and `room` positions more.

        At least the last token of the prompt is left to compute: its output is the first answer.
        Returns None when answers in progress hold the memory: try again when one ends.
        Raises MemoryError when it would not fit into an empty cache.
        """
        capacity = len(prompt) + room
        n_blocks = -(-capacity // self.block_size)
        if n_blocks > self._pool.n_blocks:
            raise MemoryError(f"{capacity} tokens do not fit into a KV cache of {self.n_positions}")
        best, common = self._longest_prefix(conversation_id, prompt[:-1])
        if best is not None and self._may_take_over(best, conversation_id, common):
            return self._taken_over(best, prompt, common, capacity, n_blocks)
        copied = best if best is not None and common >= COPY_LEAST else None
        if not self._make_room(n_blocks, spared=copied):
            copied = None
            if not self._make_room(n_blocks, spared=None):
                return None
        sequence = self._new(conversation_id, capacity, self._pool.take(n_blocks, None))
        if copied is None:
            return Lease(sequence)
        sequence.keys[:common] = prompt[:common]
        sequence.n_filled = common
        self._touch(copied)
        return Lease(sequence, Copy(copied, common))

    def release(self, sequence: Sequence) -> None:
        """An answer is done with it, or gave up: what it computed stays for the next turn."""
        sequence.in_use = False
        self._touch(sequence)
        self._trim(sequence)
        if sequence.n_filled == 0:
            self._forget(sequence)

    def discard(self, sequence: Sequence) -> None:
        """What it holds cannot be trusted."""
        self._forget(sequence)

    def clear(self) -> None:
        """Drop all that no answer works on."""
        for sequence in [sequence for sequence in self._sequences if not sequence.in_use]:
            self._forget(sequence)

    def blocks(self, sequence: Sequence, end: int) -> tuple[int, ...]:
        """Those that hold the positions before `end`."""
        return tuple(sequence.blocks[: -(-end // self.block_size)])

    # SamplingParams -------------------------------------------------------------------------------

    def _longest_prefix(self, conversation_id: str, prompt: Keys) -> tuple[Sequence | None, int]:
        """The sequence that shares the most with the prompt; of equals, one that may be taken over."""
        best: tuple[int, bool, Sequence] | None = None
        for sequence in self._sequences:
            common = _common(sequence.keys[: sequence.n_filled], prompt)
            ours = not sequence.in_use and sequence.conversation_id == conversation_id
            if best is None or (common, ours) > best[:2]:
                best = common, ours, sequence
        return (best[2], best[0]) if best is not None else (None, 0)

    def _may_take_over(self, sequence: Sequence, conversation_id: str, common: int) -> bool:
        """Whether it is the same conversation going on, so that what it held beyond is of no more use.

        An answer beside the conversation shares its beginning at most, and gets a copy.
        """
        ours = sequence.conversation_id == conversation_id and not sequence.in_use
        return ours and common > 0 and 2 * common >= sequence.n_filled

    def _taken_over(
        self, sequence: Sequence, prompt: Keys, common: int, capacity: int, n_blocks: int
    ) -> Lease | None:
        sequence.n_filled = common  # rolled back: what lies beyond was said otherwise, or not at all
        self._trim(sequence)
        missing = n_blocks - len(sequence.blocks)
        if missing > 0:
            if not self._make_room(missing, spared=sequence):
                return None
            sequence.blocks += self._pool.take(missing, sequence.blocks[-1] if sequence.blocks else None)
        sequence.keys = np.concatenate(
            [sequence.keys[:common], np.zeros(capacity - common, np.int64)], dtype=np.int64
        )
        sequence.in_use = True
        self._touch(sequence)
        return Lease(sequence)

    def _make_room(self, n_blocks: int, spared: Sequence | None) -> bool:
        """Forget the least recently used until there is room. Forgets nothing when that would not help."""
        idle = [sequence for sequence in self._sequences if not sequence.in_use and sequence is not spared]
        if len(self._pool.free) + sum(len(sequence.blocks) for sequence in idle) < n_blocks:
            return False
        for sequence in sorted(idle, key=lambda sequence: sequence.last_used):
            if len(self._pool.free) >= n_blocks:
                break
            self._forget(sequence)
        return True

    # Keeping --------------------------------------------------------------------------------

    def _new(self, conversation_id: str, capacity: int, blocks: list[int]) -> Sequence:
        sequence = Sequence(conversation_id, np.zeros(capacity, np.int64), blocks)
        self._sequences.append(sequence)
        self._touch(sequence)
        return sequence

    def _trim(self, sequence: Sequence) -> None:
        """Give back the blocks beyond what is filled."""
        needed = -(-sequence.n_filled // self.block_size)
        self._pool.free.update(sequence.blocks[needed:])
        del sequence.blocks[needed:]

    def _forget(self, sequence: Sequence) -> None:
        self._sequences.remove(sequence)
        self._pool.free.update(sequence.blocks)
        sequence.blocks, sequence.n_filled = [], 0

    def _touch(self, sequence: Sequence) -> None:
        self._clock += 1
        sequence.last_used = self._clock


def _common(one: Keys, other: Keys) -> int:
    """How many keys the two share from the start on."""
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    return int(different[0]) if len(different) else length
