"""Clips as whole numbers, as every wire has them, and where the speech in one ends."""

import numpy as np

from agent.api import LISTENING_HZ
from agent.asr.windows import Samples

RANGE_DB = 45.0
"""Speech is no softer below its loudest: what counts where a clip has digital silence in it."""


def s16le(pcm: Samples) -> bytes:
    """pcm: (n_samples,) in [-1, 1]. What was whole before (x / 32768) is whole again, to the bit."""
    whole: bytes = np.clip(np.rint(pcm * 32768.0), -32768, 32767).astype("<i2").tobytes()
    return whole


def speech_end_s(pcm: Samples) -> float:
    """Where the speech in a clip ends, whatever a server heard: its last 20 ms well above the floor.

    The loudness that counts lies a quarter of the way from the softest 20 ms to the loudest. Of recordings
    whose end is known (tests/data/speech) eight in ten are met within 70 ms. 0.0 for an empty clip.
    """
    n_frames = -(-len(pcm) // _FRAME)
    if not n_frames:
        return 0.0
    frames = np.pad(pcm, (0, n_frames * _FRAME - len(pcm))).reshape(n_frames, _FRAME).astype(np.float64)
    energy = np.convolve(np.square(frames).mean(axis=1), np.ones(3) / 3)[1:-1]  # without clicks
    level_db = 10 * np.log10(energy + _NOTHING)
    floor_db, peak_db = np.percentile(level_db, _FLOOR_PERCENTILE), level_db.max()
    speech_db = max(floor_db + (peak_db - floor_db) / 4, peak_db - RANGE_DB)
    last = int(np.flatnonzero(level_db >= speech_db)[-1])
    return min((last + 1) * _FRAME, len(pcm)) / LISTENING_HZ


_FRAME = LISTENING_HZ // 50
_FLOOR_PERCENTILE = 2
_NOTHING = 1e-12
