"""One forward pass: pieces of several conversations, side by side. What the scheduler tells the model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.engine.kv_cache import Keys


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens of one conversation that are computed in this pass, at positions start to start + len(keys).

    blocks: of the KV cache, enough for all positions up to the chunk's end, in their order.
    wants_logits: whether the output after its last token is asked for.
    """

    keys: Keys
    start: int
    blocks: tuple[int, ...]
    wants_logits: bool

    @property
    def end(self) -> int:
        return self.start + len(self.keys)


def slots_of(blocks: tuple[int, ...] | list[int], block_size: int, start: int, end: int) -> NDArray[np.int64]:
    """Where in the pool the positions from start to end lie: (end - start,)."""
    positions = np.arange(start, end)
    return np.asarray(blocks, np.int64)[positions // block_size] * block_size + positions % block_size
