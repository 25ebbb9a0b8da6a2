"""A noise gate in front of the voice activity model: closed while surely nobody speaks.

Most of a session is silence or the sound of a room, and a model that says so thirty times a second
is most of what the gateway would cost. The gate follows the level of that sound and opens for
anything a little louder. It decides only what to look at, never that someone speaks; what the model
says of it teaches the gate the room's level, so that a ventilator that starts up opens it for a
second and not for ever.
"""

import math

import numpy as np

# How far above the room a frame opens it. Steady noise varies by 1 to 3 dB from one 32 ms to the
# next in level, by less in level of the difference (more of its spectrum counts); speech rises by 10.
_OPENS_DB = 4.0
_DIFFERENCE_OPENS_DB = 2.0
_HOLD_FRAMES = 8  # open for a quarter of a second more: a word's soft sounds lie between loud ones
_QUIETEST_DB = 22.0  # 10 log10 of the mean square of 16-bit samples: never wait for less than this
_SURELY_NOT_SPEECH = 0.25  # a probability below which the model's frame was the room
_FOLLOW_DOWN, _FOLLOW_UP, _LEARN = 0.2, 0.05, 0.25  # shares of the way to the new level


class NoiseGate:
    """One session's gate. Levels are in dB, of a frame and of its first difference.

    Costs 3.5 microseconds a frame.
    """

    def __init__(self) -> None:
        self._noise_floor = (_QUIETEST_DB, _QUIETEST_DB)
        self._level = self._noise_floor
        self._hold_frames = 0

    def opens_for(self, frame: bytes) -> bool:
        """Whether the frame (s16le mono at 16 kHz) may hold speech, or follows one that may."""
        level = self._level = levels(frame)
        floor = self._noise_floor
        if level[0] > floor[0] + _OPENS_DB or level[1] > floor[1] + _DIFFERENCE_OPENS_DB:
            self._hold_frames = _HOLD_FRAMES
            return True
        if self._hold_frames:
            self._hold_frames -= 1
            return True
        self._noise_floor = (_follow(floor[0], level[0]), _follow(floor[1], level[1]))
        return False

    def learn(self, probability: float) -> None:
        """Adapt to the model's probability of speech in the last frame that opened the gate."""
        if probability < _SURELY_NOT_SPEECH:
            floor, level = self._noise_floor, self._level
            self._noise_floor = (
                max(floor[0] + _LEARN * (level[0] - floor[0]), _QUIETEST_DB),
                max(floor[1] + _LEARN * (level[1] - floor[1]), _QUIETEST_DB),
            )


def levels(frame: bytes) -> tuple[float, float]:
    """Level of the frame, and of its first difference, in dB.

    The difference weighs high sounds more: rumble and hum that drown a soft voice do not drown both.
    """
    samples = np.frombuffer(frame, "<i2").astype(np.float32)
    steps = samples[1:] - samples[:-1]
    per_sample = 1 / len(samples)
    return (
        10 * math.log10(float(samples @ samples) * per_sample + 1),
        10 * math.log10(float(steps @ steps) * per_sample + 1),
    )


def _follow(floor_db: float, level_db: float) -> float:
    rate = _FOLLOW_UP if level_db > floor_db else _FOLLOW_DOWN
    return max(floor_db + rate * (level_db - floor_db), _QUIETEST_DB)
