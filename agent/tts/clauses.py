"""Deltas of text -> clauses to speak: the first one short, for an early sound; later ones whole. Pure.

A clause ends only where a character that follows proves it: "3.5", "Dr. Smith" and
"example.com" stay in one piece. The clauses joined are the text.
"""

import re

from agent.speech_text.speakable import ABBREVIATIONS

FIRST_LEAST = 12
"""Characters: shorter first clauses ("Well,") sound chopped, and leave no time to compute the next one."""
FIRST_MOST = 60
LATER_LEAST = 30
LATER_MOST = 220
"""A clause of this length takes a Piper voice 0.5 s on one core: what a conversation beside it may wait."""

_SENTENCE = re.compile(r"[.?!…]+[\"'”’)\]]*(?=\s)|\n+(?=[^\n])")
_PHRASE = re.compile(r"[,;:][\"'”’)\]]*(?=\s)|\s[-–—](?=\s)|—(?=\w)")
_JOINING = re.compile(r"\s(?=(?:and|but|or|because|so|which|that|while|when|if|although|where)\s)")
_UNFINISHED = "|".join(re.escape(word) for word in ABBREVIATIONS if word != "etc.")
_ABBREVIATED = re.compile(rf"(?:(?<!\w)(?:{_UNFINISHED})|(?<!\w)(?:\w\.)+|^\s*\d+\.)$")


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
        end = _first_after(_SENTENCE, self._rest, least)
        if self._is_first:
            phrase = _first_after(_PHRASE, self._rest, least)
            end = min((place for place in (end, phrase) if place is not None), default=None)
        if end is not None and end <= most:
            return end
        return self._forced_end(least, most) if len(self._rest) > most else None

    def _forced_end(self, least: int, most: int) -> int | None:
        """Where a clause that has grown too long is cut: at a phrase, at a joining word, at a space."""
        within = self._rest[: most + 1]
        for boundary in (_PHRASE, _JOINING):
            ends = [match.end() for match in boundary.finditer(within) if match.end() >= least]
            if ends:
                return ends[-1]
        space = within.rfind(" ", least)
        return space + 1 if space >= 0 else None


def _first_after(boundary: re.Pattern[str], text: str, least: int) -> int | None:
    for match in boundary.finditer(text):
        if match.end() >= least and not _ABBREVIATED.search(text[: match.end()]):
            return match.end()
    return None
