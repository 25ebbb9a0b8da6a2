"""A synthesiser that is a fake and sounds like one: a tone for every word. For tests and benchmarks."""

import re

import numpy as np

from agent.api import SPEAKING_HZ
from agent.tts.base import Mark, Samples, SpokenClause
from agent.tts.threaded import ThreadedSynthesiser

WORD_S = 0.2
"""Of each word, half tone and half silence: about five words a second."""


class ToneVoice:
    """Pitch: 220 Hz and 20 Hz more for each letter of the word, so that a test can tell words apart."""

    def speak(self, clause: str, speed: float = 1.0) -> SpokenClause:
        words = list(re.finditer(r"\w+", clause))
        length = int(WORD_S / speed * SPEAKING_HZ)
        samples = np.concatenate([np.zeros(0, np.float32), *(_tone(len(word[0]), length) for word in words)])
        marks = tuple(Mark(length * number, word.end()) for number, word in enumerate(words, start=1))
        return SpokenClause(samples.astype(np.float32), marks)


def fake_synthesiser() -> ThreadedSynthesiser:
    return ThreadedSynthesiser({"fake": ToneVoice()})


def _tone(letters: int, length: int) -> Samples:
    half = length // 2
    angle = 2.0 * np.pi * (220.0 + 20.0 * letters) * np.arange(half) / SPEAKING_HZ
    return np.concatenate([0.2 * np.sin(angle), np.zeros(half)]).astype(np.float32)
