"""WAV files of every kind are read as the same sound."""

import struct
from pathlib import Path

import numpy as np
import pytest

from realtime.audio.g711 import encode_alaw, encode_mulaw
from realtime.audio.wav import read_wav, write_wav

HZ = 24_000
SOUND = 0.5 * np.sin(2 * np.pi * 440 * np.arange(HZ // 2) / HZ)
PCM = (SOUND * 32767).astype("<i2").tobytes()


def wav(
    coding: int, bits: int, body: bytes, n_channels: int = 1, hz: int = HZ, extensible: bool = False
) -> bytes:
    width = bits // 8
    head = struct.pack("<HHIIHH", coding, n_channels, hz, hz * width * n_channels, width * n_channels, bits)
    if extensible:
        head = struct.pack("<H", 0xFFFE) + head[2:] + struct.pack("<HHIH14s", 22, bits, 0, coding, b"")
    chunks = b"fmt " + struct.pack("<I", len(head)) + head
    chunks += b"LIST" + struct.pack("<I", 3) + b"odd\0"  # padded to an even length
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def ints(bits: int) -> bytes:
    whole = np.rint(SOUND * (2 ** (bits - 1) - 1)).astype("<i4")
    if bits == 8:
        return (whole + 128).astype(np.uint8).tobytes()
    return whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()


@pytest.mark.parametrize(
    ("file", "tolerance"),
    [
        (wav(1, 8, ints(8)), 300),
        (wav(1, 16, PCM), 1),
        (wav(1, 24, ints(24)), 1),
        (wav(1, 32, ints(32)), 1),
        (wav(1, 24, ints(24), extensible=True), 1),
        (wav(3, 32, SOUND.astype("<f4").tobytes()), 1),
        (wav(3, 64, SOUND.astype("<f8").tobytes()), 1),
        (wav(6, 8, encode_alaw(PCM)), 600),
        (wav(7, 8, encode_mulaw(PCM)), 600),
        (wav(1, 16, np.repeat(np.frombuffer(PCM, "<i2"), 2).tobytes(), n_channels=2), 1),
        (wav(1, 16, PCM).replace(struct.pack("<4sI", b"data", len(PCM)), b"data\xff\xff\xff\xff"), 1),
    ],
    ids=["8", "16", "24", "32", "extensible", "float", "double", "A-law", "mu-law", "stereo", "endless"],
)
def test_every_kind_of_file_is_the_same_sound(tmp_path: Path, file: bytes, tolerance: int) -> None:
    (tmp_path / "a.wav").write_bytes(file)
    read = np.frombuffer(read_wav(tmp_path / "a.wav", HZ), "<i2").astype(int)
    assert len(read) == len(SOUND)
    assert np.abs(read - np.frombuffer(PCM, "<i2")).max() <= tolerance


@pytest.mark.parametrize("hz", [8_000, 11_025, 44_100, 48_000])
def test_every_rate_becomes_the_asked_one(tmp_path: Path, hz: int) -> None:
    tone = (16_000 * np.sin(2 * np.pi * 440 * np.arange(hz) / hz)).astype("<i2").tobytes()
    (tmp_path / "a.wav").write_bytes(wav(1, 16, tone, hz=hz))
    read = np.frombuffer(read_wav(tmp_path / "a.wav", HZ), "<i2").astype(float)
    assert len(read) == pytest.approx(HZ, abs=2)
    assert np.abs(np.fft.rfft(read)).argmax() == pytest.approx(440, abs=1)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", PCM, HZ)
    assert read_wav(tmp_path / "a.wav", HZ) == PCM


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "not a WAV file"),
        (b"ID3 and so on, an mp3", "not a WAV file"),
        (wav(1, 16, PCM)[:30], "no sound"),
        (wav(2, 4, b"abc"), "coded as 0x2"),
        (wav(1, 16, PCM, n_channels=0), "0 channels"),
        (wav(1, 16, PCM, hz=0), "0 Hz"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "no format"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, file: bytes, why: str) -> None:
    (tmp_path / "a.wav").write_bytes(file)
    with pytest.raises(ValueError, match=why):
        read_wav(tmp_path / "a.wav", HZ)
