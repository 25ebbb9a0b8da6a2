"""Observations of any number of conversations to figures with counts and 95 % intervals."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from evaluation.speech.live import full_duplex_bench, own_figures, tau_voice
from evaluation.speech.live.conversation import Conversation
from evaluation.speech.live.observations import DEFINITIONS, Observation

EVENTS_MIN = 10
"""A figure of fewer events is not shown (tau-voice), only its count."""
N_RESAMPLES = 1000
_Z = 1.959964


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """value, low, high: None where there are fewer than EVENTS_MIN events. n: events behind it.

    total: of a rate how many events count, of a delay the sum of seconds, of a frequency how often. p50,
    p90: of delays.
    """

    name: str
    n: int
    total: float
    value: float | None
    low: float | None
    high: float | None
    p50: float | None = None
    p90: float | None = None
    source: str
    words: str
    higher_is_better: bool


def observations(conversation: Conversation) -> list[Observation]:
    """All that a conversation says about any figure."""
    return [
        *own_figures.observe(conversation),
        *full_duplex_bench.observe(conversation),
        *tau_voice.observe(conversation),
    ]


def figures(observed: Iterable[Observation], events_min: int = EVENTS_MIN) -> list[Figure]:
    """In the order of the definitions; those that nothing was observed of are left out."""
    of_figure: defaultdict[str, list[Observation]] = defaultdict(list)
    for one in observed:
        of_figure[one.figure].append(one)
    return [_figure(name, of_figure[name], events_min) for name in DEFINITIONS if of_figure[name]]


def wilson(n_right: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927). n above 0."""
    share, z2 = n_right / n, _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _figure(name: str, observed: Sequence[Observation], events_min: int) -> Figure:
    definition = DEFINITIONS[name]
    values = np.array([one.value for one in observed], np.float64)
    total = float(values.sum())
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p50: float | None = None
    p90: float | None = None
    if len(values) >= events_min:
        per = np.array([one.per for one in observed], np.float64)
        value = total / float(per.sum()) if per.sum() else None
        low, high = wilson(total, len(values)) if definition.of == "rate" else _resampled(values, per)
        if definition.of == "delay":
            p50, p90 = (float(one) for one in np.percentile(values, [50, 90]))
    return Figure(
        name=name,
        n=len(values),
        total=total,
        value=value,
        low=low,
        high=high,
        p50=p50,
        p90=p90,
        source=definition.source,
        words=definition.words,
        higher_is_better=definition.higher_is_better,
    )


def _resampled(values: np.ndarray, per: np.ndarray) -> tuple[float, float]:
    """The bootstrap's 95 % interval over events; always the same for the same events."""
    drawn = np.random.default_rng(0).integers(0, len(values), (N_RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].sum(axis=1) / per[drawn].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)
