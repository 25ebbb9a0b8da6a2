"""What is missing or odd about a data set, each told by file and line."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from evaluation.errors import EvaluationError


class Kind(StrEnum):
    LINE = "lines that cannot be read"
    DOUBLE = "samples that come twice"
    MISSING = "files that are missing"
    EMPTY = "files that are empty"
    DAMAGED = "files that are damaged"
    SHORT = "clips shorter than 0.1 s"
    LABEL = "labels outside the set"
    REFERENCE = "empty references"
    COUNT = "counts that differ from the published ones"
    LONG = "clips longer than 30 s, which models cut"
    RATE = "clips recorded below 16 kHz"
    ABSENT = "parts that are not there"


STOPS = frozenset({Kind.LINE, Kind.DOUBLE})
"""Nothing can be run: a sample without its question, or one whose record would be taken for another's."""

REMARKS = frozenset({Kind.LONG, Kind.RATE, Kind.ABSENT})
"""Odd, and as published: LibriSpeech has clips of 35 s."""


class Place(NamedTuple):
    """Where a sample is written. line: from 1; 0 for a file as a whole."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class Problem(msgspec.Struct, frozen=True):
    """kind: of what sort. where: file and line. what: the rest of the sentence."""

    kind: Kind
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ClipError(EvaluationError):
    """A clip that cannot be heard. kind: why, for whoever counts."""

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind
