"""Whisper's basic normaliser, in words (French and other languages) and in characters.

Texts become lower case, what stands in brackets or parentheses of ASCII goes, compatibility forms are folded
(NFKC), symbols and punctuation become spaces. Diacritics stay where a composed character exists.
The rules are `whisper-normalizer`'s. All but that of brackets look at one word at a time, so what became of a
word is remembered; and none looks past a line's end but that of brackets, so that many texts, one a line, are
normalised at once where there is no bracket.
"""

import unicodedata
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from whisper_normalizer.basic import BasicTextNormalizer

from evaluation.scoring.transcript import tidy
from evaluation.scoring.vocabulary import Vocabulary

REMEMBERED_MAX = 200_000  # words; then all is forgotten, before the next call

SIGNATURE: Final = f"whisper-basic|whisper-normalizer:{version('whisper-normalizer')}"


class BasicWords:
    """Texts as their words, each word one code point (`Vocabulary`). What words became is remembered.

    keeps_marks: combining marks that have no composed form stay (the vowels of Hindi, Thai, Arabic); Whisper's
    own figures make spaces of them. folds_diacritics: é and e, œ and oe are the same.
    """

    def __init__(self, *, keeps_marks: bool = False, folds_diacritics: bool = False) -> None:
        self._normaliser = BasicTextNormalizer(remove_diacritics=folds_diacritics, preserve_marks=keeps_marks)
        self.signature = SIGNATURE + "|marks:kept" * keeps_marks + "|diacritics:folded" * folds_diacritics
        self._forget()

    def _forget(self) -> None:
        self._vocabulary = Vocabulary()
        self._of_word: dict[str, str] = {}

    def units(self, text: str) -> list[str]:
        return list(self._normaliser(tidy(text)).split())

    def encoded(self, texts: Sequence[str]) -> list[str]:
        """One string for each text, with one code point for each word, the same one within this call."""
        if max(len(self._vocabulary), len(self._of_word)) > REMEMBERED_MAX:
            self._forget()
        return [self._encoded(text) for text in texts]

    def _encoded(self, text: str) -> str:
        separate = text.lower().split()
        try:
            return "".join([self._of_word[word] for word in separate])
        except KeyError:
            pass
        if "Σ" in text or _has_opening(text):
            return self._points(self.units(text))
        for word in separate:
            # `tidy` moves a mark to the word before. Either way it becomes a space, and nothing else looks at
            # it (but Σ, whose small form depends on what stands behind a full stop or colon).
            if word not in self._of_word:
                self._of_word[word] = self._points(self.units(word))
        return "".join([self._of_word[word] for word in separate])

    def _points(self, separate: list[str]) -> str:
        return "".join([self._vocabulary[word] for word in separate])


class BasicCharacters:
    """Texts as their characters, for languages that are written without spaces: one code point each."""

    def __init__(self, *, keeps_marks: bool = False) -> None:
        self._words = BasicWords(keeps_marks=keeps_marks)
        self._spaces = _SpacesForSymbols("SP" if keeps_marks else "MSP")
        self.signature = self._words.signature

    def units(self, text: str) -> list[str]:
        return list(self.encoded([text])[0])

    def encoded(self, texts: Sequence[str]) -> list[str]:
        """The characters of each text, normalised, without white space."""
        return self.of_tidied([tidy(text) for text in texts])

    def of_tidied(self, texts: Sequence[str]) -> list[str]:
        """The same of texts that have been tidied (`transcript.tidy`), which are single lines therefore."""
        if any(map(_has_opening, texts)):
            plain = iter(self.of_tidied([text for text in texts if not _has_opening(text)]))
            return ["".join(self._words.units(text)) if _has_opening(text) else next(plain) for text in texts]
        lines = "\n".join(texts).lower()
        lines = unicodedata.normalize("NFKC", lines).translate(self._spaces).lower()
        return ["".join(line.split()) for line in lines.split("\n")] if texts else []


class _SpacesForSymbols(dict[int, int]):
    """For str.translate: a space for each character of some Unicode categories; made as they come."""

    def __init__(self, categories: str) -> None:
        super().__init__()
        self._categories = categories

    def __missing__(self, point: int) -> int:
        is_symbol = unicodedata.category(chr(point))[0] in self._categories
        self[point] = 0x20 if is_symbol else point
        return self[point]


def _has_opening(text: str) -> bool:
    """Whether the rules of brackets may apply, the only ones that look past a word."""
    return "(" in text or "[" in text or "<" in text
