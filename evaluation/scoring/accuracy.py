"""Accuracy over labels, as upstream counts it and forgivingly."""

import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from evaluation.scoring.metric import Counts

MELD: Final = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
VOCALSOUND: Final = ("Cough", "Laughter", "Sigh", "Sneeze", "Sniff", "Throat clearing")


class Accuracy:
    """Right answers over all.

    Strict, as upstream: the answer without white space at its start is the reference, to the character.
    Lenient: both without case, punctuation and spaces. Answers outside the labels are wrong, and counted.
    """

    higher_is_better = True
    statistics = ("right", "pairs", "outside_labels")

    def __init__(self, name: str, labels: Sequence[str], *, is_lenient: bool = False) -> None:
        self.name = name
        self._labels = labels
        self._is_lenient = is_lenient
        self._folded_labels = frozenset(map(folded, labels))
        self._compared_labels = frozenset(map(self.as_compared, labels))
        self.signature = f"{name}|compared:{'folded' if is_lenient else 'exact'}|labels:{','.join(labels)}"

    def count(self, references: Sequence[str], responses: Sequence[str]) -> Counts:
        """Raises EvaluationError for a reference that is no label, however spelt, by its index from 0."""
        for strange in {*references} - {*self._labels}:
            if folded(strange) not in self._folded_labels:
                raise EvaluationError(
                    f"pair {references.index(strange)}: expected a reference that is one of "
                    f"{', '.join(self._labels)}, got another"
                )
        expected = list(map(folded, references)) if self._is_lenient else references
        given = list(map(folded if self._is_lenient else str.lstrip, responses))
        counts = np.ones((len(references), 3), np.int64)
        counts[:, 0] = [reference == answer for reference, answer in zip(expected, given, strict=True)]
        counts[:, 2] = [answer not in self._compared_labels for answer in given]
        return counts

    def outside_labels(self, responses: Sequence[str]) -> list[int]:
        """The indexes of answers that are none of the labels."""
        return [
            index
            for index, response in enumerate(responses)
            if self.as_compared(response) not in self._compared_labels
        ]

    def value(self, sums: Counts) -> NDArray[np.float64]:
        right, pairs = sums[..., 0], sums[..., 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(pairs > 0, right / pairs, np.nan)

    def as_compared(self, text: str) -> str:
        return folded(text) if self._is_lenient else text.lstrip()


def folded(text: str) -> str:
    """Letters and digits alone, in lower case: " 'Throat  Clearing.'" is "throatclearing"."""
    return "".join([c for c in text.casefold() if unicodedata.category(c)[0] not in "PZCS"])
