"""Streaming change of sample rate with about a millisecond of delay.

A windowed-sinc filter in polyphase form (Crochiere and Rabiner, "Multirate Digital Signal
Processing", chapter 3), laid out so that each millisecond of audio is one row of a matrix product.
Why not soxr: as fast, but its stream holds back 21 ms (24 to 16 kHz) to 64 ms (8 to 16 kHz) on
average, and every answer and every barge-in would be later by as much.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from realtime.audio.pcm import whole_samples

_ZERO_CROSSINGS = 20  # of the sinc on each side, at the lower rate: sets delay and steepness
_KAISER_BETA = 6.5  # stop band 65 dB down, near what 16 bits of a microphone hold
_PASS_BAND = 0.94  # of the lower rate's Nyquist frequency, where the response is 6 dB down


class Resampler:
    """One stream of s16le mono from `from_hz` to `to_hz`. Not shared between streams."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """Raises ValueError for rates below 1 Hz."""
        if from_hz < 1 or to_hz < 1:
            raise ValueError(f"expected sample rates of at least 1 Hz, got {from_hz} and {to_hz}")
        self.from_hz = from_hz
        self.to_hz = to_hz
        self._kernel = _kernel(from_hz, to_hz) if from_hz != to_hz else None
        self._begin()

    def push(self, pcm: bytes) -> bytes:
        """Returns what can be known so far: all but the last few milliseconds.

        pcm: any number of samples. Raises ValueError for half a sample.
        """
        samples = whole_samples(pcm)
        if self._kernel is None:
            return pcm
        self._samples_in += samples
        return self._convert(np.frombuffer(pcm, "<i2"), self._kernel)

    def flush(self) -> bytes:
        """Returns the rest, so that lengths match to a sample, and begins anew."""
        if self._kernel is None:
            return b""
        wanted = math.ceil(self._samples_in * self.to_hz / self.from_hz) - self._samples_out
        padding = np.zeros(self._kernel.half_width + self._kernel.group_in, np.int16)
        rest = self._convert(padding, self._kernel)[: 2 * wanted]
        self._begin()
        return rest

    def _begin(self) -> None:
        self._samples_in = 0
        self._samples_out = 0
        # Inputs that a coming output still needs. The stream is silent before its first sample.
        self._held = np.zeros(self._kernel.half_width if self._kernel else 0, np.float32)

    def _convert(self, samples: npt.NDArray[np.int16], kernel: "_Kernel") -> bytes:
        held = np.concatenate((self._held, samples), dtype=np.float32)
        width = kernel.weights.shape[0]
        groups = (len(held) - width + kernel.group_in) // kernel.group_in
        if groups <= 0:
            self._held = held
            return b""
        # Overlapping rows, then a copy: BLAS takes them only laid out one after another.
        rows = np.ndarray((groups, width), np.float32, held, 0, (4 * kernel.group_in, 4))
        out: npt.NDArray[np.float32] = np.dot(np.ascontiguousarray(rows), kernel.weights)
        np.rint(out, out=out)
        np.minimum(np.maximum(out, -32768, out=out), 32767, out=out)
        self._held = held[groups * kernel.group_in :].copy()
        self._samples_out += out.size
        return out.astype("<i2").tobytes()


@dataclass(frozen=True, slots=True)
class _Kernel:
    """weights: (group_in + 2 * half_width, group_out). A row of inputs that begins half_width
    before a group, times this, is the group's outputs."""

    group_in: int
    half_width: int
    weights: npt.NDArray[np.float32]


@lru_cache(maxsize=16)
def _kernel(from_hz: int, to_hz: int) -> _Kernel:
    shared = math.gcd(from_hz, to_hz)
    up, down = to_hz // shared, from_hz // shared
    # About a millisecond a group: rows long enough to be fast, short enough to wait for.
    repeats = max(1, round(from_hz / 1000 / down))
    group_in, group_out = down * repeats, up * repeats
    lower = min(from_hz, to_hz)
    half_width = math.ceil(_ZERO_CROSSINGS * from_hz / lower)
    cutoff = _PASS_BAND * lower / from_hz

    outputs_at = np.arange(group_out) * (down / up)
    inputs_at = np.arange(group_in + 2 * half_width) - half_width
    distance = outputs_at[np.newaxis, :] - inputs_at[:, np.newaxis]
    inside = np.maximum(1 - (distance / half_width) ** 2, 0)
    window = np.where(np.abs(distance) <= half_width, np.i0(_KAISER_BETA * np.sqrt(inside)), 0)
    weights = np.sinc(cutoff * distance) * window
    weights /= weights.sum(axis=0, keepdims=True)  # a constant stays what it is
    return _Kernel(group_in, half_width, weights.astype(np.float32))
