"""A cheap gate in front of the voice activity model: it knows when surely nobody speaks.

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
_HOLDS_FRAMES = 8  # open for a quarter of a second more: a word's soft sounds lie between loud ones
_QUIETEST_DB = 22.0  # 10 log10 of the mean square of 16-bit samples: never wait for less than this
_SURELY_NOT_SPEECH = 0.25  # a probability below which the model's frame was the room
_FOLLOW_DOWN, _FOLLOW_UP, _LEARN = 0.2, 0.05, 0.25  # shares of the way to the new level


class Gate:
    """One session's gate. Costs 3.5 microseconds a frame."""

    def __init__(self) -> None:
        self._room = (_QUIETEST_DB, _QUIETEST_DB)
        self._level = self._room
        self._holds = 0

    def opens_for(self, frame: bytes) -> bool:
        """Whether the frame (s16le mono at 16 kHz) may hold speech, or follows one that may."""
        level = self._level = _levels(frame)
        room = self._room
        if level[0] > room[0] + _OPENS_DB or level[1] > room[1] + _DIFFERENCE_OPENS_DB:
            self._holds = _HOLDS_FRAMES
            return True
        if self._holds:
            self._holds -= 1
            return True
        self._room = (_follow(room[0], level[0]), _follow(room[1], level[1]))
        return False

    def learn(self, probability: float) -> None:
        """The model's word on the last frame that opened."""
        if probability < _SURELY_NOT_SPEECH:
            room, level = self._room, self._level
            self._room = (
                max(room[0] + _LEARN * (level[0] - room[0]), _QUIETEST_DB),
                max(room[1] + _LEARN * (level[1] - room[1]), _QUIETEST_DB),
            )


def _levels(frame: bytes) -> tuple[float, float]:
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


def _follow(room_db: float, level_db: float) -> float:
    rate = _FOLLOW_UP if level_db > room_db else _FOLLOW_DOWN
    return max(room_db + rate * (level_db - room_db), _QUIETEST_DB)
