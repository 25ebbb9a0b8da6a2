"""AIR-Bench chat: what a judge's replies say, and the table that they make (cal_score.py of AIR-Bench).

A judge sees each pair of answers twice, the reference's first and the model's first, because judges favour
places. A group's score is the mean of the model's two means. A reply that is not two integers is refused: it
counts in neither mean, and is reported. Nothing here asks a judge.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from evaluation.scoring.metric import Counts

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "speech": ("speech_QA", "speech_dialogue_QA"),
    "sound": ("sound_QA", "sound_generation_QA"),
    "music": ("music_QA", "music_generation_analysis_QA"),
    "speech_and_sound": ("speech_and_sound_QA",),
    "speech_and_music": ("speech_and_music_QA",),
}
"""The tasks of each group."""

_MIXED: Final = ("speech_and_sound", "speech_and_music")
_GROUP_OF_TASK: Final = {task: group for group, tasks in GROUPS.items() for task in tasks}
_BEST: Final = 10


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One sample's two replies; None for one that never came."""

    task: str
    reply_reference_first: str | None
    reply_model_first: str | None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a group got with the answers in one order. Means are NaN where no reply counts.

    win_rate: how often the model's number was above the reference's, of n; a tie is no win.
    """

    n: int
    n_refused: int
    model_mean: float
    reference_mean: float
    win_rate: float


class Group(msgspec.Struct, frozen=True, kw_only=True):
    reference_first: Order
    model_first: Order

    @property
    def score(self) -> float:
        return (self.reference_first.model_mean + self.model_first.model_mean) / 2


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """groups: by the names of `GROUPS`. final: speech, sound, music, mixed; NaN where there is no score."""

    groups: Mapping[str, Group]
    final: Mapping[str, float]

    @property
    def n_refused(self) -> int:
        groups = self.groups.values()
        return sum(group.reference_first.n_refused + group.model_first.n_refused for group in groups)


def parsed(reply: str | None) -> tuple[int, int] | None:
    """The numbers for the first and the second answer; None for a reply that is refused.

    As upstream reads it: white space at the ends and newlines go, then single spaces separate exactly two
    integers (as Python reads them) of at most ten. Nothing is too small.
    """
    parts = (reply or "").strip().replace("\n", "").split(" ")
    if len(parts) != 2:
        return None
    try:
        first, second = int(parts[0]), int(parts[1])
    except ValueError:
        return None
    return (first, second) if first <= _BEST and second <= _BEST else None


def table(verdicts: Sequence[Verdict]) -> Table:
    """Raises EvaluationError for a task that AIR-Bench chat does not have."""
    for index, verdict in enumerate(verdicts):
        group_of_task(verdict.task, index)
    groups = {
        group: _group([verdict for verdict in verdicts if verdict.task in tasks])
        for group, tasks in GROUPS.items()
    }
    final = {group: groups[group].score for group in GROUPS if group not in _MIXED}
    final["mixed"] = sum(groups[group].score for group in _MIXED) / len(_MIXED)
    return Table(groups=groups, final=final)


def group_of_task(task: str, index: int) -> str:
    """index: of the sample, from 0, for the error."""
    if task not in _GROUP_OF_TASK:
        raise EvaluationError(f"sample {index}: expected a task of {', '.join(_GROUP_OF_TASK)}, got {task!r}")
    return _GROUP_OF_TASK[task]


def _group(verdicts: Sequence[Verdict]) -> Group:
    reference_first = [parsed(verdict.reply_reference_first) for verdict in verdicts]
    model_first = [parsed(verdict.reply_model_first) for verdict in verdicts]
    return Group(
        reference_first=_order((numbers[1], numbers[0]) if numbers else None for numbers in reference_first),
        model_first=_order(model_first),
    )


def _order(numbers: Iterable[tuple[int, int] | None]) -> Order:
    """numbers: for the model and the reference."""
    replies = list(numbers)
    counted = [reply for reply in replies if reply is not None]
    return Order(
        n=len(counted),
        n_refused=len(replies) - len(counted),
        model_mean=_mean([model for model, _ in counted]),
        reference_mean=_mean([reference for _, reference in counted]),
        win_rate=_mean([model > reference for model, reference in counted]),
    )


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else float("nan")


class JudgeScore:
    """A group's score as sums, for whoever resamples: `count` of verdicts, `value` of their sums."""

    name = "judge_airbench"
    signature = "judge_airbench|orders:2|range:≤10"
    higher_is_better = True
    statistics = ("model_reference_first", "n_reference_first", "model_model_first", "n_model_first")

    def count(self, verdicts: Sequence[Verdict]) -> Counts:
        """(n_verdicts, 4); a refused reply adds nothing."""
        counts = np.zeros((len(verdicts), len(self.statistics)), np.int64)
        for row, verdict in zip(counts, verdicts, strict=True):
            reference_first = parsed(verdict.reply_reference_first)
            if reference_first:
                row[:2] = reference_first[1], 1
            model_first = parsed(verdict.reply_model_first)
            if model_first:
                row[2:] = model_first[0], 1
        return counts

    def value(self, sums: Counts) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            means = np.where(sums[..., 1::2] > 0, sums[..., 0::2] / sums[..., 1::2], np.nan)
        return np.asarray((means[..., 0] + means[..., 1]) / 2, np.float64)
