"""How clauses follow each other: a voice's own silence goes, a pause fit for the punctuation comes. Pure."""

from collections.abc import Sequence

import numpy as np

from agent.api import SPEAKING_HZ
from agent.tts.base import Mark, Samples, SpokenClause

QUIET = 0.01
"""-40 dBFS: what a voice makes between words, and less than its softest sound."""
LEAD_S = 0.02
"""Kept before the first sound: a plosive begins softer than QUIET."""
TAIL_S = 0.06
_PAUSES_S = {".": 0.12, "?": 0.12, "!": 0.12, ",": 0.06, ";": 0.10, ":": 0.10}
"""With LEAD_S and TAIL_S, 0.20 s of silence between two sentences. The Piper voice makes 0.15 s of its own
(median of 16 pairs); readers of LibriVox pause for 0.17 s to 0.26 s at a comma (tests/data/speech)."""


def shaped(samples: Samples, last: str, marks: Sequence[Mark], speed: float = 1.0) -> SpokenClause:
    """Trim the silence round the clause and append the pause that its last piece asks for.

    last: what the clause ends on, a pause or a word. The lead is what the user waits for, so it
    counts in the time to first audio. speed: at which the clause is spoken, and pauses are made.
    """
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    if len(loud) == 0:
        return SpokenClause(np.zeros(0, np.float32), ())
    start = max(0, int(loud[0]) - int(LEAD_S * SPEAKING_HZ))
    end = min(len(samples), int(loud[-1]) + int(TAIL_S * SPEAKING_HZ))
    pause = np.zeros(int(_PAUSES_S.get(last, 0.0) / speed * SPEAKING_HZ), np.float32)
    moved = tuple(Mark(min(max(mark.sample - start, 0), end - start), mark.text_end) for mark in marks)
    return SpokenClause(np.concatenate([samples[start:end], pause]), moved)
