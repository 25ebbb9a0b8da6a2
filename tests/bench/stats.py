"""What a benchmark says of a set of measurements."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of n measurements, in their unit. By nearest rank: each is a value that was measured."""

    n: int
    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Percentiles":
        """Of no measurements at all, everything is NaN."""
        if not values:
            return cls(0, math.nan, math.nan, math.nan, math.nan)
        ranked = sorted(values)
        return cls(len(ranked), _rank(ranked, 0.50), _rank(ranked, 0.95), _rank(ranked, 0.99), ranked[-1])

    def shown(self, digits: int = 1) -> dict[str, float | None]:
        """For JSON, which knows no NaN."""
        named = {"p50": self.p50, "p95": self.p95, "p99": self.p99, "max": self.max}
        values = {name: None if math.isnan(value) else round(value, digits) for name, value in named.items()}
        return {"n": self.n, **values}


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares: how much y grows for one x more. Raises ValueError for fewer than two x."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n if n else 0.0
    mean_y = sum(y for _, y in points) / n if n else 0.0
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        raise ValueError("expected points at two or more different x")
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def _rank(ranked: Sequence[float], share: float) -> float:
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
