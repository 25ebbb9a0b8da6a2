"""Clips that a report can play by itself: re-encoded small, inside the file."""

import base64
import io
from collections.abc import Callable, Iterable

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError

SAMPLE_HZ = 16_000
BIT_RATE = 24_000
"""Of Opus: 3 kB a second, and speech sounds like its original."""
CLIP_S_MAX = 30.0
BYTES_MAX = 12 << 20
"""Of all clips of a report together, before base64 (a third more)."""

ReadClip = Callable[[str], NDArray[np.float32]]
"""The samples of a path or address, (n_samples,) float32 mono at SAMPLE_HZ. Raises EvaluationError."""


class Sound(msgspec.Struct, frozen=True):
    """uri: a data URI, "" where the clip is not in the report; told: why not, or that it was shortened."""

    uri: str = ""
    told: str = ""


def embedded(paths: Iterable[str], read: ReadClip, bytes_max: int = BYTES_MAX) -> dict[str, Sound]:
    """The sound of each path, in their order until all that fits is in: put the worst first."""
    sounds: dict[str, Sound] = {}
    left = bytes_max
    for path in paths:
        if path in sounds:
            continue
        if left <= 0:
            sounds[path] = Sound(told="not embedded: this report has all the sound it may")
            continue
        try:
            pcm = read(path)
            if len(pcm) == 0:
                raise EvaluationError("the clip holds no sound")
        except EvaluationError as error:
            sounds[path] = Sound(told=str(error))
            continue
        encoded = opus(pcm[: round(CLIP_S_MAX * SAMPLE_HZ)])
        left -= len(encoded)
        shortened = len(pcm) > CLIP_S_MAX * SAMPLE_HZ
        sounds[path] = Sound(
            uri="data:audio/ogg;base64," + base64.b64encode(encoded).decode(),
            told=f"the first {CLIP_S_MAX:.0f} s" if shortened else "",
        )
    return sounds


def opus(pcm: NDArray[np.float32]) -> bytes:
    """An Ogg Opus file. pcm: (n_samples,) float32 mono at SAMPLE_HZ; beyond [-1, 1] it is clipped."""
    written = io.BytesIO()
    with av.open(written, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=SAMPLE_HZ)
        stream.layout = "mono"
        stream.bit_rate = BIT_RATE
        samples = (np.clip(pcm, -1, 1) * 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_HZ
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return written.getvalue()
