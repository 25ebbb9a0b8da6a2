"""Cantonese as upstream compares it: simplified characters first, then Whisper's basic normaliser.

Upstream simplifies by zhconv's table for zh-cn. That package is GPL-2.0-or-later, so Parlour does not bring it; where
the user has installed it, it is used, and scores are upstream's. Elsewhere OpenCC's t2s simplifies, which differs in
some hundred rare characters and in words (滑鼠, 網路); the signature says which.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from evaluation.scoring.basic import BasicCharacters
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
    """zhconv's own table, read by the longest entry at each place, as zhconv does, in a twentieth of the time.

    Raises PackageNotFoundError where zhconv is not installed.
    """

    def __init__(self) -> None:
        self.signature = f"zhconv:{version('zhconv')}:zh-cn"
        self._table: dict[str, str] = import_module("zhconv.zhconv").getdict("zh-cn")
        lengths: dict[str, set[int]] = {}
        for entry in self._table:
            lengths.setdefault(entry[0], set()).add(len(entry))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}

    def __call__(self, text: str) -> str:
        simplified: list[str] = []
        at = 0
        while at < len(text):
            entry = text[at]
            for length in self._lengths.get(entry, ()):
                candidate = text[at : at + length]
                if candidate in self._table:
                    entry = candidate
                    break
            simplified.append(self._table.get(entry, entry))
            at += len(entry)
        return "".join(simplified)
