"""What a report says, as `scores.json` holds it: the tables, Markdown and HTML are drawn from this alone.

Figures are in the unit of the published tables: error rates in percent, accuracies as fractions, BLEU and a
judge's points as they are. None stands for what is not defined or not known.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

FORMAT = "parlour-scores"
VERSION = 1
"""Of the structure below. A field may be added within a version; none changes its meaning."""

Unit = Literal["percent", "fraction", "BLEU", "points", ""]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """method: "bootstrap over 2,620 utterances", "Wilson"."""

    low: float | None
    high: float | None
    method: str


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one source.

    value: over all records, failed ones scored as empty. answered_value: over the answered alone, where some
    failed. intervals: the first is the one that verdicts go by. counts: the sums that the value is made of.
    """

    metric: str
    signature: str
    unit: Unit
    higher_is_better: bool
    value: float | None
    answered_value: float | None = None
    intervals: tuple[Interval, ...] = ()
    counts: Mapping[str, int] = {}


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that somebody printed for this source.

    last_digit: what one step of its last printed digit is worth. is_compared: the row for this model.
    note: what to know before comparing. command: how to run it here, where one can.
    """

    system: str
    value: float
    last_digit: float
    metric: str = ""
    table: str = ""
    note: str = ""
    command: str = ""
    is_compared: bool = False


Verdict = Literal["same within noise", "better than published", "worse than published"]


class DurationBin(msgspec.Struct, frozen=True, kw_only=True):
    """The samples whose clips last from_s to to_s seconds (to_s None: and longer), by the first metric."""

    from_s: float
    to_s: float | None
    n: int
    value: float | None
    interval: Interval | None
    total_p50_s: float | None = None
    total_p95_s: float | None = None


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured beside the answers. n: of how many answers it was."""

    name: str
    unit: str
    n: int
    p50: float
    p95: float
    p99: float


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A sample to look at. cost: by how much the source's figure would be better without its faults."""

    sample_id: str
    audio: str
    audio_s: float
    reference: str
    response: str
    reference_compared: str
    response_compared: str
    value: float | None = None
    cost: float | None = None
    is_cut: bool = False
    error: str = ""


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """A way to fail. meaning: the rule, in words. n: of all samples; examples: the first few."""

    name: str
    meaning: str
    n: int
    examples: tuple[Example, ...]


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A unit of the reference that was heard as another, how often. "" : nothing there."""

    expected: str
    got: str
    n: int


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    worst: tuple[Example, ...] = ()
    categories: tuple[Category, ...] = ()
    exchanges: tuple[Exchange, ...] = ()


class SourceScores(msgspec.Struct, frozen=True, kw_only=True):
    """n: samples to answer, of which n_answered were, n_failed got an error and n_missing
    have not been asked.

    n_in_set: of the whole set, where that is known (--limit takes a part). n_cut: clips that did not reach
    the model whole.
    """

    benchmark: str
    source: str
    n: int
    n_answered: int
    n_failed: int
    n_missing: int
    n_cut: int
    audio_s: float
    task: str = ""
    n_in_set: int | None = None
    n_speakers: int = 0
    figures: tuple[Figure, ...] = ()
    published: tuple[Published, ...] = ()
    verdict: Verdict | None = None
    durations: tuple[DurationBin, ...] = ()
    measures: tuple[Percentiles, ...] = ()
    failures: Failures = Failures()
    warnings: tuple[str, ...] = ()

    @property
    def is_headline(self) -> bool:
        """Whether the figure is one of every sample of the set, and may stand for it."""
        return self.n_answered == self.n and (self.n_in_set is None or self.n_in_set == self.n)

    @property
    def compared(self) -> Published | None:
        return next((one for one in self.published if one.is_compared), None)


class ChangedSample(msgspec.Struct, frozen=True, kw_only=True):
    """change: by how much A's figure moves when this sample alone is answered as B did."""

    sample_id: str
    audio: str
    audio_s: float
    reference: str
    response_a: str
    response_b: str
    reference_compared: str
    response_a_compared: str
    response_b_compared: str
    change: float


class TimeDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A measure of both runs on the same samples. median: of B - A, sample by sample."""

    name: str
    unit: str
    n: int
    p50_a: float
    p50_b: float
    median: float
    interval: Interval


class SourceComparison(msgspec.Struct, frozen=True, kw_only=True):
    """B against A on the samples of one source that both have. difference: B - A."""

    benchmark: str
    source: str
    metric: str
    signature: str
    unit: Unit
    higher_is_better: bool
    n_common: int
    n_only_a: int
    n_only_b: int
    value_a: float | None
    value_b: float | None
    difference: float | None
    interval: Interval
    p_value: float
    is_shown: bool
    wins: int
    losses: int
    ties: int
    regressions: tuple[ChangedSample, ...] = ()
    times: tuple[TimeDifference, ...] = ()
    measures_only_b: tuple[Percentiles, ...] = ()
    warnings: tuple[str, ...] = ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """settings: what the manifests say differently, as (name, A's, B's)."""

    run_a: str
    run_b: str
    title: str = "B against A"
    sources: tuple[SourceComparison, ...]
    settings: tuple[tuple[str, str, str], ...] = ()
    warnings: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of a run. made_at: ISO 8601, UTC. scoring: what of the scoring influences a figure, by name."""

    run: str
    made_at: str
    sources: tuple[SourceScores, ...]
    manifest: Mapping[str, object] = {}
    scoring: Mapping[str, object] = {}
    comparison: Comparison | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    format: str = FORMAT
    version: int = VERSION


def stored_report(path: Path) -> Report | None:
    """A `scores.json` of this version; None for a file that is missing or anything else."""
    try:
        report = msgspec.json.decode(path.read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError):
        return None
    return report if (report.format, report.version) == (FORMAT, VERSION) else None


def to_json(report: Report | Comparison) -> bytes:
    """Indented, one line at its end; what is not a number is null."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
