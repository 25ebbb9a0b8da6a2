"""Kokoro-82M (StyleTTS 2 as ONNX), run by own code: lexicon phonemes in, samples out.

The lexicon's notation is the one that Kokoro learned from, so no other phonemiser is needed. Its
sound is the better one, at about seven times the work of Piper: a voice for four cores or more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.api import SPEAKING_HZ
from agent.onnx import onnxruntime, session_options
from agent.speech_text.pronunciation import Lexicon, Pronounced, unpronounced
from agent.speech_text.speakable import Piece, pieces
from agent.tts.base import Mark, Samples, SpokenClause
from agent.tts.pauses import QUIET, shaped

assert SPEAKING_HZ == 24_000, "Kokoro's own rate: nothing is resampled here"

MOST_TOKENS = 510
"""The model's context of 512, without the pad at either end."""
STYLE_DIMENSIONS = 256
_PAD = 0

# Kokoro-82M, config.json, "vocab": those that American English needs.
_TOKENS = {
    **{";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, " ": 16},
    **{"A": 24, "I": 25, "O": 31, "T": 36, "W": 39, "Y": 41, "ᵊ": 42, "a": 43},
    **{"b": 44, "d": 46, "e": 47, "f": 48, "h": 50, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56},
    **{"o": 57, "p": 58, "s": 61, "t": 62, "u": 63, "v": 64, "w": 65, "z": 68},
    **{"ɑ": 69, "ɐ": 70, "æ": 72, "ɔ": 76, "ð": 81, "ʤ": 82, "ə": 83, "ɛ": 86, "ɜ": 87, "ɡ": 92},
    **{"ɪ": 102, "ŋ": 112, "θ": 119, "ɹ": 123, "ʃ": 131, "ʧ": 133, "ʊ": 135, "ʌ": 138, "ʒ": 147},
    **{"ˈ": 156, "ˌ": 157, "ᵻ": 177},
    # The flap of "city" was written T when this model was trained, and a glottal stop t.
    **{"ɾ": 36, "ʔ": 62},
}

Styles = NDArray[np.float32]
"""(MOST_TOKENS, STYLE_DIMENSIONS): how a voice sounds, by the number of tokens, from one on."""
Compute = Callable[[Sequence[int], NDArray[np.float32], float], Samples]
"""Tokens, at most MOST_TOKENS, a style (STYLE_DIMENSIONS,), the speed -> samples with silence round them."""


def kokoro_voices(
    parts: Sequence[Path], styles: Mapping[str, Path], lexicon: Lexicon, threads: int
) -> dict[str, "KokoroVoice"]:
    """Load the model once for all voices: a second, 250 MB, and 600 MB after a clause of 13 s.

    parts: files that joined are the model. styles: name of a voice -> its styles, as float32.
    """
    # Joined in memory: no second copy on the disk, nothing to clean up.
    compute = _computing(b"".join(part.read_bytes() for part in parts), threads)
    return {
        name: KokoroVoice(compute, np.fromfile(path, "<f4").reshape(MOST_TOKENS, STYLE_DIMENSIONS), lexicon)
        for name, path in styles.items()
    }


@dataclass(frozen=True, slots=True)
class _Sound:
    """A word or a pause, and its tokens."""

    piece: Piece
    tokens: tuple[int, ...]


class KokoroVoice:
    """Speaks one clause at a time."""

    def __init__(self, compute: Compute, styles: Styles, lexicon: Lexicon) -> None:
        self._compute = compute
        self._styles = styles
        self._lexicon = lexicon

    def speak(self, clause: str, speed: float = 1.0) -> SpokenClause:
        said = self._lexicon.pronounced(pieces(clause))
        # Slow speech is long, and the model's memory grows with it: no longer than at its own speed.
        most_tokens = int(MOST_TOKENS * min(1.0, speed))
        spoken = [self._spoken(stretch, speed) for stretch in _stretches(_sounds(said), most_tokens)]
        return replace(_joined(spoken), unpronounced=unpronounced(said))

    def _spoken(self, stretch: Sequence[_Sound], speed: float) -> SpokenClause:
        tokens = [token for sound in stretch for token in sound.tokens]
        if all(token <= _TOKENS[" "] for token in tokens):  # pauses only
            return SpokenClause(np.zeros(0, np.float32), ())
        samples = self._compute(tokens, self._styles[len(tokens) - 1], speed)
        return shaped(samples, stretch[-1].piece.spoken, _marks(stretch, samples), speed)


def _sounds(said: Sequence[Pronounced]) -> Iterator[_Sound]:
    for number, one in enumerate(said):
        between = " " if number and not one.piece.is_pause else ""
        yield _Sound(one.piece, tokens_of(between + one.sound)[:MOST_TOKENS])


def tokens_of(phonemes: str) -> tuple[int, ...]:
    """From the lexicon's notation to the model's numbers; what the model does not know is left out."""
    return tuple(_TOKENS[phoneme] for phoneme in phonemes if phoneme in _TOKENS)


def _stretches(sounds: Iterator[_Sound], most_tokens: int) -> Iterator[list[_Sound]]:
    """As much as the model holds at a time: a clause, or less where numbers make it long."""
    stretch: list[_Sound] = []
    n_tokens = 0
    for sound in sounds:
        if stretch and n_tokens + len(sound.tokens) > most_tokens:
            yield stretch
            stretch, n_tokens = [], 0
        stretch.append(sound)
        n_tokens += len(sound.tokens)
    if stretch:
        yield stretch


def _marks(stretch: Sequence[_Sound], samples: Samples) -> tuple[Mark, ...]:
    """Where each sound ends in time, taking every token to last as long as the others.

    The voice tells no durations. Of the 0.8 s of silence that it puts round a clause, none counts.
    """
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    if len(loud) == 0:
        return ()
    start, end = int(loud[0]), int(loud[-1]) + 1
    n_tokens = sum(len(sound.tokens) for sound in stretch)
    marks: list[Mark] = []
    done = 0
    for sound in stretch:
        done += len(sound.tokens)
        marks.append(Mark(start + (end - start) * done // n_tokens, sound.piece.end))
    return tuple(marks)


def _joined(spoken: Sequence[SpokenClause]) -> SpokenClause:
    marks: list[Mark] = []
    n_samples = 0
    for part in spoken:
        marks += [Mark(n_samples + mark.sample, mark.text_end) for mark in part.marks]
        n_samples += len(part.samples)
    return SpokenClause(
        np.concatenate([np.zeros(0, np.float32), *(part.samples for part in spoken)]), tuple(marks)
    )


def _computing(model: bytes, threads: int) -> Compute:
    session = onnxruntime.InferenceSession(
        model, sess_options=session_options(threads), providers=["CPUExecutionProvider"]
    )

    def compute(tokens: Sequence[int], style: NDArray[np.float32], speed: float) -> Samples:
        output: Any = session.run(
            None,
            {
                "tokens": np.array([[_PAD, *tokens, _PAD]], np.int64),
                "style": style.reshape(1, STYLE_DIMENSIONS),
                "speed": np.array([speed], np.float32),
            },
        )
        return np.asarray(output[0], np.float32).reshape(-1)

    return compute
