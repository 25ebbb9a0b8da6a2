"""English as upstream compares it: Whisper's English normaliser, then Whisper's basic one, in words.

The rules and tables are `whisper-normalizer`'s, called as they are; four of its replacements (`kinda`,
`sorta`, `dunno`, `cause`) are later than what upstream scores with, and are left out. What is ours is only
when a rule is *not* called, and why that cannot be seen in the result:

- A rule that needs a certain text ("won't", a bracket, a digit) is skipped where that text is not there.
- Almost every rule looks at one word (what stands between white space) at a time, so what it makes of a word
is
  remembered. The rules that look further are few, and for each of them words are held together or the
  sentence is read as a whole:
    brackets and parentheses, an apostrophe after a space, a mark after a space,
    "and a half"                         -> the whole sentence (`_WHOLE`)
    numbers with their signs and units, "5 th", "'s been" and its like, what leaves no word behind
                                         -> the run of such words together (`_LINKED`)
  A word that is neither ends a run: to the number rules it is a word without meaning, as the end of a text
  is.
"""

import re
from collections.abc import Sequence
from enum import Enum, auto
from functools import cache
from importlib.metadata import version
from typing import Final

from whisper_normalizer.basic import BasicTextNormalizer, remove_symbols_and_diacritics
from whisper_normalizer.english import EnglishTextNormalizer

from evaluation.errors import EvaluationError
from evaluation.scoring.transcript import MARKS, tidy
from evaluation.scoring.vocabulary import Vocabulary

_LATER_THAN_UPSTREAM = (r"\bkinda\b", r"\bsorta\b", r"\bdunno\b", r"\bcause\b")
_KEPT_SYMBOLS = ".%$¢€£"  # until numbers have been read; as in EnglishTextNormalizer

_BRACKETED = re.compile(r"[<\[][^>\]]*[>\]]")
_PARENTHESISED = re.compile(r"\(([^)]+?)\)")
_SPACE_BEFORE_APOSTROPHE = re.compile(r"\s+'")
_COMMA_IN_NUMBER = re.compile(r"(\d),(\d)")
_PERIOD_NOT_BEFORE_DIGIT = re.compile(r"\.([^0-9]|$)")
_DIGIT = re.compile(r"\d")

_PERFECTS = ("been", "gone", "done", "got")  # "'s been" and its like reach into the next word
_SUFFIX_OF_DIGITS = re.compile(r"(?:st|nd|rd|th|s)\b")  # "5 th" becomes "5th"
_WORD_AND_MARKS = re.compile(r"([a-z]+)[,;:!?\"]*\.?")

REMEMBERED_MAX = 200_000  # words and runs of words; then all is forgotten, before the next call

SIGNATURE: Final = f"whisper-english-then-basic|whisper-normalizer:{version('whisper-normalizer')}"


class _Rules:
    """`whisper-normalizer`'s tables, and the literal text without which a replacement cannot apply."""

    def __init__(self) -> None:
        english = EnglishTextNormalizer()
        for pattern in _LATER_THAN_UPSTREAM:
            del english.replacers[pattern]
        self.fillers = re.compile(english.ignore_patterns)
        self.filler_words = frozenset(english.ignore_patterns.strip(r"\b()").split("|"))
        self.replacements: list[tuple[str, re.Pattern[str], str]] = [
            (pattern.replace(r"\b", ""), re.compile(pattern), text)
            for pattern, text in english.replacers.items()
        ]
        self.numbers = english.standardize_numbers
        self.number_words: frozenset[str] = frozenset(self.numbers.words)
        self.spellings: dict[str, str] = english.standardize_spellings.mapping
        self.basic = BasicTextNormalizer()
        self.replaced_words = {literal for literal, _, _ in self.replacements if literal.isalpha()}
        # The symbols of ASCII that become a space, first but for those that numbers need, then all of them.
        self.ascii_first = str.maketrans({c: " " for c in _ascii_symbols() if c not in _KEPT_SYMBOLS})
        self.ascii_second = str.maketrans(dict.fromkeys(_ascii_symbols(), " "))


@cache
def _rules() -> _Rules:
    return _Rules()


def _ascii_symbols() -> str:
    return "".join(c for c in map(chr, range(128)) if remove_symbols_and_diacritics(c) == " " and c != " ")


def words(text: str) -> list[str]:
    """The words of a whole text that has been tidied (`transcript.tidy`); what the memory below must equal.

    Raises EvaluationError where Whisper's number rules cannot read a number (one of over 4,300 digits).
    """
    return _after_numbers(_before_numbers(text))


