"""What was measured beside the answers: times, and whatever a route measures by name."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.record import Record
from evaluation.report.counted import Counted
from evaluation.report.model import DurationBin, Interval, Percentiles, TimeDifference

EDGES_S = (0.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0)
_UNITS = ("ms", "s", "hz", "db", "tokens", "bytes", "percent")
_N_RESAMPLES_OF_A_BIN = 2_000


def unit_of_measure(name: str) -> str:
    """What the name ends with: "endpoint_delay_ms" is in ms."""
    suffix = name.rpartition("_")[2]
    return suffix if suffix in _UNITS and suffix != name else ""


def measured(record: Record) -> dict[str, float]:
    """All that an answer was measured by, by name; rtf: seconds to answer for each second of audio."""
    answer = record.answer
    if answer is None:
        return {}
    found = dict(answer.measures)
    if answer.ttft_s is not None:
        found["ttft_s"] = answer.ttft_s
    if answer.total_s is not None:
        found["total_s"] = answer.total_s
        if record.audio_s > 0:
            found["rtf"] = answer.total_s / record.audio_s
    if answer.output_tokens is not None:
        found["output_tokens"] = float(answer.output_tokens)
    return {name: value for name, value in found.items() if np.isfinite(value)}


def percentiles(records: Iterable[Record]) -> tuple[Percentiles, ...]:
    """One for each name, in the order of the alphabet."""
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in measured(record).items():
            values.setdefault(name, []).append(value)
    return tuple(_percentiles(name, values[name]) for name in sorted(values))


def _percentiles(name: str, values: Sequence[float]) -> Percentiles:
    p50, p95, p99 = (float(value) for value in np.percentile(values, [50, 95, 99]))
    return Percentiles(name=name, unit=unit_of_measure(name), n=len(values), p50=p50, p95=p95, p99=p99)


def by_duration(counted: Counted, seed: int) -> tuple[DurationBin, ...]:
    """Empty where no clip's length is known."""
    if not any(record.audio_s > 0 for record in counted.records):
        return ()
    lengths = np.array([record.audio_s for record in counted.records])
    at = np.where(lengths > 0, np.digitize(lengths, EDGES_S) - 1, -1)
    return tuple(
        _bin(counted.part(np.flatnonzero(at == place).tolist()), place, seed)
        for place in range(len(EDGES_S))
        if np.any(at == place)
    )


def _bin(part: Counted, place: int, seed: int) -> DurationBin:
    times = [
        record.answer.total_s
        for record in part.records
        if record.answer and record.answer.total_s is not None
    ]
    p50, p95 = (float(value) for value in np.percentile(times, [50, 95])) if times else (None, None)
    found = part.intervals(seed, _N_RESAMPLES_OF_A_BIN)
    return DurationBin(
        from_s=EDGES_S[place],
        to_s=EDGES_S[place + 1] if place + 1 < len(EDGES_S) else None,
        n=len(part.records),
        value=part.shown(float(part.metric.value(part.counts.sum(axis=0)))),
        interval=found[0] if found else None,
        total_p50_s=p50,
        total_p95_s=p95,
    )


def time_differences(pairs: Sequence[tuple[Record, Record]]) -> tuple[TimeDifference, ...]:
    """pairs: (A's, B's) record of each common sample. Only times that both measured by the same name."""
    both: dict[str, list[tuple[float, float]]] = {}
    for one, other in pairs:
        in_a, in_b = measured(one), measured(other)
        for name in in_a.keys() & in_b.keys():
            if unit_of_measure(name) not in ("s", "ms"):
                continue
            both.setdefault(name, []).append((in_a[name], in_b[name]))
    return tuple(_time_difference(name, both[name]) for name in sorted(both))


def only_in_b(pairs: Sequence[tuple[Record, Record]]) -> tuple[Percentiles, ...]:
    """What the live wire measures and a batch cannot."""
    known = {name for one, _ in pairs for name in measured(one)}
    return tuple(one for one in percentiles(record for _, record in pairs) if one.name not in known)


def _time_difference(name: str, values: Sequence[tuple[float, float]]) -> TimeDifference:
    in_a, in_b = np.array(values, np.float64).T
    differences = np.sort(in_b - in_a)
    low, high = _median_interval(differences)
    return TimeDifference(
        name=name,
        unit=unit_of_measure(name),
        n=len(values),
        p50_a=float(np.median(in_a)),
        p50_b=float(np.median(in_b)),
        median=float(np.median(differences)),
        interval=Interval(low=low, high=high, method="order statistics of the paired differences"),
    )


def _median_interval(ordered: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of the median: the ranks n/2 ± 0.98 √n (Hollander and Wolfe, 3.6)."""
    n = len(ordered)
    half = 0.98 * np.sqrt(n)
    low, high = int(np.floor(n / 2 - half)), int(np.ceil(n / 2 + half))
    return float(ordered[max(0, low)]), float(ordered[min(n - 1, high)])
