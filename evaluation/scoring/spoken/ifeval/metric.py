"""IFEval's four accuracies and their mean, as metrics: counts for each answer, one figure from their sum."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from evaluation.scoring.metric import Counts
from evaluation.scoring.spoken.choices import without_turn_marks
from evaluation.scoring.spoken.ifeval.rules import follows

_RATES = {
    "prompt_strict": ("prompts_strict", "prompts"),
    "instruction_strict": ("instructions_strict", "instructions"),
    "prompt_loose": ("prompts_loose", "prompts"),
    "instruction_loose": ("instructions_loose", "instructions"),
}


class Instructions(msgspec.Struct, frozen=True):
    """What an answer must keep to; as JSON, it is the reference of a sample. Fields as in the published
    data."""

    instruction_id_list: tuple[str, ...]
    kwargs: tuple[Mapping[str, Any], ...]

    def __post_init__(self) -> None:
        if len(self.instruction_id_list) != len(self.kwargs):
            raise ValueError("expected one entry of kwargs for each entry of instruction_id_list")


def parse_instructions(text: str) -> Instructions:
    """Raises EvaluationError."""
    try:
        return msgspec.json.decode(text, type=Instructions)
    except msgspec.MsgspecError as error:
        raise EvaluationError(
            f"the reference of an IFEval sample is not its instructions as JSON: {error}."
        ) from None


class IfEval:
    """rate: one of prompt_strict, instruction_strict, prompt_loose and instruction_loose, or "" for their
    mean, which VoiceBench calls "final". Loose: one of eight readings keeps to the instruction (without its
    first line, its last, both, each with and without asterisks)."""

    higher_is_better = True
    statistics = (
        *("prompts_strict", "instructions_strict", "prompts_loose", "instructions_loose"),
        *("prompts", "instructions"),
    )

    def __init__(self, rate: str = "") -> None:
        self._rates = [_RATES[rate]] if rate else list(_RATES.values())
        self.name = f"ifeval_{rate}" if rate else "ifeval"

    @property
    def signature(self) -> str:
        return f"{self.name}|rules:25|sentences:own|language:langdetect-{version('langdetect')}"

    def count(self, references: Sequence[str], responses: Sequence[str]) -> Counts:
        return np.array(
            [_counts(parse_instructions(one), said) for one, said in zip(references, responses, strict=True)],
            np.int64,
        ).reshape(-1, len(self.statistics))

    def value(self, sums: Counts) -> NDArray[np.float64]:
        column = {name: sums[..., at].astype(np.float64) for at, name in enumerate(self.statistics)}
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = [column[followed] / column[of] for followed, of in self._rates]
        return np.asarray(np.mean(rates, axis=0), np.float64)

    def as_compared(self, text: str) -> str:
        """Of a reference, the names of its instructions."""
        try:
            return " ".join(json.loads(text)["instruction_id_list"])
        except (ValueError, TypeError, KeyError):
            return without_turn_marks(text)


def _counts(instructions: Instructions, response: str) -> tuple[int, ...]:
    response = without_turn_marks(response)
    asked = list(zip(instructions.instruction_id_list, instructions.kwargs, strict=True))
    strict = [follows(name, response, arguments) for name, arguments in asked]
    readings = _loose_readings(response)
    loose = [any(follows(name, one, arguments) for one in readings) for name, arguments in asked]
    return (all(strict), sum(strict), all(loose), sum(loose), 1, len(asked))


def _loose_readings(response: str) -> list[str]:
    lines = response.split("\n")
    cut = [response, *("\n".join(kept).strip() for kept in (lines[1:], lines[:-1], lines[1:-1]))]
    return [*cut, *(text.replace("*", "") for text in cut)]
