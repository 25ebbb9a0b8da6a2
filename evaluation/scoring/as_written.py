"""Texts without a normaliser: what a second score is made of where users dispute the rules of the first."""

import unicodedata
from collections.abc import Sequence

from evaluation.scoring.cantonese import Simplifier, best_simplifier
from evaluation.scoring.chinese import ChineseCharacters
from evaluation.scoring.transcript import tidy, tidy_without_spaces
from evaluation.scoring.vocabulary import Vocabulary


class WrittenWords:
    """Words between white space, with their case and punctuation; only special tokens go."""

    signature = "as-written"

    def units(self, text: str) -> list[str]:
        return tidy(text).split()

    def encoded(self, texts: Sequence[str]) -> list[str]:
        vocabulary = Vocabulary()
        return ["".join([vocabulary[word] for word in self.units(text)]) for text in texts]


class WrittenCharacters:
    """Characters but white space; only special tokens go."""

    signature = "as-written"

    def units(self, text: str) -> list[str]:
        return list(tidy_without_spaces(text))

    def encoded(self, texts: Sequence[str]) -> list[str]:
        return [tidy_without_spaces(text) for text in texts]


class SimplifiedChinese:
    """Chinese as upstream compares it, after traditional characters and full-width forms have been folded."""

    def __init__(self, simplifier: Simplifier | None = None) -> None:
        self._simplified = simplifier or best_simplifier()
        self._chinese = ChineseCharacters()
        self.signature = f"nfkc|{self._simplified.signature}|{self._chinese.signature}"

    def units(self, text: str) -> list[str]:
        return self._chinese.units(self._folded(text))

    def encoded(self, texts: Sequence[str]) -> list[str]:
        return self._chinese.encoded([self._folded(text) for text in texts])

    def _folded(self, text: str) -> str:
        return self._simplified(unicodedata.normalize("NFKC", tidy_without_spaces(text)))