def _before_numbers(text: str) -> str:
    """All of EnglishTextNormalizer up to its number rules."""
    rules = _rules()
    text = text.lower()
    if "<" in text or "[" in text:
        text = _BRACKETED.sub("", text)
    if "(" in text:
        text = _PARENTHESISED.sub("", text)
    if any(filler in text for filler in ("mm", "mhm", "uh", "um")):
        text = rules.fillers.sub("", text)
    if "'" in text:
        text = _SPACE_BEFORE_APOSTROPHE.sub("'", text)
    for literal, pattern, replacement in rules.replacements:
        if literal in text:
            text = pattern.sub(replacement, text)
    if "," in text:
        text = _COMMA_IN_NUMBER.sub(r"\1\2", text)
    if "." in text:
        text = _PERIOD_NOT_BEFORE_DIGIT.sub(r" \1", text)
    if text.isascii():
        return text.translate(rules.ascii_first)
    return str(remove_symbols_and_diacritics(text, keep=_KEPT_SYMBOLS))


def _after_numbers(text: str) -> list[str]:
    """The number rules and all that follows them, as words.

    EnglishTextNormalizer ends by making spaces of the symbols that stand beside no number. The basic
    normaliser makes spaces of all symbols, so that end is left out.
    """
    rules = _rules()
    separate = text.split()
    if _DIGIT.search(text) or "half" in text or not rules.number_words.isdisjoint(separate):
        try:
            separate = rules.numbers(text).split()
        except (AssertionError, ValueError) as failure:
            raise EvaluationError("expected numbers of at most 4,300 digits") from failure
    text = " ".join([rules.spellings.get(word, word) for word in separate])
    if text.isascii():
        return text.translate(rules.ascii_second).split()
    return str(rules.basic(text)).split()


class _Reach(Enum):
    """Why what is made of a word is not to be known from the word alone."""

    LINKED = auto()
    WHOLE = auto()


class EnglishWords:
    """Texts as their words, each word one code point (`Vocabulary`). What words became is remembered."""

    signature = SIGNATURE

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._vocabulary = Vocabulary()
        self._of_word: dict[str, str | _Reach] = {}
        self._of_run: dict[str, str] = {}

    def units(self, text: str) -> list[str]:
        return words(tidy(text))

    def encoded(self, texts: Sequence[str]) -> list[str]:
        """One string for each text, with one code point for each word, the same one within this call."""
        if max(len(self._vocabulary), len(self._of_word), len(self._of_run)) > REMEMBERED_MAX:
            self._forget()
        return [self._encoded(text) for text in texts]

    def _encoded(self, text: str) -> str:
        pieces: list[str] = []
        run: list[str] = []
        of_word = self._of_word
        for word in text.lower().split():
            reading = of_word.get(word)
            if reading is None:
                reading = of_word[word] = self._read(word)
            if reading is _Reach.LINKED:
                run.append(word)
            elif reading is _Reach.WHOLE:
                return self._points(words(tidy(text)))
            else:
                if run:
                    pieces.append(self._run(run))
                    run = []
                pieces.append(reading)
        if run:
            pieces.append(self._run(run))
        return "".join(pieces)

    def _run(self, run: list[str]) -> str:
        text = " ".join(run)
        points = self._of_run.get(text)
        if points is None:
            points = self._of_run[text] = self._points(words(text))
        return points

    def _points(self, separate: list[str]) -> str:
        return "".join([self._vocabulary[word] for word in separate])

    def _read(self, word: str) -> str | _Reach:
        """A word in lower case that has no white space: its code points, or how far one must look."""
        plain = _WORD_AND_MARKS.fullmatch(word)
        if plain and not _is_known(plain[1]):
            return self._vocabulary[_rules().spellings.get(plain[1], plain[1])]
        if word[0] in MARKS or word[0] == "'" or any(opening in word for opening in "<[("):
            return _Reach.WHOLE
        if "'" in word and _rules().fillers.search(word):  # what is left may begin with the apostrophe
            return _Reach.WHOLE
        if word.endswith(("'s", "'d")) or word.startswith(_PERFECTS):
            return _Reach.LINKED
        text = _before_numbers(word)
        separate = text.split()
        if any(one.startswith("half") for one in separate):
            return _Reach.WHOLE
        if not separate or _is_numeric(text, separate) or _SUFFIX_OF_DIGITS.match(separate[0]):
            return _Reach.LINKED
        return self._points(_after_numbers(text))


def _is_known(word: str) -> bool:
    """Whether any rule but that of spellings knows this word, of a to z alone."""
    rules = _rules()
    return (
        word in rules.number_words
        or word in rules.replaced_words
        or word in rules.filler_words
        or word.startswith((*_PERFECTS, "half"))
        or _SUFFIX_OF_DIGITS.fullmatch(word) is not None
    )


def _is_numeric(text: str, separate: list[str]) -> bool:
    """Whether the number rules may see more in this than words without meaning."""
    return (
        _DIGIT.search(text) is not None
        or any(symbol in text for symbol in _KEPT_SYMBOLS)
        or not _rules().number_words.isdisjoint(separate)
    )
