"""The port of every score: counts for each pair, and one figure from their sum.

A score of a corpus is a function of sums (edits over units, n-gram matches over n-grams, right answers over
all), so whoever resamples, pairs or groups samples needs the counts alone, and counts once.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
"""(n_pairs, n_statistics)."""


class Metric(Protocol):
    """A way to score answers against references.

    name: as in the fixtures and on the command line ("wer_en"). signature: all that the figure depends on,
    with library versions; equal signatures make figures comparable.
    """

    @property
    def name(self) -> str: ...

    @property
    def signature(self) -> str: ...

    @property
    def higher_is_better(self) -> bool: ...

    @property
    def statistics(self) -> tuple[str, ...]:
        """What the columns of `count` are, e.g. ("edits", "reference_units")."""
        ...

    def count(self, references: Sequence[str], responses: Sequence[str]) -> Counts:
        """The counts of each pair: (n_pairs, n_statistics)."""
        ...

    def value(self, sums: Counts) -> NDArray[np.float64]:
        """The figure of summed counts: (..., n_statistics) to (...). NaN where it is not defined."""
        ...

    def as_compared(self, text: str) -> str:
        """The text as the metric sees it: normalised, its units separated by spaces."""
        ...
