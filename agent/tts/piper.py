"""A Piper voice (VITS as ONNX), run by own code: lexicon phonemes in, samples out.

The voice was trained on espeak-ng's phonemes. Those are made here from the lexicon's notation,
so that neither espeak-ng nor Piper's own code, both under the GPL, is needed.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from agent.api import SPEAKING_HZ
from agent.onnx import onnxruntime, session_options
from agent.speech_text.pronunciation import Lexicon
from agent.speech_text.speakable import Piece, pieces
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

    def speak(self, clause: str) -> SpokenClause:
        said = pieces(clause)
        phonemes, ends = self._phonemes(said)
        if not any(character.isalpha() for character in phonemes):
            return SpokenClause(np.zeros(0, np.float32), ())
        samples = self._run(phonemes)
        samples = soxr.resample(samples, self._hz, SPEAKING_HZ).astype(np.float32)
        return shaped(samples, said[-1].spoken, _marks(len(phonemes), ends, len(samples)))

    def _phonemes(self, said: list[Piece]) -> tuple[str, list[tuple[int, int]]]:
        """Phonemes of the clause, and (phonemes so far, characters so far) after each piece."""
        words = [piece.spoken for piece in said if not piece.is_pause]
        sounds = iter(self._lexicon.phrase(words))
        phonemes = ""
        ends: list[tuple[int, int]] = []
        for piece in said:
            if piece.is_pause:
                phonemes += piece.spoken
            else:
                phonemes += (" " if phonemes else "") + as_espeak(next(sounds))
            ends.append((len(phonemes), piece.end))
        return phonemes, ends

    def _run(self, phonemes: str) -> Samples:
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
                "scales": self._scales,
            },
        )
        return np.asarray(output[0], np.float32).reshape(-1)


def as_espeak(sound: str) -> str:
    """One word, from the lexicon's notation to espeak-ng's."""
    return _SOUND.sub(lambda found: _ESPEAK[found[0]], sound)


def _marks(n_phonemes: int, ends: list[tuple[int, int]], n_samples: int) -> tuple[Mark, ...]:
    """Where each piece ends in time, taking every phoneme to last as long as the others.

    The voice tells no durations; within a clause of seconds this is off by a word at most.
    """
    return tuple(Mark(n_samples * done // max(n_phonemes, 1), text_end) for done, text_end in ends)
