"""How long audio is cut for a recogniser that hears at most 30 s at once. Pure.

Whisper encodes a window of fixed length: the shorter the window, the sooner it answers, but one of
the clip's own length makes it repeat itself. So a clip gets the smallest of three windows that
leaves some silence after it.
"""

import numpy as np
from numpy.typing import NDArray

from agent.api import LISTENING_HZ

Samples = NDArray[np.float32]
"""(n_samples,), -1.0 to 1.0, at LISTENING_HZ."""

WINDOWS_S = (8.0, 15.0, 30.0)
ROOM_S = 1.0
"""Silence that a window must leave after the clip."""
LONGEST_PIECE_S = 28.0
LEAST_PIECE_S = 1.0
SEARCH_S = 8.0
"""A cut is looked for in the last part of a piece, where it is quietest."""
VOICE_FRAME_SAMPLES = 512
"""What Silero gives one probability for."""
_QUIET_SPAN = LISTENING_HZ // 10


def window_s(n_samples: int) -> float:
    """The encoder window for a clip of that many samples, at most LONGEST_PIECE_S long."""
    length_s = n_samples / LISTENING_HZ + ROOM_S
    return next((window for window in WINDOWS_S if length_s <= window), WINDOWS_S[-1])


def pieces(samples: Samples, longest_s: float = LONGEST_PIECE_S) -> list[Samples]:
    """Cut into pieces of at most longest_s, in quiet places, none of them shorter than LEAST_PIECE_S."""
    longest, search = int(longest_s * LISTENING_HZ), int(SEARCH_S * LISTENING_HZ)
    cut: list[Samples] = []
    while len(samples) > longest:
        end = min(longest, len(samples) - int(LEAST_PIECE_S * LISTENING_HZ))
        place = longest - search + _quietest(samples[longest - search : end])
        cut.append(samples[:place])
        samples = samples[place:]
    return [*cut, samples]


def _quietest(samples: Samples) -> int:
    """The middle of the 100 ms with the least energy; the last of equals, so that pieces stay long."""
    energy = np.convolve(np.square(samples), np.ones(_QUIET_SPAN), mode="valid")
    least = np.flatnonzero(energy <= energy.min() * 1.0001)
    return int(least[-1]) + _QUIET_SPAN // 2
