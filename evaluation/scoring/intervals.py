"""How far a figure is from what another sample of the same kind would have given.

Percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 13.3) over utterances, or over
whole speakers: utterances of one speaker are alike, and an interval that takes them for independent is too
narrow. Accuracies have Wilson's score interval, which needs no resampling.
"""

import math
from collections.abc import Hashable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation.scoring.metric import Counts, Metric

N_RESAMPLES = 10_000
SEED = 0
LEVEL = 0.95
_CELLS = 1 << 21
"""Of one block of resamples: about 50 MB at the widest place, whatever the sample."""
_BINOMIAL_COST = 12
"""How many times as long one binomial draw takes as drawing and counting one index (measured, numpy 2.4)."""
_Z = 1.959963984540054
"""The normal distribution's 97.5th percentile."""


class Difference(msgspec.Struct, frozen=True):
    """B's figure less A's on the same samples, in the metric's own scale.

    p_value: two-sided, of no difference. samples_needed: about how many samples would show a difference
    of this size, where these cannot (the interval holds 0); None where they can, or there is none.
    """

    difference: float
    low: float
    high: float
    p_value: float
    samples_needed: int | None = None

    @property
    def is_shown(self) -> bool:
        return self.low > 0 or self.high < 0


def bootstrap(
    metric: Metric,
    counts: Counts,
    groups: Sequence[Hashable] | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> tuple[float, float]:
    """The 95 % interval of the metric's figure.

    counts: (n_pairs, n_statistics). groups: who spoke each pair; whole groups are drawn then.
    Resamples whose figure is not defined (no reference unit among them) are left out; NaN where all are.
    Raises ValueError for no pairs at all.
    """
    values = [metric.value(sums) for sums in _resampled(counts, groups, n_resamples, seed)]
    return _percentiles(np.concatenate(values))


def paired(
    metric: Metric,
    counts_a: Counts,
    counts_b: Counts,
    groups: Sequence[Hashable] | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> Difference:
    """B against A on the same samples in the same order: what is hard for both cancels."""
    if counts_a.shape != counts_b.shape:
        raise ValueError(f"paired runs have equal shapes, not {counts_a.shape} and {counts_b.shape}")
    width = counts_a.shape[1]
    both = np.concatenate([counts_a, counts_b], axis=1)

    def difference(sums: Counts) -> NDArray[np.float64]:
        return metric.value(sums[..., width:]) - metric.value(sums[..., :width])

    drawn = np.concatenate([difference(sums) for sums in _resampled(both, groups, n_resamples, seed)])
    observed = float(difference(both.sum(axis=0)))
    low, high = _percentiles(drawn)
    shown = low > 0 or high < 0
    return Difference(
        difference=observed,
        low=low,
        high=high,
        p_value=_p_value(drawn),
        samples_needed=None if shown else _samples_needed(observed, low, high, len(counts_a)),
    )


def wilson(n_right: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927), as fractions. Raises ValueError where n is 0."""
    if n <= 0:
        raise ValueError("a share of nothing has no interval")
    share, square = n_right / n, _Z * _Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = _Z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _resampled(
    counts: Counts, groups: Sequence[Hashable] | None, n_resamples: int, seed: int
) -> Iterator[Counts]:
    """The summed counts of each resample, in blocks of (n_in_block, n_statistics)."""
    if len(counts) == 0:
        raise ValueError("an interval needs at least one pair")
    units = counts if groups is None else _summed(counts, groups)
    rows, times = np.unique(units, axis=0, return_counts=True)
    # Equal rows are drawn together: how often, is a multinomial number. Error rates have few distinct
    # rows, and 100,000 utterances cost what a few hundred do. The distribution is the same.
    draws_rows = len(rows) * _BINOMIAL_COST < len(units)
    drawn = rows if draws_rows else units
    generator = np.random.default_rng(seed)
    n_in_block = max(1, _CELLS // len(drawn))
    for start in range(0, n_resamples, n_in_block):
        n = min(n_in_block, n_resamples - start)
        if draws_rows:
            weights = generator.multinomial(len(units), times / len(units), size=n)
        else:
            weights = _how_often(generator.integers(0, len(units), size=(n, len(units))))
        # Exact: sums of counts stay far under 2 ** 53.
        yield np.rint(weights.astype(np.float64) @ drawn.astype(np.float64)).astype(np.int64)


def _summed(counts: Counts, groups: Sequence[Hashable]) -> Counts:
    """One row a group: (n_groups, n_statistics)."""
    if len(groups) != len(counts):
        raise ValueError(f"{len(counts)} pairs have {len(counts)} groups, not {len(groups)}")
    places: dict[Hashable, int] = {}
    at = [places.setdefault(group, len(places)) for group in groups]
    sums = np.zeros((len(places), counts.shape[1]), np.int64)
    np.add.at(sums, at, counts)
    return sums


def _how_often(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """indices: (n_resamples, n_units) of 0 to n_units - 1; how often each is there, in the same shape."""
    n_resamples, n_units = indices.shape
    indices += np.arange(n_resamples)[:, np.newaxis] * n_units
    return np.bincount(indices.ravel(), minlength=indices.size).reshape(indices.shape)


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if len(defined) == 0:
        return math.nan, math.nan
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _p_value(differences: NDArray[np.float64]) -> float:
    """Twice the smaller tail, ties in both, and never 0 (Davison and Hinkley, 4.2)."""
    defined = differences[~np.isnan(differences)]
    tail = min(int(np.sum(defined <= 0)), int(np.sum(defined >= 0)))
    return min(1.0, 2 * (tail + 1) / (len(defined) + 1))


def _samples_needed(difference: float, low: float, high: float, n: int) -> int | None:
    """An interval narrows with the root of the sample's size."""
    if difference == 0 or not math.isfinite(difference + low + high):
        return None
    return max(n + 1, math.ceil(n * ((high - low) / 2 / difference) ** 2))
