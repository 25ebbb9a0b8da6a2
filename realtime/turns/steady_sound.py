"""For a voice activity that takes steady sounds for speech: a tone, the mains, a ventilator are none.

Speech is never level for long: over 1.5 s the standard deviation of its level, 30 ms at a time, is 8 dB (3.9
at the least, 36 utterances); of noise it is 0.3, of a ventilator 1.3. A sound that stays level for so long
becomes the background, and what is not louder than the background is no speech, inside an
utterance too.
"""

from collections import deque

import numpy as np

from realtime.audio.pcm import BYTES_PER_SAMPLE
from realtime.turns.base import VoiceActivity
from realtime.turns.noise_gate import levels

_STEADY_S = 1.5
_STEADY_DB = 2.0  # standard deviation of the level: below it the sound is steady
_LOUDER_DB = 3.0  # a frame so far above the background is no background
_RATE_HZ = 16_000


class WithoutSteadySound:
    """A `VoiceActivity` round another, of one session."""

    def __init__(self, activity: VoiceActivity) -> None:
        self.frame_samples = activity.frame_samples
        self._activity = activity
        self._levels: deque[tuple[float, float]] = deque(
            maxlen=round(_STEADY_S * _RATE_HZ / activity.frame_samples)
        )
        self._background: tuple[float, float] | None = None

    def reset(self) -> None:
        self._activity.reset()
        self._levels.clear()
        self._background = None

    def probability(self, frame: bytes) -> float:
        """Raises ValueError for anything but one frame."""
        probability = self._activity.probability(frame)
        return 0.0 if self._is_background(frame) else probability

    def probabilities(self, frames: bytes) -> list[float]:
        """Raises ValueError for anything but whole frames."""
        step = self.frame_samples * BYTES_PER_SAMPLE
        probabilities = self._activity.probabilities(frames)
        return [
            0.0 if self._is_background(frames[at : at + step]) else probability
            for at, probability in zip(range(0, len(frames), step), probabilities, strict=True)
        ]

    def _is_background(self, frame: bytes) -> bool:
        level = levels(frame)
        self._levels.append(level)
        if len(self._levels) == self._levels.maxlen:
            latest = np.array(self._levels)
            if latest.std(axis=0).min() < _STEADY_DB:
                loudness, difference = latest.mean(axis=0).tolist()
                self._background = (loudness, difference)
        background = self._background
        return background is not None and (
            level[0] < background[0] + _LOUDER_DB and level[1] < background[1] + _LOUDER_DB
        )
