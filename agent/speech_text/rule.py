"""What a rule of verbalisation is: a written form, and the words that it is read as.

The kinds of written form are the "semiotic classes" of text normalisation (Ebden and Sproat, "The
Kestrel TTS text normalization system", Natural Language Engineering 21, 2015).
"""

import re
from collections.abc import Callable, Iterable
from functools import cached_property

Verbalise = Callable[[re.Match[str]], str]
"""The written form -> words, with the pauses `, . ? ! ; :` as signs of their own or after a word."""

CONTEXT = 40
"""Characters before or after a written form that may decide how it is read."""


class Rule:
    """pattern: its quantifiers are bounded, or nothing that they could give back would match.

    With that, and no lookaround wider than CONTEXT, reading a text takes time in proportion to it.
    """

    def __init__(self, pattern: str, verbalise: Verbalise) -> None:
        self.pattern = pattern
        self.verbalise = verbalise

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)


class RuleSet:
    """Rules in order: of those that match at a place, the first decides."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        # One expression finds the place and the rule. Names may occur in several rules, so there
        # they are taken off; the rule's own expression then reads the parts.
        self._any = re.compile("|".join(f"({_unnamed(rule.pattern)})" for rule in self._rules))

    def verbalised(self, text: str) -> Iterable[tuple[re.Match[str], str]]:
        """Each written form that is found, in order, with its words."""
        for found in self._any.finditer(text):
            rule = self._rules[(found.lastindex or 1) - 1]
            match = rule.compiled.match(text, found.start())
            assert match is not None, "the same expression has just matched here"
            yield match, rule.verbalise(match)


def before(match: re.Match[str]) -> str:
    """The text in front of the written form, CONTEXT characters at most."""
    return match.string[max(0, match.start() - CONTEXT) : match.start()]


def after(match: re.Match[str]) -> str:
    return match.string[match.end() : match.end() + CONTEXT]


def any_of(written: Iterable[str]) -> str:
    """A pattern for one of them; longest first, so that "km/h" is not read as "km"."""
    return f"(?:{'|'.join(re.escape(one) for one in sorted(written, key=len, reverse=True))})"


def nothing(_: re.Match[str]) -> str:
    return ""


def _unnamed(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)
