"""Which samples a command is about: benchmarks by name, where their data lies, and a part of them at random.

What reads data needs FFmpeg, and what scores needs libraries: both are loaded when they are used.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from evaluation import benchmarks as known
from evaluation.benchmarks import Benchmark
from evaluation.datasets.sampling import limited
from evaluation.errors import EvaluationError
from evaluation.run.runner import ReadClip
from evaluation.sample import Sample
from evaluation.scoring.metric import Metric

JUDGED_BY = "judge_"
"""How the names begin of metrics that are a judge's marks."""


class Collected(msgspec.Struct, frozen=True):
    """benchmarks: those with samples, in the order of the command. left_out: one sentence for each other."""

    benchmarks: Sequence[Benchmark]
    samples: Sequence[Sample]
    left_out: Sequence[str]

    def n_samples(self) -> dict[str, int]:
        counts = {benchmark.name: 0 for benchmark in self.benchmarks}
        for sample in self.samples:
            counts[sample.benchmark] += 1
        return counts

    def is_judged(self, sample: Sample) -> bool:
        """Whether a judge, not a metric of two texts, says how good its answer is."""
        benchmark = next(one for one in self.benchmarks if one.name == sample.benchmark)
        return benchmark.metric(sample.source).startswith(JUDGED_BY)

    def missing(self) -> list[Sample]:
        """Those whose clip is no file here, nor an address."""
        return [
            sample
            for sample in self.samples
            if not sample.audio.startswith(("http://", "https://")) and not Path(sample.audio).is_file()
        ]


def collect(
    names: Sequence[str],
    folders: Sequence[str],
    audio_root: str | None = None,
    *,
    takes_all: bool = False,
    limit: int | None = None,
    seed: int = 0,
) -> Collected:
    """folders: as given to --data, see `folder_of`. takes_all: the tables' benchmarks that are there.

    Raises EvaluationError for an unknown benchmark, and for data that is not there or cannot be read, unless
    all were asked for.
    """
    if takes_all:
        names = [name for name, one in known.BENCHMARKS.items() if one.dataset]
    if not names:
        raise EvaluationError(f"expected a benchmark ({', '.join(known.BENCHMARKS)}), or --all")
    chosen = dict.fromkeys(known.benchmark(name) for name in names)
    found, samples, left_out = [], list[Sample](), []
    for benchmark in chosen:
        try:
            own = _samples(benchmark.name, folder_of(benchmark.name, folders), audio_root)
        except EvaluationError as error:
            if not takes_all:
                raise
            left_out.append(f"{benchmark.name} is left out: {error}")
            continue
        found.append(benchmark)
        samples += own if limit is None else limited(own, limit, seed)
    if not samples:
        raise EvaluationError(f"there is nothing to ask: {'; '.join(left_out)}")
    return Collected(found, samples, left_out)


def folder_of(benchmark: str, folders: Sequence[str]) -> Path | None:
    """Where a benchmark's data lies: `NAME=FOLDER` of its own, else FOLDER, or in it one called like it."""
    own = [folder for name, equals, folder in (one.partition("=") for one in folders) if name == benchmark]
    if own:
        return Path(own[-1])
    shared = [Path(one) for one in folders if "=" not in one or Path(one).exists()]
    if not shared:
        return None
    inner = shared[-1] / benchmark
    return inner if inner.is_dir() else shared[-1]


def metric_of(benchmarks: Sequence[Benchmark]) -> Callable[[str, str], Metric | None]:
    """The metric of a benchmark's source; None for a judge's, which is no function of two texts."""
    from evaluation.scoring.metrics import metric

    chosen = {benchmark.name: benchmark for benchmark in benchmarks}
    made: dict[tuple[str, str], Metric | None] = {}

    def made_for(benchmark: str, source: str) -> Metric | None:
        if (benchmark, source) not in made:
            name = chosen[benchmark].metric(source)
            is_judged = name.startswith(JUDGED_BY)
            made[benchmark, source] = None if is_judged else metric(name)
        return made[benchmark, source]

    return made_for


def read_clip() -> ReadClip:
    from evaluation.datasets.clip import read_clip

    return read_clip


def converter() -> str:
    from evaluation.datasets.clip import converter

    return converter()


def _samples(benchmark: str, folder: Path | None, audio_root: str | None) -> list[Sample]:
    from evaluation.datasets.find import samples

    return samples(benchmark, folder, audio_root)
