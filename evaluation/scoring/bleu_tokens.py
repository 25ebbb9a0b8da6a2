"""sacrebleu's tokens, asked for once a word, and each token as one code point (`Vocabulary`).

That may be done because its tokenisers look no further than a word (what stands between white space): each of
their rules sees at most one character beside a punctuation mark or a dash, a space there acts as the line's
padding does, and what a rule adds is spaces. What is more is dealt with where it is: lines with a newline
are tokenised whole, and `zh` does not pad its lines, so that their first and last words differ from those
between.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, Protocol

from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sacrebleu.tokenizers.tokenizer_re import TokenizerRegexp
from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh

from evaluation.errors import EvaluationError
from evaluation.scoring.vocabulary import Vocabulary

_REMEMBERED_MAX: Final = 200_000
_SET_APART: Final = '.,?!:;")'  # by both tokenisers, at a word's end


class Tokeniser(Protocol):
    name: str
    """As sacrebleu calls it."""

    def tokens(self, line: str) -> list[str]: ...

    def encoded(self, texts: Sequence[str]) -> list[str]:
        """One string for each text, with one code point for each token, the same one within this call."""
        ...


class _OfWords(dict[str, str]):
    """What became of a word, as code points; made as they come."""

    def __init__(self, vocabulary: Vocabulary, tokenised: Callable[[str], str]) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self._tokenised = tokenised

    def __missing__(self, word: str) -> str:
        if word.isalnum():  # no rule applies to it
            tokens = [word]
        elif word[:-1].isalnum() and word[-1] in _SET_APART:
            tokens = [word[:-1], word[-1]]
        else:
            tokens = self._tokenised(word).split()
        self[word] = points = "".join([self._vocabulary[token] for token in tokens])
        return points


class _ByWords(ABC):
    """What became of each word is remembered, up to a bound. whole: tokenises a line; word: one word."""

    def __init__(self, whole: Callable[[str], str], word: Callable[[str], str]) -> None:
        self._tokenised, self._tokenised_word = whole, word
        self._forget()

    def _forget(self) -> None:
        self._vocabulary = Vocabulary()
        self._of_word = _OfWords(self._vocabulary, self._tokenised_word)

    def tokens(self, line: str) -> list[str]:
        return self._tokenised(line.rstrip()).split()

    def encoded(self, texts: Sequence[str]) -> list[str]:
        if max(len(self._vocabulary), len(self._of_word)) > _REMEMBERED_MAX:
            self._forget()
        return [self._encoded(text) for text in texts]

    @abstractmethod
    def _encoded(self, text: str) -> str: ...


class WesternTokens(_ByWords):
    """`13a`, for all languages but Chinese and Japanese."""

    name = "13a"

    def __init__(self) -> None:
        tokenised = Tokenizer13a()  # type: ignore[no-untyped-call]
        super().__init__(tokenised, tokenised)

    def _encoded(self, text: str) -> str:
        if "\n" in text:  # joins a word that was hyphenated
            return "".join([self._vocabulary[token] for token in self.tokens(text)])
        return "".join([self._of_word[word] for word in text.split()])


class ChineseTokens(_ByWords):
    """`zh`: each Chinese character is a token, and what is between them is cut as `13a` does."""

    name = "zh"

    def __init__(self) -> None:
        tokenised = TokenizerZh()  # type: ignore[no-untyped-call]
        between = TokenizerRegexp()  # type: ignore[no-untyped-call]
        super().__init__(tokenised, lambda word: str(between(f" {word} ")))
        self._spaced = _SpacedIfChinese(tokenised)

    def _encoded(self, text: str) -> str:
        line = text.strip().translate(self._spaced)
        words = line.split()
        if words and (_sees_the_edge(words[0]) or _sees_the_edge(words[-1])):
            return "".join([self._vocabulary[token] for token in self.tokens(text)])
        return "".join([self._of_word[word] for word in words])


class _SpacedIfChinese(dict[int, str]):
    """For str.translate: a Chinese character with a space at each side; made as they come."""

    def __init__(self, tokenised: TokenizerZh) -> None:
        super().__init__()
        self._tokenised = tokenised

    def __missing__(self, point: int) -> str:
        character = chr(point)
        # ASCII is never Chinese to sacrebleu. Of the rest, it sets apart what it takes for Chinese alone.
        is_chinese = point > 0x7F and self._tokenised(f"a{character}a").split() == ["a", character, "a"]
        self[point] = f" {character} " if is_chinese else character
        return self[point]


def _sees_the_edge(word: str) -> bool:
    """Full stops and commas are set apart by what is beside them, which at a line's edge is nothing."""
    return "." in word or "," in word


class JapaneseTokens:
    """`ja-mecab`. Raises EvaluationError where MeCab is not installed."""

    name = "ja-mecab"

    def __init__(self) -> None:
        try:
            self._tokenised = import_module("sacrebleu.tokenizers.tokenizer_ja_mecab").TokenizerJaMecab()
        except (ImportError, RuntimeError) as missing:
            raise EvaluationError("BLEU into Japanese needs MeCab: pip install 'sacrebleu[ja]'") from missing

    def tokens(self, line: str) -> list[str]:
        return list(self._tokenised(line.rstrip()).split())

    def encoded(self, texts: Sequence[str]) -> list[str]:
        vocabulary = Vocabulary()
        return ["".join([vocabulary[token] for token in self.tokens(text)]) for text in texts]
