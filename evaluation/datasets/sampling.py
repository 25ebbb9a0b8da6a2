"""A part of a benchmark, drawn at random, and the same on every machine."""

import hashlib
import heapq
from collections.abc import Sequence

from evaluation.errors import EvaluationError
from evaluation.sample import Sample


def limited(samples: Sequence[Sample], n: int, seed: int = 0) -> list[Sample]:
    """`n` of the samples (or all, where there are no more), in their order.

    Which ones depends on their ids and the seed alone: not on their order, and a smaller sample lies within a
    larger one. So a run with `--limit 500` has all answers of one with `--limit 100`.
    """
    if n < 1:
        raise EvaluationError(f"expected a limit of at least 1 sample, got {n}")
    chosen = heapq.nsmallest(n, ((_drawn(one.sample_id, seed), at) for at, one in enumerate(samples)))
    return [samples[at] for at in sorted(at for _, at in chosen)]


def _drawn(sample_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{sample_id}".encode()).digest()
