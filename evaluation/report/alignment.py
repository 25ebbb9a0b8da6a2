"""Two texts side by side, unit by unit: what was kept, exchanged, left out and added."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from rapidfuzz.distance import Levenshtein

from evaluation.report.model import Exchange

Mark = Literal["same", "exchanged", "missing", "added"]
N_UNITS_MAX = 400
"""Of a text that is shown: an answer that goes round in circles may have thousands."""


class Piece(msgspec.Struct, frozen=True):
    """Neighbouring units of one mark."""

    text: str
    mark: Mark


def side_by_side(reference: str, response: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts as compared (units separated by spaces), in marked pieces."""
    expected, got = reference.split()[:N_UNITS_MAX], response.split()[:N_UNITS_MAX]
    left: list[Piece] = []
    right: list[Piece] = []
    for step in Levenshtein.opcodes(expected, got):
        before, after = expected[step.src_start : step.src_end], got[step.dest_start : step.dest_end]
        match step.tag:
            case "equal":
                left.append(Piece(joined(before), "same"))
                right.append(Piece(joined(after), "same"))
            case "replace":
                left.append(Piece(joined(before), "exchanged"))
                right.append(Piece(joined(after), "exchanged"))
            case "delete":
                left.append(Piece(joined(before), "missing"))
            case "insert":
                right.append(Piece(joined(after), "added"))
    return left, right


def n_units_left_out(text: str) -> int:
    """How many units of the text `side_by_side` does not show."""
    return max(0, len(text.split()) - N_UNITS_MAX)


def exchanges(pairs: Iterable[tuple[str, str]], n_max: int = 20) -> tuple[Exchange, ...]:
    """The most frequent faults of all pairs of texts as compared; of equals, in the order of the alphabet.

    Aligners differ in which of several shortest ways they take, so these counts are a guide, not a score.
    """
    counted: Counter[tuple[str, str]] = Counter()
    for reference, response in pairs:
        if reference != response:
            counted.update(_faults(reference.split(), response.split()))
    ranked = sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:n_max]
    return tuple(Exchange(expected=expected, got=got, n=n) for (expected, got), n in ranked)


def _faults(expected: Sequence[str], got: Sequence[str]) -> Iterable[tuple[str, str]]:
    for step in Levenshtein.editops(expected, got):
        match step.tag:
            case "replace":
                yield expected[step.src_pos], got[step.dest_pos]
            case "delete":
                yield expected[step.src_pos], ""
            case "insert":
                yield "", got[step.dest_pos]


def joined(units: Sequence[str]) -> str:
    """As people write it: no space between two Chinese or Japanese characters."""
    text = ""
    for unit in units:
        if text and not (_is_ideograph(text[-1]) and _is_ideograph(unit[0])):
            text += " "
        text += unit
    return text


def _is_ideograph(character: str) -> bool:
    return "\u3040" <= character <= "\u30ff" or "\u3400" <= character <= "\u9fff" or character >= "\U00020000"
