"""Where a track holds voice: by Silero for a microphone, by level for what a program has spoken.

An assistant's track that was recorded digitally is silent between its words, and a scripted assistant's
tones are no speech to Silero; a track from a microphone needs Silero.
"""

import numpy as np
import numpy.typing as npt

from evaluation.speech.live.segments import Segment
from realtime.turns.silero import FRAME_SAMPLES, SileroModel

Samples = npt.NDArray[np.float32]
"""(n_samples,), mono, from -1 to 1."""
VAD_HZ = 16_000
ON, OFF = 0.5, 0.35
"""Silero VAD's own thresholds: a span begins at the first, and ends below the second."""
LEVEL_DB = -50.0
"""Of full scale, in 10 ms: quieter is silence."""
SHORTEST_S = 0.06
SILENCE_S = 0.1
"""A shorter silence is inside of a word."""


def by_silero(samples: Samples, model: SileroModel | None = None) -> tuple[Segment, ...]:
    """samples: at VAD_HZ. Raises SettingsError where the model's file is not installed."""
    session = (model or SileroModel()).new_session()
    whole = samples[: len(samples) - len(samples) % FRAME_SAMPLES]
    pcm = np.clip(np.rint(whole * 32768), -32768, 32767).astype("<i2").tobytes()
    return spans(np.array(session.probabilities(pcm), np.float64), FRAME_SAMPLES / VAD_HZ, ON, OFF)


def by_level(samples: Samples, hz: int, threshold_db: float = LEVEL_DB) -> tuple[Segment, ...]:
    frame = hz // 100
    whole = samples[: len(samples) - len(samples) % frame].reshape(-1, frame).astype(np.float64)
    levels_db = 10 * np.log10(np.mean(whole**2, axis=1) + 1e-12)
    return spans(levels_db, frame / hz, threshold_db, threshold_db - 6)


def spans(frames: npt.NDArray[np.float64], frame_s: float, on: float, off: float) -> tuple[Segment, ...]:
    """Frames at or above `on`, and those after them at or above `off`; silences under SILENCE_S are closed,
    and what is then under SHORTEST_S is dropped."""
    runs: list[list[int]] = []
    is_voiced = False
    for at, value in enumerate(frames.tolist()):
        is_voiced = value >= (off if is_voiced else on)
        if not is_voiced:
            continue
        if runs and (at - runs[-1][1]) * frame_s < SILENCE_S - 1e-9:
            runs[-1][1] = at + 1
        else:
            runs.append([at, at + 1])
    return tuple(
        Segment(begin * frame_s, end * frame_s)
        for begin, end in runs
        if (end - begin) * frame_s >= SHORTEST_S - 1e-9
    )
