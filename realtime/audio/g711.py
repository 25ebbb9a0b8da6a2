"""G.711: 8-bit companded telephone audio to s16le and back, by table.

Source: ITU-T G.711 (11/1988), tables 1a to 2b. The recommendation counts 13 (A-law) and 14
(mu-law) bits; here all values are scaled to 16 bits, so that full scale meets full scale.
One byte is one sample, so that any cut of a stream is a good cut.
"""

import numpy as np
import numpy.typing as npt

from realtime.audio.pcm import whole_samples

G711_HZ = 8_000

_MU_BIAS = 33 << 2  # makes each of the 8 segments begin at a power of two
_MU_CLIP = 8158 << 2  # table 2a: the largest value below the virtual decision value 8159


def decode_mulaw(coded: bytes) -> bytes:
    """Returns s16le, twice as long."""
    return np.take(_MULAW_TO_PCM, np.frombuffer(coded, np.uint8)).tobytes()


def encode_mulaw(pcm: bytes) -> bytes:
    """Raises ValueError for half a sample."""
    whole_samples(pcm)
    return np.take(_PCM_TO_MULAW, np.frombuffer(pcm, "<u2")).tobytes()


def decode_alaw(coded: bytes) -> bytes:
    """Returns s16le, twice as long."""
    return np.take(_ALAW_TO_PCM, np.frombuffer(coded, np.uint8)).tobytes()


def encode_alaw(pcm: bytes) -> bytes:
    """Raises ValueError for half a sample."""
    whole_samples(pcm)
    return np.take(_PCM_TO_ALAW, np.frombuffer(pcm, "<u2")).tobytes()


# The tables ---------------------------------------------------------------------------


def _mulaw_to_pcm() -> npt.NDArray[np.int16]:
    code = ~np.arange(256) & 0xFF  # sent inverted, so that silence has many ones
    segment, step = code >> 4 & 7, code & 0xF
    magnitude = (((step << 1) + 33 << segment) - 33) << 2
    return np.where(code & 0x80, -magnitude, magnitude).astype("<i2")


def _alaw_to_pcm() -> npt.NDArray[np.int16]:
    code = np.arange(256) ^ 0x55  # even bits are sent inverted
    segment, step = code >> 4 & 7, code & 0xF
    # Segment 0 is as wide as segment 1, and has no leading one. The value is a step's middle.
    magnitude = np.where(segment == 0, (step << 4) + 8, (step << 4) + 264 << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype("<i2")


def _pcm_to_mulaw() -> npt.NDArray[np.uint8]:
    value = _every_sample()
    magnitude = np.minimum(np.abs(value), _MU_CLIP) + _MU_BIAS
    segment = _leading_bit(magnitude) - 7
    step = magnitude >> segment + 3 & 0xF
    code: npt.NDArray[np.int64] = np.where(value < 0, 0x80, 0) | segment << 4 | step
    return (~code & 0xFF).astype(np.uint8)


def _pcm_to_alaw() -> npt.NDArray[np.uint8]:
    value = _every_sample()
    magnitude = np.where(value < 0, ~value, value)  # -1 is the first step below zero, as 0 above
    segment = np.maximum(_leading_bit(np.maximum(magnitude, 1)) - 7, 0)
    step = magnitude >> np.maximum(segment, 1) + 3 & 0xF
    code: npt.NDArray[np.int64] = np.where(value < 0, 0, 0x80) | segment << 4 | step
    return (code ^ 0x55).astype(np.uint8)


def _every_sample() -> npt.NDArray[np.int64]:
    """All 16-bit values in the order of their unsigned bit patterns."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int64)


def _leading_bit(value: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.log2(value).astype(np.int64)  # exact: doubles hold every power of two


_MULAW_TO_PCM = _mulaw_to_pcm()
_ALAW_TO_PCM = _alaw_to_pcm()
_PCM_TO_MULAW = _pcm_to_mulaw()
_PCM_TO_ALAW = _pcm_to_alaw()
