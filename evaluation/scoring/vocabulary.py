"""Words as single code points, so that a sentence is a short string, and strings are compared in C."""

import sys

from evaluation.errors import EvaluationError


class Vocabulary(dict[str, str]):
    """Gives each new word the next code point."""

    def __missing__(self, word: str) -> str:
        if len(self) > sys.maxunicode:
            raise EvaluationError(f"expected at most {sys.maxunicode:,} different words in a text")
        point = chr(len(self))
        self[word] = point
        return point
