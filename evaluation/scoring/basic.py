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

from evaluation.scoring.code_points import CharacterTable
from evaluation.scoring.transcript import MARKS, tidy
from evaluation.scoring.vocabulary import Vocabulary

REMEMBERED_MAX = 200_000  # words; then all is forgotten, before the next call

SIGNATURE: Final = f"whisper-basic|whisper-normalizer:{version('whisper-normalizer')}"


class BasicWords:
    """Texts as their words, each word one code point (`Vocabulary`). What words became is remembered.

    keeps_marks: combining marks that have no composed form stay (the vowels of Hindi, Thai, Arabic);
    Whisper's own figures make spaces of them. folds_diacritics: é and e, œ and oe are the same.
    """

    def __init__(self, *, keeps_marks: bool = False, folds_diacritics: bool = False) -> None:
        self._normaliser = BasicTextNormalizer(remove_diacritics=folds_diacritics, preserve_marks=keeps_marks)
        self._folds_diacritics = folds_diacritics
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
                self._of_word[word] = self._read(word)
        return "".join([self._of_word[word] for word in separate])

    def _read(self, word: str) -> str:
        """A word in lower case that has no white space or bracket."""
        bare = word.rstrip(MARKS)
        if bare.isalnum() and bare.islower() and (bare.isascii() or self._is_kept(bare)):
            return self._vocabulary[bare]  # letters and digits in their normal form: nothing to do
        return self._points(self.units(word))

    def _is_kept(self, word: str) -> bool:
        return not self._folds_diacritics and unicodedata.is_normalized("NFKC", word)

    def _points(self, separate: list[str]) -> str:
        return "".join([self._vocabulary[word] for word in separate])


class BasicCharacters:
    """Texts as their characters, for languages that are written without spaces: one code point each."""

    def __init__(self, *, keeps_marks: bool = False) -> None:
        self._normaliser = BasicTextNormalizer(preserve_marks=keeps_marks)
        self._of_characters = CharacterTable(self._of_character)
        self.signature = SIGNATURE + "|marks:kept" * keeps_marks

    def units(self, text: str) -> list[str]:
        return list(self._of_one(tidy(text)))

    def encoded(self, texts: Sequence[str]) -> list[str]:
        """The characters of each text, normalised, without white space."""
        return self.of_tidied([tidy(text) for text in texts])

    def of_tidied(self, texts: Sequence[str]) -> list[str]:
        """The same of texts that have been tidied (`transcript.tidy`), which are single lines therefore."""
        lines = self._of_characters("\n".join(texts))
        if _UNSURE not in lines:
            return lines.split("\n") if texts else []
        return [
            self._of_one(text) if _UNSURE in line else line
            for text, line in zip(texts, lines.split("\n"), strict=True)
        ]

    def _of_one(self, text: str) -> str:
        return "".join(self._normaliser(text).split())

    def _of_character(self, character: str) -> str:
        """What becomes of it, if that does not depend on others and is one character at most."""
        if character == "\n":
            return character
        becomes = self._of_one(character)
        is_sure = character not in "<[(" and _stands_alone(character) and len(becomes) <= 1
        return becomes if is_sure else _UNSURE


_UNSURE: Final = "\0"


_THAT_STAND_ALONE: Final = (
    (0x20, 0x24F),  # Latin
    (0x2000, 0x206F),  # general punctuation
    (0x2E80, 0x9FFF),  # radicals, punctuation, kana, ideographs
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFF01, 0xFF60),  # full-width ASCII
    (0x20000, 0x3FFFF),  # ideographs beyond the basic plane
)
"""Blocks whose characters, but marks, neither combine with others (UAX #15) nor change case by them."""


def _stands_alone(character: str) -> bool:
    is_in_block = any(first <= ord(character) <= last for first, last in _THAT_STAND_ALONE)
    begins = unicodedata.normalize("NFKD", character)[0]
    return is_in_block and unicodedata.category(begins)[0] != "M" and not unicodedata.combining(begins)


def _has_opening(text: str) -> bool:
    """Whether the rules of brackets may apply, the only ones that look past a word."""
    return "(" in text or "[" in text or "<" in text
