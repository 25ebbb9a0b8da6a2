"""Recordings as files hold them, WAV or compressed -> s16le mono at one rate. Pure, and slow: for threads."""

import io
from collections.abc import Iterator

import numpy as np
import soundfile

from realtime.audio.wav import HZ_MAX, HZ_MIN, Samples, decode_wav, pcm_of

KINDS = ("wav", "mp3", "flac", "ogg")
BLOCK_SAMPLES = 1 << 16
"""Of all channels together; a file of a few bytes may hold hours of silence."""


def decode_recording(file: bytes, kind: str, hz: int, s_max: float) -> bytes:
    """Return the file's sound, mixed to one channel: s16le at `hz`.

    kind: one of KINDS. Raises ValueError, which says what the file is instead, and as soon as
    there is more than `s_max` seconds of sound.
    """
    if kind == "wav":
        return decode_wav(file, hz, s_max)
    # libsndfile opens two dozen formats. Those that nobody asked for are not let near it.
    if not _begins_like(file, kind):
        raise ValueError(f"it is not a file of the format {kind}")
    try:
        with soundfile.SoundFile(io.BytesIO(file)) as opened:
            if opened.format.lower() != kind:
                raise ValueError(f"it is not a file of the format {kind}")
            if not HZ_MIN <= opened.samplerate <= HZ_MAX:
                raise ValueError(f"it has {opened.channels} channels at {opened.samplerate} Hz")
            return pcm_of(_blocks(opened), opened.samplerate, hz, s_max)
    except soundfile.SoundFileError:
        raise ValueError(f"it is damaged, or no file of the format {kind}") from None


def _begins_like(file: bytes, kind: str) -> bool:
    match kind:
        case "flac":
            return file.startswith(b"fLaC")
        case "ogg":
            return file.startswith(b"OggS")
        case _:  # MP3: a tag, or the eleven set bits that begin each frame
            return file.startswith(b"ID3") or (file[:1] == b"\xff" and file[1:2] >= b"\xe0")


def _blocks(opened: soundfile.SoundFile) -> Iterator[Samples]:
    n_frames = max(BLOCK_SAMPLES // opened.channels, 1)
    while len(block := opened.read(n_frames, dtype="float64", always_2d=True)):
        yield np.clip(np.nan_to_num(block.mean(axis=1)), -1, 1)
