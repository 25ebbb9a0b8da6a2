"""What a data set lacks, found before the first request: every clip is read once."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from evaluation.datasets.clip import SAMPLE_HZ, read_clip
from evaluation.datasets.problems import REMARKS, ClipError, Kind, Place, Problem
from evaluation.datasets.reading import Reading

SHORTEST_S = 0.1
"""Below, there is not one window of what models see."""
LONGEST_S = 30.0
"""What Qwen2-Audio and Whisper hear at once; the rest is cut silently."""
_THREADS = 4


class SourceCount(msgspec.Struct, kw_only=True):
    """One part's clips. n_expected: as published, None where nobody states it. rates: file's Hz -> clips."""

    source: str
    n_clips: int
    n_expected: int | None
    seconds: float = 0.0
    rates: dict[int, int] = {}


class Checked(msgspec.Struct, kw_only=True):
    """One benchmark, looked through."""

    benchmark: str
    form: str
    lists: list[str]
    sources: list[SourceCount]
    problems: list[Problem]

    @property
    def is_fine(self) -> bool:
        return all(problem.kind in REMARKS for problem in self.problems)

    def of_kind(self, kind: Kind) -> list[Problem]:
        return [problem for problem in self.problems if problem.kind == kind]


class _Heard(msgspec.Struct, frozen=True):
    """One clip, read. what: "" for a sound one."""

    seconds: float = 0.0
    file_hz: int = 0
    kind: Kind = Kind.DAMAGED
    what: str = ""


def check(reading: Reading, progress: Callable[[int, int], None] | None = None) -> Checked:
    """Read every clip that is there. progress: told how many of how many have been read."""
    problems = list(reading.problems)
    at = [
        (place, sample)
        for place, sample in zip(reading.places, reading.samples, strict=True)
        if sample.sample_id not in reading.missing
    ]
    heard = _all_heard({sample.audio for _, sample in at}, progress)
    sources = _counted(reading, problems)
    for place, sample in at:
        one = heard[sample.audio]
        problems += _problems_of(one, sample.audio, place)
        counted = sources[reading.benchmark.part(sample.source).source]
        counted.seconds += one.seconds
        if one.file_hz:
            counted.rates[one.file_hz] = counted.rates.get(one.file_hz, 0) + 1
    return Checked(
        benchmark=reading.benchmark.name,
        form=reading.form,
        lists=reading.lists,
        sources=list(sources.values()),
        problems=problems,
    )


def _counted(reading: Reading, problems: list[Problem]) -> dict[str, SourceCount]:
    """By the part's source. What differs from the published count is added to the problems."""
    benchmark = reading.benchmark
    n_clips = Counter(benchmark.part(sample.source).source for sample in reading.samples)
    sources = dict[str, SourceCount]()
    for part in benchmark.parts:
        n = n_clips[part.source]
        if not n and part.n_clips is None:
            continue
        sources[part.source] = SourceCount(source=part.source, n_clips=n, n_expected=part.n_clips, rates={})
        if part.n_clips is None or n == part.n_clips:
            continue
        kind = Kind.COUNT if n else Kind.ABSENT
        problems.append(Problem(kind, part.source, f"{n:,} clips, published with {part.n_clips:,}"))
    return sources


def _problems_of(one: _Heard, audio: str, place: Place) -> Iterable[Problem]:
    where = str(place)
    if one.what:
        yield Problem(one.kind, where, one.what)
    if not one.file_hz:
        return
    if one.seconds < SHORTEST_S:
        yield Problem(Kind.SHORT, where, f"{audio} is {one.seconds:.3f} s long")
    if one.seconds > LONGEST_S:
        yield Problem(Kind.LONG, where, f"{audio} is {one.seconds:.1f} s long")
    if one.file_hz < SAMPLE_HZ:
        yield Problem(Kind.RATE, where, f"{audio} has {one.file_hz} Hz")


def _all_heard(paths: set[str], progress: Callable[[int, int], None] | None) -> dict[str, _Heard]:
    """Several samples may share a clip: it is read once. FFmpeg decodes without the interpreter's lock."""
    ordered = sorted(paths)
    heard = dict[str, _Heard]()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="check") as pool:
        for path, one in zip(ordered, pool.map(_heard, ordered), strict=True):
            heard[path] = one
            if progress:
                progress(len(heard), len(ordered))
    return heard


def _heard(path: str) -> _Heard:
    try:
        clip = read_clip(path)
    except ClipError as error:
        return _Heard(kind=error.kind, what=str(error))
    return _Heard(clip.seconds, clip.file_hz, Kind.DAMAGED, clip.damage)
