"""Deltas of text -> clauses to speak: the first one short, for an early sound; later ones whole. Pure.

A clause ends only where a character that follows proves it: "3.5", "No. 5", "10 - 3", "Dr. Smith"
and "example.com" stay in one piece. The clauses joined are the text.
"""

import re
from collections.abc import Iterator

from agent.speech_text.abbreviations import ends_sentence

FIRST_LEAST = 12
"""Characters: shorter first clauses ("Well,") sound chopped, and leave no time to compute the next one."""
FIRST_UNMARKED_LEAST = 24
"""Characters before a joining word or a preposition that make a first clause without a comma."""
FIRST_MOST = 40
"""Characters, seven or eight words: a longer first sentence begins to sound before it is whole."""
AHEAD = 8
"""Characters that are known after a cut: whether the next word may be an abbreviation."""
LATER_LEAST = 30
LATER_MOST = 220
"""A clause of this length takes a Piper voice 0.5 s on one core: what a conversation beside it may wait."""

LONGEST_UNBROKEN = 4 * LATER_MOST
"""Characters without a place to cut at: then the cut comes anywhere, so that no clause grows without end."""

_SENTENCE = re.compile(r"[.?!…]+[\"'”’)\]]*(?=\s)|\n+(?=[^\n])")
# A dash between numbers is a minus or a range.
_PHRASE = re.compile(r"[,;:][\"'”’)\]]*(?=\s)|(?<![\d=)])\s[-–—](?=\s)|—(?=\w)")
_JOINING = re.compile(r"(?<![\d.])\s(?=(?:and|but|or|because|so|which|that|while|when|if|although|where)\s)")
_PREPOSITION = re.compile(
    r"(?<![\d.])\s(?=(?:about|after|among|at|before|between|by|during|for|from|in|into|near|on|over|through"
    r"|under|until|with|without)\s)"
)
# Not beside a number, its sign or its unit, nor inside "the code is 90210"; nor beside an abbreviation ("42nd
# St."), so only before a word that is known to be none.
_BETWEEN_WORDS = re.compile(
    r"(?<![\d.:/+=×÷$€£−–-])\s(?![\d+=×÷/*−–-]|(?:is|was|to|number|code)\s)(?=\S{6}|\S*[^\s.]\s)"
)


class ClauseCutter:
    """Takes one answer. A value with state: `push` deltas, then `finish` once."""

    def __init__(self) -> None:
        self._rest = ""
        self._is_first = True

    def push(self, delta: str) -> list[str]:
        """Add text and return the clauses that it completes."""
        self._rest += delta
        clauses: list[str] = []
        while (end := self._clause_end()) is not None:
            clauses.append(self._rest[:end])
            self._rest = self._rest[end:]
            self._is_first = False
        return clauses

    def finish(self) -> list[str]:
        """What is left when the answer has ended."""
        rest, self._rest = self._rest, ""
        return [rest] if rest else []

    def _clause_end(self) -> int | None:
        least, most = (FIRST_LEAST, FIRST_MOST) if self._is_first else (LATER_LEAST, LATER_MOST)
        end = _sentence_end(self._rest, least)
        if self._is_first:
            phrase = next(_ends(_PHRASE, self._rest, least), None)
            end = min((place for place in (end, phrase) if place is not None), default=None)
            end = self._unmarked_end(end) or end
        if end is not None and end <= most:
            return end
        if len(self._rest) <= most + AHEAD:
            return None
        forced = self._forced_end(least, most)
        return end if forced is None else forced

    def _unmarked_end(self, end: int | None) -> int | None:
        """Where the first clause ends without a comma, unless it ends (at `end`) a few words later anyway."""
        places = (
            next(_ends(word, self._rest, FIRST_UNMARKED_LEAST), None) for word in (_JOINING, _PREPOSITION)
        )
        first = min((place for place in places if place is not None), default=None)
        return None if first is None or (end is not None and end - first < FIRST_LEAST) else first

    def _forced_end(self, least: int, most: int) -> int | None:
        """Where a clause that has grown too long is cut: where a speaker might pause, or else at a space."""
        within = self._rest[: most + AHEAD]
        for boundary in (_PHRASE, _JOINING, _PREPOSITION, _BETWEEN_WORDS):
            ends = [end for end in _ends(boundary, within, least) if end <= most + 1]
            if ends:
                return ends[-1]
        if len(self._rest) <= LATER_MOST:
            return None
        space = self._rest[: LATER_MOST + 1].rfind(" ", least)
        if space >= 0:
            return space + 1
        return LONGEST_UNBROKEN if len(self._rest) > LONGEST_UNBROKEN else None


def _ends(boundary: re.Pattern[str], text: str, least: int) -> Iterator[int]:
    return (match.end() for match in boundary.finditer(text) if match.end() >= least)


def _sentence_end(text: str, least: int) -> int | None:
    for end in _ends(_SENTENCE, text, least):
        is_end = ends_sentence(text, end)
        if is_end is None:
            return None  # the next character will tell
        if is_end:
            return end
    return None
