"""WAV files of any rate, width and number of channels -> s16le mono at one rate, and back.

The standard library's `wave` reads whole-number PCM only; recorders also write floats, G.711 and
the "extensible" header. Format: Microsoft, "Multiple Channel Audio Data and WAVE Files".
"""

import math
import struct
import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from realtime.audio.g711 import decode_alaw, decode_mulaw

Samples = npt.NDArray[np.float64]
"""One channel, (n_samples,), from -1 to 1."""
HZ_MIN, HZ_MAX = 1_000, 1_000_000
BLOCK_BYTES = 1 << 18
"""Sound is decoded in blocks of about this size: as samples it is up to eight times as large."""


def read_wav(path: Path, hz: int) -> bytes:
    """Return the file's sound, mixed to one channel: s16le at `hz`.

    Raises ValueError, which says what the file is instead, and OSError.
    """
    file_hz, blocks = samples_of(path.read_bytes())
    return pcm_of(blocks, file_hz, hz)


def pcm_of(blocks: Iterable[Samples], from_hz: int, to_hz: int, s_max: float = math.inf) -> bytes:
    """Return s16le at `to_hz`. Raises ValueError as soon as there is more than `s_max` of sound."""
    resampler = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float64") if from_hz != to_hz else None
    pcm, n_samples = bytearray(), 0
    for block in blocks:
        n_samples += len(block)
        if n_samples > s_max * from_hz:
            raise ValueError(f"it is longer than {s_max:g} seconds")
        pcm += _s16le(resampler.resample_chunk(block) if resampler else block)
    if resampler and n_samples:
        pcm += _s16le(resampler.resample_chunk(np.zeros(0), last=True))
    return bytes(pcm)


def write_wav(path: Path, pcm: bytes, hz: int) -> None:
    """pcm: s16le mono. Raises OSError."""
    with path.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(hz)
        file.writeframes(pcm)


def _s16le(samples: Samples) -> bytes:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()


def samples_of(riff: bytes) -> tuple[int, Iterator[Samples]]:
    """Return the file's rate and its sound, mixed to one channel. Raises ValueError."""
    if riff[:4] != b"RIFF" or riff[8:12] != b"WAVE":
        raise ValueError("it is not a WAV file")
    form = b""
    at = 12
    while at + 8 <= len(riff):
        name, size = struct.unpack_from("<4sI", riff, at)
        rest = memoryview(riff)[at + 8 :]
        body = rest[:size]  # a stream's size may be too large: then the rest
        if name == b"fmt ":
            form = bytes(body)
        elif name == b"data":
            # A recorder that cannot go back and fill it in leaves a size of 0.
            return _blocks(form, body if size or _is_chunk(rest) else rest)
        at += 8 + size + size % 2
    raise ValueError("it holds no sound")


def _is_chunk(rest: memoryview) -> bool:
    """Whether a chunk with a readable name begins here, and ends within the file."""
    if len(rest) < 8:
        return False
    name, size = struct.unpack_from("<4sI", rest)
    return bool(name.isalnum() and 8 + size <= len(rest))


def _blocks(form: bytes, body: memoryview) -> tuple[int, Iterator[Samples]]:
    if len(form) < 16:
        raise ValueError("its sound has no format")
    coding, n_channels, hz, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if coding == 0xFFFE and len(form) >= 26:  # extensible: the coding begins the sub-format
        (coding,) = struct.unpack_from("<H", form, 24)
    if not (n_channels and HZ_MIN <= hz <= HZ_MAX):
        raise ValueError(f"it has {n_channels} channels at {hz} Hz")
    if (coding, bits) not in _READ:
        raise ValueError(f"its sound is coded as {coding:#x} with {bits} bits, which is not read")
    frame_bytes = n_channels * bits // 8
    block_bytes = max(BLOCK_BYTES // frame_bytes, 1) * frame_bytes
    whole_bytes = len(body) - len(body) % frame_bytes
    return hz, (
        _samples(coding, bits, bytes(body[at : min(at + block_bytes, whole_bytes)]))
        .reshape(-1, n_channels)
        .mean(axis=1)
        for at in range(0, whole_bytes, block_bytes)
    )


_PCM, _FLOAT, _ALAW, _MULAW = 1, 3, 6, 7
_READ = {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64), (_ALAW, 8), (_MULAW, 8)}


def _samples(coding: int, bits: int, body: bytes) -> Samples:
    """body: whole samples of a coding and width in _READ; of all channels in turn."""
    if coding == _FLOAT:
        # Clipped: of 1e308 and its like, a resampler would make what is no number.
        return np.clip(np.nan_to_num(np.frombuffer(body, f"<f{bits // 8}").astype(np.float64)), -1, 1)
    if coding == _ALAW:
        return np.frombuffer(decode_alaw(body), "<i2") / 32768.0
    if coding == _MULAW:
        return np.frombuffer(decode_mulaw(body), "<i2") / 32768.0
    if bits == 8:  # alone in being unsigned
        return np.frombuffer(body, np.uint8) / 128.0 - 1
    # To 32 bits, the file's bytes uppermost.
    padded = np.zeros((len(body) * 8 // bits, 4), np.uint8)
    padded[:, 4 - bits // 8 :] = np.frombuffer(body, np.uint8).reshape(-1, bits // 8)
    return padded.view("<i4")[:, 0] / 2.0**31
