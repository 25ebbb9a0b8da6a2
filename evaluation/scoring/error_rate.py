"""Word and character error rates: edits over reference units, each summed over a corpus first."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from evaluation.errors import EvaluationError
from evaluation.scoring.metric import Counts

BATCH_PAIRS: Final = 1_024
BATCH_CHARACTERS: Final = 500_000


class Units(Protocol):
    """What a text is made of once it is normalised: its words or its characters."""

    @property
    def signature(self) -> str: ...

    def units(self, text: str) -> list[str]:
        """The units, to be read."""
        ...

    def encoded(self, texts: Sequence[str]) -> list[str]:
        """One string for each text, with one code point for each unit, the same one within this call."""
        ...


class ErrorRate:
    """Levenshtein distance over units (one for each insertion, deletion, substitution) per reference unit.

    A reference without units counts its answer as insertions, as upstream does. The units remember what
    words became: one thread at a time may count.
    """

    higher_is_better = False
    statistics = ("edits", "reference_units")

    def __init__(self, name: str, units: Units) -> None:
        self.name = name
        self._units = units
        self.signature = f"{name}|{units.signature}"

    def count(self, references: Sequence[str], responses: Sequence[str]) -> Counts:
        """Raises EvaluationError, which names the pair by its index from 0, for what cannot be normalised."""
        counts = np.zeros((len(references), 2), np.int64)
        for start, end in _batches(references, responses):
            encoded = self._encoded(references[start:end], responses[start:end], start)
            expected, given = encoded[: end - start], encoded[end - start :]
            counts[start:end, 0] = list(map(Levenshtein.distance, expected, given))
            counts[start:end, 1] = list(map(len, expected))
        return counts

    def _encoded(self, references: Sequence[str], responses: Sequence[str], start: int) -> list[str]:
        try:
            return self._units.encoded([*references, *responses])
        except EvaluationError:
            for index, pair in enumerate(zip(references, responses, strict=True), start):
                try:
                    self._units.encoded(pair)
                except EvaluationError as error:
                    raise EvaluationError(f"pair {index}: {error}") from error
            raise

    def value(self, sums: Counts) -> NDArray[np.float64]:
        edits, units = sums[..., 0], sums[..., 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(units > 0, edits / units, np.nan)

    def as_compared(self, text: str) -> str:
        return " ".join(self._units.units(text))


def _batches(references: Sequence[str], responses: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pieces of a corpus that fit into one vocabulary and into the processor's cache."""
    if len(references) != len(responses):
        raise ValueError(
            f"expected as many answers as references, got {len(responses)} and {len(references)}"
        )
    start = characters = 0
    for end, (reference, response) in enumerate(zip(references, responses, strict=True), 1):
        characters += len(reference) + len(response)
        if end - start == BATCH_PAIRS or characters >= BATCH_CHARACTERS or end == len(references):
            yield start, end
            start, characters = end, 0
