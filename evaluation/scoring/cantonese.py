"""Cantonese as upstream compares it: simplified characters first, then Whisper's basic normaliser.

Upstream simplifies by zhconv's table for zh-cn. That package is GPL-2.0-or-later, so Parlour does not bring
it; where the user has installed it, it is used, and scores are upstream's. Elsewhere OpenCC's t2s
simplifies, which differs in some hundred rare characters and in words (滑鼠, 網路); the signature says
which.
"""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

import numpy as np

from evaluation.scoring.basic import BasicCharacters
from evaluation.scoring.code_points import CharacterTable, points_of
from evaluation.scoring.transcript import tidy


class Simplifier(Protocol):
    @property
    def signature(self) -> str: ...

    def __call__(self, text: str) -> str:
        """Simplified characters for traditional ones. Nothing is looked at across a line's end."""
        ...


class CantoneseCharacters:
    """Texts as their characters, simplified and normalised, one code point each."""

    def __init__(self, simplifier: Simplifier | None = None) -> None:
        self._simplified = simplifier or best_simplifier()
        self._basic = BasicCharacters()
        self.signature = f"{self._simplified.signature}|{self._basic.signature}"

    def units(self, text: str) -> list[str]:
        return list(self.encoded([text])[0])

    def encoded(self, texts: Sequence[str]) -> list[str]:
        if not texts:
            return []
        lines = "\n".join([tidy(text) for text in texts])
        return self._basic.of_tidied(self._simplified(lines).split("\n"))


def best_simplifier() -> Simplifier:
    """Upstream's where it is installed, otherwise the one that Parlour brings."""
    try:
        return ZhconvSimplifier()
    except PackageNotFoundError:
        return OpenccSimplifier()


class OpenccSimplifier:
    def __init__(self) -> None:
        self._convert = import_module("opencc").OpenCC("t2s").convert
        self.signature = f"opencc:{version('opencc')}:t2s"

    def __call__(self, text: str) -> str:
        return str(self._convert(text))


class ZhconvSimplifier:
    """zhconv's own table, read by the longest entry at each place, as zhconv does, only faster.

    Entries of several characters are looked for only where two characters begin one; all that is between such
    places is looked up at once, character by character. Raises PackageNotFoundError where there is no zhconv.
    """

    def __init__(self) -> None:
        self.signature = f"zhconv:{version('zhconv')}:zh-cn"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # zhconv does not close its table's file
            table: dict[str, str] = import_module("zhconv.zhconv").getdict("zh-cn")
        self._characters = CharacterTable(lambda character: table.get(character, character))
        self._phrases = {entry: text for entry, text in table.items() if len(entry) > 1}
        lengths: dict[str, set[int]] = {}
        for entry in self._phrases:
            lengths.setdefault(entry[:2], set()).add(len(entry))
        self._lengths = {beginning: sorted(found, reverse=True) for beginning, found in lengths.items()}
        self._is_first, self._is_second = np.zeros((2, sys.maxunicode + 1), np.bool_)
        self._is_first[[ord(beginning[0]) for beginning in lengths]] = True
        self._is_second[[ord(beginning[1]) for beginning in lengths]] = True

    def __call__(self, text: str) -> str:
        simplified: list[str] = []
        done = 0
        for at in self._where_phrases_may_begin(text):
            if at < done:
                continue
            for length in self._lengths.get(text[at : at + 2], ()):
                phrase = self._phrases.get(text[at : at + length])
                if phrase is not None:
                    simplified += self._characters(text[done:at]), phrase
                    done = min(at + length, len(text))
                    break
        simplified.append(self._characters(text[done:]))
        return "".join(simplified)

    def _where_phrases_may_begin(self, text: str) -> list[int]:
        points = points_of(text)
        return np.flatnonzero(self._is_first[points[:-1]] & self._is_second[points[1:]]).tolist()
