"""Written text -> what is said: markup goes, figures and symbols become words. Pure.

Every piece remembers how far into the text it reaches, so that "what has been spoken" can be told
in characters of the text that the user reads.
"""

import re
from dataclasses import dataclass

from agent.speech_text.abbreviations import ABBREVIATIONS
from agent.speech_text.dates import DATES
from agent.speech_text.electronic import ELECTRONIC, VERSIONS
from agent.speech_text.figures import FIGURES, FRACTIONS
from agent.speech_text.letters import LETTERS
from agent.speech_text.markup import MARKUP
from agent.speech_text.measures import MEASURES
from agent.speech_text.money import MONEY
from agent.speech_text.rule import RuleSet
from agent.speech_text.symbols import NUMBER_SIGNS, SYMBOLS
from agent.speech_text.telephone import TELEPHONE


@dataclass(frozen=True, slots=True)
class Piece:
    """spoken: words to say, or one of the pauses `, . ? ! ; :`. end: where its source ends in the text.

    Of a source that becomes several words ("$3"), only the last one reaches its end.
    """

    spoken: str
    end: int

    @property
    def is_pause(self) -> bool:
        return self.spoken in PAUSES


PAUSES = frozenset(",.?!;:")
_WORD_OR_PAUSE = re.compile(r"[^\s,.?!;:]+|[,.?!;:]")
_RULES = RuleSet(
    (
        *MARKUP,
        *ELECTRONIC,
        *NUMBER_SIGNS,
        *DATES,
        *TELEPHONE,
        *VERSIONS,
        *MONEY,
        *FRACTIONS,
        *MEASURES,
        *FIGURES,
        *ABBREVIATIONS,
        *LETTERS,
        *SYMBOLS,
    )
)


def pieces(text: str) -> list[Piece]:
    """What is said for the text, in order; [] when there is nothing to say."""
    said: list[Piece] = []
    reached = 0
    for match, verbalised in _RULES.verbalised(text):
        # Where the reader sees one word ("5G"), its parts have been said when all of it has.
        start = reached if _is_inside_word(text, match.start()) else max(match.start(), reached)
        end = start if _is_inside_word(text, match.end()) else match.end()
        words = _WORD_OR_PAUSE.findall(verbalised)
        said += [Piece(word, start) for word in words[:-1]]
        said += [Piece(word, end) for word in words[-1:]]
        reached = end
    return _without_double_pauses(said)


def speakable(text: str) -> str:
    """The same as one string, for synthesisers that take text."""
    return re.sub(r" (?=[,.?!;:])", "", " ".join(piece.spoken for piece in pieces(text)))


def _is_inside_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()


def _without_double_pauses(said: list[Piece]) -> list[Piece]:
    """One pause between words, the strongest; none before the first word."""
    kept: list[Piece] = []
    for piece in said:
        if not piece.is_pause or (kept and not kept[-1].is_pause):
            kept.append(piece)
        elif kept:
            stronger = max(kept[-1].spoken, piece.spoken, key=_STRENGTH.index)
            kept[-1] = Piece(stronger, piece.end)
    return kept


_STRENGTH = ",;:.!?"
