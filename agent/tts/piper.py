"""A Piper voice (VITS as ONNX), run by own code: lexicon phonemes in, samples out.

The voice was trained on espeak-ng's phonemes. Those are made here from the lexicon's notation,
so that neither espeak-ng nor Piper's own code, both under the GPL, is needed.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from agent.api import SPEAKING_HZ
from agent.onnx import onnxruntime, session_options
from agent.speech_text.pronunciation import Lexicon, Pronounced, unpronounced
from agent.speech_text.speakable import pieces
from agent.tts.base import Mark, Samples, SpokenClause
from agent.tts.pauses import shaped

# The lexicon's notation -> espeak-ng's for American English.
_ESPEAK = {
    "ɜɹ": "ɜː",
    "əɹ": "ɚ",
    "A": "eɪ",
    "I": "aɪ",
    "O": "oʊ",
    "W": "aʊ",
    "Y": "ɔɪ",
    "ʤ": "dʒ",
    "ʧ": "tʃ",
    "ᵊ": "ə",
    "ɑ": "ɑː",
    "ɔ": "ɔː",
    "u": "uː",
    # A stressed i is long for espeak-ng ("see"), an unstressed one short ("happy").
    "ˈi": "ˈiː",
    "ˌi": "ˌiː",
}
_STRETCHES = 0.77
"""Of a clause's length, what grows with length_scale. The rest is that the model rounds each phoneme up to
whole frames; measured with four sentences at scales of 0.5 to 4."""
_SOUND = re.compile("|".join(sorted(_ESPEAK, key=len, reverse=True)))


class PiperVoice:
    """Speaks one clause at a time. Holds about 150 MB."""

    def __init__(self, model: Path, config: Path, lexicon: Lexicon, threads: int) -> None:
        settings = json.loads(config.read_text("utf-8"))
        self._ids: dict[str, list[int]] = settings["phoneme_id_map"]
        self._hz: int = settings["audio"]["sample_rate"]
        inference = settings["inference"]
        self._scales = np.array(
            [inference["noise_scale"], inference["length_scale"], inference["noise_w"]], np.float32
        )
        self._lexicon = lexicon
        self._session = onnxruntime.InferenceSession(
            str(model), sess_options=session_options(threads), providers=["CPUExecutionProvider"]
        )

    def speak(self, clause: str, speed: float = 1.0) -> SpokenClause:
        said = self._lexicon.pronounced(pieces(clause))
        phonemes, ends = _phonemes(said)
        if not any(character.isalpha() for character in phonemes):
            return SpokenClause(np.zeros(0, np.float32), (), unpronounced(said))
        samples = self._run(phonemes, speed)
        samples = soxr.resample(samples, self._hz, SPEAKING_HZ).astype(np.float32)
        marks = _marks(len(phonemes), ends, len(samples))
        return replace(shaped(samples, said[-1].piece.spoken, marks, speed), unpronounced=unpronounced(said))

    def _run(self, phonemes: str, speed: float) -> Samples:
        """Return samples at the voice's own rate."""
        pad, ids = self._ids["_"], [*self._ids["^"]]
        for phoneme in phonemes:
            ids += [*pad, *self._ids.get(phoneme, [])]
        ids += [*pad, *self._ids["$"]]
        output: Any = self._session.run(
            None,
            {
                "input": np.array([ids], np.int64),
                "input_lengths": np.array([len(ids)], np.int64),
                "scales": self._scales * np.array([1.0, length_of(speed), 1.0], np.float32),
            },
        )
        return np.asarray(output[0], np.float32).reshape(-1)


def length_of(speed: float) -> float:
    """The factor of length_scale for speech of that speed."""
    return 1.0 + (1.0 / speed - 1.0) / _STRETCHES


def _phonemes(said: Sequence[Pronounced]) -> tuple[str, list[tuple[int, int]]]:
    """Phonemes of the clause, and (phonemes so far, characters so far) after each piece."""
    phonemes = ""
    ends: list[tuple[int, int]] = []
    for one in said:
        if one.piece.is_pause:
            phonemes += one.sound
        elif one.sound:
            phonemes += (" " if phonemes else "") + as_espeak(one.sound)
        ends.append((len(phonemes), one.piece.end))
    return phonemes, ends


def as_espeak(sound: str) -> str:
    """One word, from the lexicon's notation to espeak-ng's."""
    return _SOUND.sub(lambda found: _ESPEAK[found[0]], sound)


def _marks(n_phonemes: int, ends: list[tuple[int, int]], n_samples: int) -> tuple[Mark, ...]:
    """Where each piece ends in time, taking every phoneme to last as long as the others.

    The voice tells no durations; within a clause of seconds this is off by a word at most.
    """
    return tuple(Mark(n_samples * done // max(n_phonemes, 1), text_end) for done, text_end in ends)
