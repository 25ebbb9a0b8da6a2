"""The sound of a conversation's two sides: WAV files, one for each or one with both."""

import wave
from pathlib import Path

import av
import numpy as np
import soxr

from evaluation.errors import EvaluationError
from evaluation.speech.live.voice_activity import Samples
from realtime.audio.wav import read_wav

_RAW = {".g722": "g722"}
"""Files without a header, and FFmpeg's name for them."""


def read_track(path: Path, hz: int) -> Samples:
    """One side, of a WAV file of any rate and width. Raises EvaluationError."""
    try:
        pcm = read_wav(path, hz)
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise EvaluationError(f"{path} cannot be used: {error}.") from None
    return np.asarray(np.frombuffer(pcm, "<i2") / 32768, np.float32)


def read_both(path: Path, hz: int) -> tuple[Samples, Samples]:
    """(user, assistant): the left and the right side of a stereo file of 16 bits. Raises EvaluationError."""
    try:
        with wave.open(str(path), "rb") as file:
            n_channels, width, file_hz = file.getnchannels(), file.getsampwidth(), file.getframerate()
            pcm = file.readframes(file.getnframes())
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read: {error.strerror}.") from None
    except (wave.Error, EOFError) as error:
        raise EvaluationError(f"{path} cannot be used: {str(error) or 'it ends in its header'}.") from None
    if n_channels != 2 or width != 2:
        raise EvaluationError(
            f"{path} cannot be used: expected two channels of 16 bits, got {n_channels} of {8 * width}."
        )
    whole = pcm[: len(pcm) - len(pcm) % 4]
    both = np.frombuffer(whole, "<i2").reshape(-1, 2) / np.float32(32768)
    user, assistant = (at_rate(np.ascontiguousarray(both[:, side]), file_hz, hz) for side in (0, 1))
    return user, assistant


def write_both(path: Path, user: Samples, assistant: Samples, hz: int) -> None:
    """Left the user, right the assistant; the shorter one ends in silence. Raises EvaluationError."""
    both = np.zeros((max(len(user), len(assistant)), 2), np.float32)
    both[: len(user), 0] = user
    both[: len(assistant), 1] = assistant
    try:
        with path.open("wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(hz)
            file.writeframes(s16le(both.reshape(-1)))
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}.") from None


def read_sound(path: Path, hz: int, s_max: float) -> Samples:
    """The beginning of a file of any kind that FFmpeg reads, mixed to one side. Raises EvaluationError."""
    pieces: list[Samples] = []
    n_wanted = round(s_max * hz)
    resampler = av.AudioResampler("flt", "mono", hz)
    try:
        with av.open(str(path), format=_RAW.get(path.suffix)) as file:
            for frame in file.decode(audio=0):
                pieces += [one.to_ndarray()[0] for one in resampler.resample(frame)]
                if sum(map(len, pieces)) >= n_wanted:
                    break
    except FileNotFoundError:
        raise EvaluationError(f"{path} is missing.") from None
    except (av.FFmpegError, IndexError) as error:
        raise EvaluationError(f"{path} cannot be read as sound: {error.__class__.__name__}.") from None
    if not pieces:
        raise EvaluationError(f"{path} holds no sound.")
    return np.concatenate(pieces).astype(np.float32)[:n_wanted]


def at_rate(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    if from_hz == to_hz:
        return samples
    return np.asarray(soxr.resample(samples, from_hz, to_hz), np.float32)


def s16le(samples: Samples) -> bytes:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()
