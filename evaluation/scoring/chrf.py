"""chrF: character n-grams, a second opinion on translations that does not hang on how words are cut."""

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.scoring.metric import Counts

_ORDER: Final = 6
_BETA_SQUARED: Final = 4  # recall counts twice as much as precision (Popović 2015, "chrF2")


class ChrF:
    """As sacrebleu counts it: case kept, white space left out, one reference, no words, 0 to 100."""

    higher_is_better = True
    statistics = tuple(
        f"{what}_{n}"
        for n in range(1, _ORDER + 1)
        for what in ("answer_ngrams", "reference_ngrams", "matches")
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.signature = (
            f"{name}|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|as:sacrebleu-{version('sacrebleu')}"
        )

    def count(self, references: Sequence[str], responses: Sequence[str]) -> Counts:
        counts = np.zeros((len(references), len(self.statistics)), np.int64)
        for row, (reference, response) in enumerate(zip(references, responses, strict=True)):
            counts[row] = _counted("".join(reference.split()), "".join(response.split()))
        return counts

    def value(self, sums: Counts) -> NDArray[np.float64]:
        values = [_f_score([int(count) for count in row]) for row in sums.reshape(-1, len(self.statistics))]
        return np.array(values).reshape(sums.shape[:-1])

    def as_compared(self, text: str) -> str:
        return " ".join("".join(text.split()))


def _counted(reference: str, answer: str) -> list[int]:
    counted: list[int] = []
    for n in range(1, _ORDER + 1):
        expected = Counter([reference[at : at + n] for at in range(len(reference) - n + 1)])
        given = Counter([answer[at : at + n] for at in range(len(answer) - n + 1)])
        matches = sum(min(count, expected[ngram]) for ngram, count in given.items() if ngram in expected)
        # An order that the reference is too short for is no reproach to the answer.
        counted += [given.total() if expected else 0, expected.total(), matches]
    return counted


def _f_score(row: list[int]) -> float:
    """NaN for a corpus without references."""
    if row[1] == 0:
        return float("nan")
    orders = [tuple(row[at : at + 3]) for at in range(0, len(row), 3)]
    compared = [(given, expected, matches) for given, expected, matches in orders if given and expected]
    if not any(matches for _, _, matches in compared):
        return 0.0
    precision = recall = 0.0
    for given, expected, matches in compared:  # summed in sacrebleu's order, for its last digit
        precision += matches / given
        recall += matches / expected
    precision /= len(compared)
    recall /= len(compared)
    score = (1 + _BETA_SQUARED) * precision * recall
    score /= _BETA_SQUARED * precision + recall
    return 100 * score
