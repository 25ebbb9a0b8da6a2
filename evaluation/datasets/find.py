"""A benchmark's samples, in whatever form they lie there: as published, as upstream's lists, or one's own."""

from collections.abc import Callable
from pathlib import Path

from evaluation.benchmarks import Benchmark, benchmark
from evaluation.datasets import (
    airbench,
    aishell2,
    asterisk,
    common_voice,
    covost2,
    custom,
    fleurs,
    librispeech,
    meld,
    sonic_pi,
    upstream,
    vocalsound,
    voicebench,
)
from evaluation.datasets.clip_folder import ClipFolder
from evaluation.datasets.reading import Reading
from evaluation.errors import EvaluationError
from evaluation.sample import Sample

Reader = Callable[[Path, Reading], bool]
"""Adds what lies in a folder, or a file, to a reading; returns False where nothing of its form does."""

_PUBLISHED: dict[str, Reader] = {
    "librispeech": librispeech.read,
    "cv15": common_voice.read,
    "fleurs": fleurs.read,
    "aishell2": aishell2.read,
    "covost2": covost2.read,
    "meld": meld.read,
    "vocalsound": vocalsound.read,
    "airbench": airbench.read,
    "voicebench": voicebench.read,
    "asterisk": asterisk.read,
    "sonic": sonic_pi.read,
    "custom": custom.read,
}
"""By what the benchmark's name begins with, up to the first "_"."""


def samples(
    benchmark_name: str, folder: Path | str | None, audio_root: Path | str | None = None
) -> list[Sample]:
    """All samples of a benchmark, in the order of its lists, with absolute paths.

    folder: where the data lies, or the list itself; None for what an installed package brings. audio_root:
    where clips are looked for first. A clip that is missing keeps the path where it was expected: reading it
    says so. Raises EvaluationError for lines that cannot be read and for samples that come twice, by file and
    line.
    """
    found = reading(benchmark_name, folder, audio_root)
    stops = list(found.stops())
    if stops:
        more = f" (and {len(stops) - 1} more: parlour eval check lists them)" if len(stops) > 1 else ""
        raise EvaluationError(f"{stops[0]}{more}")
    if not found.samples:
        raise EvaluationError(f"{folder} holds no sample of {found.benchmark.name}")
    return found.samples


def reading(benchmark_name: str, folder: Path | str | None, audio_root: Path | str | None = None) -> Reading:
    """What lies in `folder`, with all that is wrong with it. Raises EvaluationError where nothing does."""
    chosen = benchmark(benchmark_name)
    place = _folder(chosen, folder)
    found = Reading(chosen, _clip_folder(chosen, place, audio_root))
    published = _PUBLISHED[chosen.name.split("_")[0]]
    # Upstream's lists first: who has them wants the figures that were published from them.
    for read in (upstream.read, published):
        if read(place, found):
            return found
    lists = f", or {chosen.jsonl[0]}" if chosen.jsonl else ""
    packages = f"; install {' and '.join(chosen.packages)}" if chosen.packages else ""
    raise EvaluationError(f"{place} holds no {chosen.title}: expected {chosen.layout}{lists}{packages}")


def _folder(chosen: Benchmark, folder: Path | str | None) -> Path:
    if folder is None and not chosen.folder:
        raise EvaluationError(f"say where the data of {chosen.name} lies: {chosen.layout}")
    place = Path(chosen.folder if folder is None else folder)
    if not place.exists():
        packages = (
            f": install {' and '.join(chosen.packages)}, or name another folder" if chosen.packages else ""
        )
        raise EvaluationError(f"there is no {place}{packages}")
    return place


def _clip_folder(chosen: Benchmark, place: Path, audio_root: Path | str | None) -> ClipFolder:
    folder = place.parent if place.is_file() else place
    if audio_root is not None and not Path(audio_root).is_dir():
        raise EvaluationError(f"there is no folder {audio_root} for the audio")
    roots = [folder] if audio_root is None else [Path(audio_root), folder]
    return ClipFolder(roots, roots[0], split="test" if chosen.name == "meld" else "")
