"""What was read of one data set: its samples, and all that is wrong with it, each by file and line."""

from collections.abc import Iterator, Mapping

from evaluation.benchmarks import Benchmark, Part
from evaluation.datasets.clip_folder import ClipFolder
from evaluation.datasets.problems import STOPS, Kind, Place, Problem
from evaluation.errors import EvaluationError
from evaluation.sample import Sample


class Reading:
    """Readers add to it, line by line.

    samples and places go together: places[i] is where samples[i] is written. form: what the data was read as,
    with its lists, for the user's eyes. missing: the ids of the samples whose clips are not there.
    """

    def __init__(self, benchmark: Benchmark, clips: ClipFolder) -> None:
        self.benchmark = benchmark
        self.clips = clips
        self.form = ""
        self.lists: list[str] = []
        self.samples: list[Sample] = []
        self.places: list[Place] = []
        self.problems: list[Problem] = []
        self.missing: set[str] = set()
        self._line_of: dict[str, Place] = {}

    def begin(self, form: str, lists: list[str]) -> None:
        """form: "upstream's jsonl", "as LibriSpeech publishes it". lists: the files with the references."""
        self.form = form
        self.lists = lists

    def note(self, kind: Kind, place: Place, what: str) -> None:
        self.problems.append(Problem(kind, str(place), what))

    def part(self, source: str, place: Place) -> Part | None:
        """The part that a list's source means; None, and noted, where there is no such part."""
        try:
            return self.benchmark.part(source)
        except EvaluationError as error:
            self.note(Kind.LINE, place, str(error))
            return None

    def add(
        self,
        place: Place,
        part: Part,
        name: str,
        audio: str,
        reference: str,
        *,
        source: str = "",
        prompt: str | None = None,
        language: str = "",
        speaker: str = "",
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Take one sample in, with its clip looked up.

        name: unique within the part, the same in each form of the data. source, prompt, language: the part's
        where not given. A second one of a name is noted, and only the first is kept.
        """
        sample_id = f"{part.source}/{name}"
        before = self._line_of.setdefault(sample_id, place)
        if before is not place:
            self.note(Kind.DOUBLE, place, f"{sample_id} comes twice, first at {before}")
            return
        path, lacking = self.clips.find(audio)
        if lacking:
            self.note(Kind.MISSING, place, lacking)
            self.missing.add(sample_id)
        labels = self.benchmark.labels
        if not reference.strip() and self.benchmark.task not in ("chat", "spoken"):
            self.note(Kind.REFERENCE, place, "the reference is empty")
        elif labels and reference not in labels:
            self.note(Kind.LABEL, place, f"expected one of {', '.join(labels)}, got {reference[:40]!r}")
        self.places.append(place)
        self.samples.append(
            Sample(
                sample_id=sample_id,
                benchmark=self.benchmark.name,
                audio=path,
                source=source or part.source,
                prompt=part.prompt if prompt is None else prompt,
                reference=reference,
                language=language or part.language,
                speaker=speaker,
                details=details or {},
            )
        )

    def stops(self) -> Iterator[Problem]:
        """What has to be mended before anything can be run."""
        return (problem for problem in self.problems if problem.kind in STOPS)
