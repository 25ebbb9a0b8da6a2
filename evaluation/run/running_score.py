"""A score that is known while answers still come, with its uncertainty, in constant memory.

Pairs go round into GROUPS groups; the figure without each of them in turn gives the variance (the grouped
jackknife: Efron and Tibshirani, "An Introduction to the Bootstrap", 11.6). The report's are bootstraps.
"""

import math

import numpy as np

from evaluation.record import Record
from evaluation.scoring.metric import Metric

GROUPS = 40
_Z95 = 1.96


class RunningScore:
    """Of one metric. Failed samples are added as they are scored: with an empty answer."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._sums = np.zeros((GROUPS, len(metric.statistics)), dtype=np.int64)
        self._n = 0

    def add(self, record: Record) -> None:
        counts = self.metric.count([record.reference], [record.response])
        self._sums[self._n % GROUPS] += counts[0]
        self._n += 1

    def value(self) -> float:
        """NaN before the first answer."""
        return float(self.metric.value(self._sums.sum(axis=0)))

    def half_width(self) -> float:
        """Of the 95 % interval; NaN for too few answers."""
        if self._n < 2 * GROUPS:
            return math.nan
        without_each = self.metric.value(self._sums.sum(axis=0) - self._sums)
        variance = (GROUPS - 1) / GROUPS * float(np.sum((without_each - without_each.mean()) ** 2))
        return _Z95 * math.sqrt(variance)

    def __str__(self) -> str:
        value, half = self.value(), self.half_width()
        if math.isnan(value):
            return f"{self.metric.name} -"
        return f"{self.metric.name} {value:.4g}" + ("" if math.isnan(half) else f" ± {half:.2g}")
