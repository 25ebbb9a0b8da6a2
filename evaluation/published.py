"""What others published for these benchmarks: two tables, as printed, and which of their systems run here.

`published.json` holds the facts. Figures are as printed: error rates in percent, BLEU from 0 to 100,
accuracies as fractions, a judge's points from 1 to 10.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from evaluation.benchmarks import BENCHMARKS, benchmark

Table = Literal["original", "huggingface"]
COMPARED: Table = "huggingface"
"""Measured after the conversion to transformers: what a run through that is to be held against."""

_BATCH_SIZES = {"asr": 20}
_BATCH_SIZE_ELSE = 8
"""Upstream's, which its figures are from."""

_DECIMALS = {"percent": 1, "BLEU 0..100": 1, "points": 2}


class PublishedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One cell. value: None where it was not reported. bold: best of its block, by its authors.

    leaderboard_value: of the benchmark's own makers, where the table prints another. note: what to know
    before one compares.
    """

    table: Table
    task: str
    dataset: str
    subset: str
    metric: str
    model: str
    value: float | None
    bold: bool
    higher_is_better: bool
    unit: str
    leaderboard_value: float | None = None
    note: str = ""

    @property
    def decimals(self) -> int:
        """As printed. Accuracies are printed with three or four."""
        if self.unit in _DECIMALS:
            return _DECIMALS[self.unit]
        return 4 if self.dataset == "vocalsound" else 3

    @property
    def last_digit(self) -> float:
        """What one step of the last printed digit is worth, in the unit of the value."""
        return float(10**-self.decimals)

    @property
    def is_compared(self) -> bool:
        """Whether a run of Qwen2-Audio is to be held against this one."""
        return self.model == "Qwen2-Audio" and self.table == COMPARED

    @property
    def score(self) -> float | None:
        """In the unit of scoring/: error rates and accuracies as fractions."""
        return self.value / 100 if self.unit == "percent" and self.value is not None else self.value

    @property
    def text(self) -> str:
        """As printed; "-" where nothing was."""
        return "-" if self.value is None else f"{self.value:.{self.decimals}f}"


class Comparator(msgspec.Struct, frozen=True, kw_only=True):
    """A system of the tables.

    command, chat_command: how to run it, with {benchmark} and {batch_size}; "" for not at all.
    """

    model: str
    command: str = ""
    chat_command: str = ""
    note: str = ""

    def run_by(self, benchmark_name: str) -> str:
        """For one benchmark, with what is to be filled in in capitals; "" for a published figure only."""
        task = benchmark(benchmark_name).task
        template = self.chat_command if task == "chat" and self.chat_command else self.command
        if not template:
            return ""
        batch_size = _BATCH_SIZES.get(task, _BATCH_SIZE_ELSE)
        judge = " --judge-url URL --judge-model MODEL" if task == "chat" else ""
        return template.format(benchmark=benchmark_name, batch_size=batch_size) + judge


class _File(msgspec.Struct, frozen=True):
    source: str
    tables: Mapping[Table, str]
    notes: tuple[str, ...]
    comparators: tuple[Comparator, ...]
    rows: tuple[PublishedRow, ...]


def rows(benchmark_name: str, source: str = "", table: Table | None = COMPARED) -> list[PublishedRow]:
    """The cells of a benchmark, in the order of the page; [] where nobody published any.

    source: those of one part alone, as results name it. table: None for both. Raises EvaluationError for a
    benchmark or source that there is not.
    """
    chosen = benchmark(benchmark_name)
    parts = [chosen.part(source)] if source else chosen.parts
    subsets = {part.subset for part in parts}
    return [
        row
        for row in _file().rows
        if row.dataset == chosen.dataset and row.subset in subsets and table in (None, row.table)
    ]


def comparator(model: str) -> Comparator:
    """How a system of the tables can be run. Raises KeyError for one that is in none."""
    return {one.model: one for one in _file().comparators}[model]


def published_benchmarks() -> tuple[str, ...]:
    return tuple(name for name, one in BENCHMARKS.items() if one.dataset)


def notes() -> tuple[str, ...]:
    """What is to be said beside the figures, whichever they are."""
    return _file().notes


def tables() -> Mapping[Table, str]:
    """What each table is, in words."""
    return _file().tables


def origin() -> str:
    """Where the figures were printed."""
    return _file().source


@cache
def _file() -> _File:
    return msgspec.json.decode(files("evaluation").joinpath("published.json").read_bytes(), type=_File)
