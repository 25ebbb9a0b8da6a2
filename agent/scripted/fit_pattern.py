"""A string in which a regular expression is found, for `fit_schema`: as far as it goes."""

import importlib
import re
import warnings
from collections.abc import Callable
from typing import Any

LONGEST = 1000
"""No repeat is written out more often than this."""

# The parser of the standard library's own `re`; it has no public name.
_parser: Any = importlib.import_module("re._parser")
_ALPHABET = "a0A _-.,:/@!bcdefghijklmnopqrstuvwxyz123456789"


def matching(pattern: str, shortest: int) -> str:
    """A string in which the pattern is found, or "example" where the pattern is too clever."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # "possible nested set" and its like
        try:
            compiled = re.compile(pattern)
            for repeats in (0, shortest):  # `x*` and `x+` may have to fill up to minLength
                text = "".join(_written(piece, repeats) for piece in _parser.parse(pattern))
                if len(text) >= shortest and compiled.search(text):
                    return text
        except (re.error, RecursionError, OverflowError, _TooClever):
            pass
    return "example"


class _TooClever(Exception):
    """A pattern holds what no string is made for: look-around, back-references."""


def _written(piece: tuple[Any, Any], repeats: int) -> str:
    operation, argument = piece
    match str(operation):
        case "LITERAL":
            return chr(int(argument))
        case "ANY":
            return "a"
        case "AT":
            return ""
        case "NOT_LITERAL":
            return "a" if argument != ord("a") else "b"
        case "IN":
            return _one_of(argument)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, inner = argument
            times = int(min(max(least, repeats), int(most), LONGEST))
            return "".join(_written(part, 0) for part in inner) * times
        case "SUBPATTERN":
            return "".join(_written(part, repeats) for part in argument[-1])
        case "BRANCH":
            return "".join(_written(part, repeats) for part in argument[1][0])
        case _:
            raise _TooClever


def _one_of(choices: list[tuple[Any, Any]]) -> str:
    """A letter of a character class. The class is asked itself, so that [^...] needs no thought."""
    negated = str(choices[0][0]) == "NEGATE"
    for letter in [chr(value) for kind, value in choices if str(kind) == "LITERAL"] + list(_ALPHABET):
        if any(_holds(letter, choice) for choice in choices) != negated:
            return letter
    ranges = [value for kind, value in choices if str(kind) == "RANGE"]
    if ranges and not negated:
        return chr(ranges[0][0])
    raise _TooClever


def _holds(letter: str, choice: tuple[Any, Any]) -> bool:
    kind, value = choice
    match str(kind):
        case "LITERAL":
            return bool(ord(letter) == value)
        case "RANGE":
            return bool(value[0] <= ord(letter) <= value[1])
        case "CATEGORY":
            holds = _CATEGORIES.get(str(value))
            return holds is not None and holds(letter)
        case _:
            return False


_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_NOT_DIGIT": lambda letter: not letter.isdigit(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda letter: not letter.isspace(),
    "CATEGORY_WORD": lambda letter: letter.isalnum() or letter == "_",
    "CATEGORY_NOT_WORD": lambda letter: not (letter.isalnum() or letter == "_"),
}
