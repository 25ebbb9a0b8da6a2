"""What the rules of IFEval count in a text: words, sentences, words in capitals, its language."""

import re
from functools import cache
from typing import Any

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w+(?:[-.&]\w+)*")
_SENTENCE_END = re.compile(r"""[.!?。！？]+["'”’)\]*_]*(?=\s|$)""")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|jr|sr|inc|ltd|co|corp|vs|etc|e\.g|i\.e|no|fig|vol|approx|dept|est|gen|rev)|\b[A-Za-z])\.$",
    re.IGNORECASE,
)


def n_words(text: str) -> int:
    """Runs of letters, digits and underscores: "don't" has two."""
    return len(_WORD.findall(text))


def n_capital_words(text: str) -> int:
    """Words all in capitals; what is written with a hyphen is one."""
    return sum(token.isupper() for token in _TOKEN.findall(text))


def n_sentences(text: str) -> int:
    """Ends by . ! or ? before white space, but for abbreviations and initials; a rest without an end is one
    more.

    IFEval asks NLTK's Punkt model, whose weights come from a server; texts with unusual abbreviations may
    differ.
    """
    n, begin = 0, 0
    for end in _SENTENCE_END.finditer(text):
        sentence = text[begin : end.end()]
        goes_on = text[end.end() :].lstrip()
        is_abbreviated = end[0] == "." and _ABBREVIATION.search(sentence) is not None
        if goes_on and (is_abbreviated or goes_on[0].islower()):
            continue
        if _WORD.search(sentence):
            n += 1
        begin = end.end()
    return n + bool(_WORD.search(text[begin:]))


def has_language(text: str, language: str) -> bool:
    """language: a code of ISO 639-1. True where nothing in the text tells a language, as IFEval has it."""
    detector = _langdetect()
    try:
        return bool(detector.detect(text) == language)
    except detector.LangDetectException:
        return True


@cache
def _langdetect() -> Any:
    """The library that IFEval names. It draws at random which parts of a text it looks at: always the same
    here."""
    import langdetect  # late: the profiles of 55 languages take a while

    langdetect.DetectorFactory.seed = 0
    return langdetect
