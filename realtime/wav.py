"""WAV files of any rate, width and number of channels -> s16le mono at one rate, and back.

The standard library's `wave` reads whole-number PCM only; recorders also write floats, G.711 and
the "extensible" header. Format: Microsoft, "Multiple Channel Audio Data and WAVE Files".
"""

import struct
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from realtime.audio.g711 import decode_alaw, decode_mulaw


def read_wav(path: Path, hz: int) -> bytes:
    """Return the file's sound, mixed to one channel: s16le at `hz`.

    Raises ValueError, which says what the file is instead, and OSError.
    """
    samples, file_hz = _decoded(path.read_bytes())
    if file_hz != hz:
        samples = soxr.resample(samples, file_hz, hz)
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()


def write_wav(path: Path, pcm: bytes, hz: int) -> None:
    """pcm: s16le mono. Raises OSError."""
    with path.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(hz)
        file.writeframes(pcm)


def _decoded(riff: bytes) -> tuple[npt.NDArray[np.float64], int]:
    """Return the samples, (n_samples,) from -1 to 1, and their rate."""
    if riff[:4] != b"RIFF" or riff[8:12] != b"WAVE":
        raise ValueError("it is not a WAV file")
    form = b""
    at = 12
    while at + 8 <= len(riff):
        name, size = struct.unpack_from("<4sI", riff, at)
        body = riff[at + 8 : at + 8 + size]  # a stream's size may be too large: then it is the rest
        if name == b"fmt ":
            form = body
        elif name == b"data":
            return _samples(form, body)
        at += 8 + size + size % 2
    raise ValueError("it holds no sound")


def _samples(form: bytes, body: bytes) -> tuple[npt.NDArray[np.float64], int]:
    if len(form) < 16:
        raise ValueError("its sound has no format")
    coding, n_channels, hz, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if coding == 0xFFFE and len(form) >= 26:  # extensible: the coding begins the sub-format
        (coding,) = struct.unpack_from("<H", form, 24)
    if not (n_channels and 1000 <= hz <= 1_000_000):
        raise ValueError(f"it has {n_channels} channels at {hz} Hz")
    width = bits // 8
    body = body[: len(body) - len(body) % (n_channels * max(width, 1))]
    match coding, bits:
        case 1, 8:  # PCM; alone in being unsigned
            samples = np.frombuffer(body, np.uint8) / 128.0 - 1
        case 1, 16 | 24 | 32:
            # To 32 bits, the file's bytes uppermost.
            padded = np.zeros((len(body) // width, 4), np.uint8)
            padded[:, 4 - width :] = np.frombuffer(body, np.uint8).reshape(-1, width)
            samples = padded.view("<i4")[:, 0] / 2.0**31
        case 3, 32 | 64:  # float
            samples = np.nan_to_num(np.frombuffer(body, f"<f{width}").astype(np.float64))
        case 6, 8:  # A-law
            samples = np.frombuffer(decode_alaw(body), "<i2") / 32768.0
        case 7, 8:  # mu-law
            samples = np.frombuffer(decode_mulaw(body), "<i2") / 32768.0
        case _:
            raise ValueError(f"its sound is coded as {coding:#x} with {bits} bits, which is not read")
    return samples.reshape(-1, n_channels).mean(axis=1), hz
