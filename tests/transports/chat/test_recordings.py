"""Recordings of every kind that scripts send are the same sound; what is none is told."""

import io
from itertools import permutations

import numpy as np
import pytest
import soundfile

from realtime.transports.chat.recordings import KINDS, decode_recording

HZ = 16_000
SECONDS = 1.5


def tone(hz: int, n_channels: int = 1) -> np.ndarray:
    one = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(SECONDS * hz)) / hz)
    return np.stack([one] * n_channels, axis=1)


def recording(kind: str, hz: int = 44_100, n_channels: int = 2, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(hz, n_channels), hz, format=kind.upper(), subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "hz", "n_channels", "subtype"),
    [
        ("wav", 48_000, 2, "PCM_24"),
        ("wav", 8_000, 1, "ULAW"),
        ("wav", 11_025, 6, "PCM_16"),
        ("mp3", 44_100, 2, None),
        ("mp3", 16_000, 1, None),
        ("flac", 96_000, 2, None),
        ("flac", 8_000, 1, None),
        ("ogg", 44_100, 2, "VORBIS"),
        ("ogg", 48_000, 1, "OPUS"),
    ],
)
def test_every_kind_is_the_same_sound(kind: str, hz: int, n_channels: int, subtype: str | None) -> None:
    pcm = decode_recording(recording(kind, hz, n_channels, subtype), kind, HZ, 10.0)
    heard = np.frombuffer(pcm, "<i2").astype(float)
    assert len(heard) / HZ == pytest.approx(SECONDS, abs=0.2)  # Opus and MP3 begin and end with a little more
    middle = heard[HZ // 4 : HZ // 4 + HZ]
    assert np.abs(np.fft.rfft(middle)).argmax() == pytest.approx(440, abs=1)
    assert np.abs(middle).max() == pytest.approx(16_384, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", [b"", b"ID3", b"fLaC", b"OggS", b"RIFF\0\0\0\0WAVE", b"\xff\xfb" * 500])
def test_what_is_no_recording_is_told(kind: str, file: bytes) -> None:
    with pytest.raises(ValueError, match=r"it is|it holds"):
        decode_recording(file, kind, HZ, 10.0)


@pytest.mark.parametrize(("kind", "other"), list(permutations(KINDS, 2)))
def test_a_file_of_another_kind_than_told_is_refused(kind: str, other: str) -> None:
    with pytest.raises(ValueError, match=rf"not a WAV file|no.* file of the format {kind}"):
        decode_recording(recording(other), kind, HZ, 10.0)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_too_long_is_refused_however_small_the_file_is(kind: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(HZ * 60, np.int16), HZ, format=kind.upper())
    with pytest.raises(ValueError, match="longer than 59 seconds"):
        decode_recording(file.getvalue(), kind, HZ, 59.0)
    assert len(decode_recording(file.getvalue(), kind, HZ, 61.0)) >= 60 * 2 * HZ


def test_numbers_beyond_all_sound_are_clipped() -> None:
    file = io.BytesIO()
    wild = np.array([0.0, 1e300, -1e300, np.inf, -np.inf, np.nan, 0.5] * 8_000)
    soundfile.write(file, wild, 44_100, format="WAV", subtype="DOUBLE")
    n_samples = len(decode_recording(file.getvalue(), "wav", HZ, 10.0)) / 2
    assert n_samples == pytest.approx(len(wild) * HZ / 44_100, abs=2)
