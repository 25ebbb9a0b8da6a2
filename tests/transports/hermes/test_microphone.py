"""Microphones of every shape are heard as the same tone."""

import math
import struct

import numpy as np
import pytest

from realtime.errors import InvalidEvent
from realtime.transports.hermes.codec import UP_HZ
from realtime.transports.hermes.microphone import RATES_HZ, Microphone

TONE_HZ = 440
FRAME_MS = 64


def wav(body: bytes, hz: int, channels: int = 1, bits: int = 16, coding: int = 1, **head: bytes) -> bytes:
    """head: `form` in place of the plain one, `before` the data, `size` in place of its true one."""
    frame_bytes = channels * bits // 8
    form = head.get("form", struct.pack("<HHIIHH", coding, channels, hz, hz * frame_bytes, frame_bytes, bits))
    size = head.get("size", struct.pack("<I", len(body)))
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + head.get("before", b"") + b"data" + size + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def extensible(hz: int, channels: int, bits: int) -> bytes:
    plain = struct.pack(
        "<HHIIHH", 0xFFFE, channels, hz, hz * channels * bits // 8, channels * bits // 8, bits
    )
    return plain + struct.pack("<HHIH14s", 22, bits, 0, 1, bytes(14))


def tone(hz: int, begin: int = 0, n: int = 0) -> "np.typing.NDArray[np.float64]":
    """-6 dB at TONE_HZ, (n samples,)."""
    return 0.5 * np.sin(2 * math.pi * TONE_HZ * (np.arange(n) + begin) / hz)


def coded(samples: "np.typing.NDArray[np.float64]", bits: int, coding: int = 1) -> bytes:
    if coding == 3:
        return samples.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return np.rint(samples * 127 + 128).astype(np.uint8).tobytes()
    whole = np.rint(samples * (2.0 ** (bits - 1) - 1)).astype("<i4")
    return whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()


def is_the_tone(pcm: bytes) -> bool:
    """All of it, and no seam: what is left beside the tone is 30 dB below it."""
    heard = np.frombuffer(pcm, "<i2").astype(np.float64)[UP_HZ // 20 :] / 32768
    at_s = np.arange(len(heard)) / UP_HZ
    basis = np.stack([np.sin(2 * math.pi * TONE_HZ * at_s), np.cos(2 * math.pi * TONE_HZ * at_s)], axis=1)
    found, *_ = np.linalg.lstsq(basis, heard, rcond=None)
    rest = heard - basis @ found
    return bool(abs(np.hypot(*found) - 0.5) < 0.02 and np.std(rest) < 0.35 * 10 ** (-30 / 20))


def heard(frames: list[bytes]) -> bytes:
    microphone = Microphone()
    return b"".join(microphone.push(frame) for frame in frames)


def recorded(hz: int, channels: int = 1, bits: int = 16, coding: int = 1, **head: bytes) -> list[bytes]:
    """Half a second, in files of FRAME_MS."""
    step = hz * FRAME_MS // 1000
    frames = []
    for begin in range(0, hz // 2, step):
        body = coded(np.repeat(tone(hz, begin, step), channels), bits, coding)
        frames.append(wav(body, hz, channels, bits, coding, **head))
    return frames


@pytest.mark.parametrize("hz", RATES_HZ)
def test_every_rate_of_a_sound_card(hz: int) -> None:
    pcm = heard(recorded(hz))
    assert is_the_tone(pcm)
    assert len(pcm) == pytest.approx(2 * UP_HZ * 0.512, abs=1400)


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 8])
@pytest.mark.parametrize(("bits", "coding"), [(8, 1), (16, 1), (24, 1), (32, 1), (32, 3), (64, 3)])
def test_every_width_and_number_of_channels(bits: int, coding: int, channels: int) -> None:
    assert is_the_tone(heard(recorded(48_000, channels, bits, coding)))


@pytest.mark.parametrize(
    "head",
    [
        {"form": extensible(48_000, 2, 24)},
        {"size": b"\0\0\0\0"},
        {"size": b"\xff\xff\xff\xff"},
        {"before": b"time" + struct.pack("<IQ", 8, 1_700_000_000_000)},
        {"before": b"LIST" + struct.pack("<I", 4) + b"INFO"},
    ],
    ids=["extensible", "size 0", "size unknown", "a chunk of Snips", "a list"],
)
def test_heads_as_recorders_write_them(head: dict[str, bytes]) -> None:
    assert is_the_tone(heard(recorded(48_000, 2, 24, **head)))


def test_a_file_without_sound_is_silence_whatever_follows_its_data() -> None:
    listed = b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert heard([wav(b"", 16_000), wav(b"", 16_000) + listed]) == b""


def test_a_microphone_may_change_its_rate() -> None:
    assert is_the_tone(heard(recorded(48_000))[:8_000])
    pcm = heard([*recorded(48_000), *recorded(16_000)])
    assert len(pcm) == pytest.approx(2 * 2 * UP_HZ * 0.512, abs=800)


@pytest.mark.parametrize(
    ("riff", "why"),
    [
        (b"", "not a WAV file"),
        (b"RIFF", "not a WAV file"),
        (wav(bytes(640), 44_101), "44101 Hz"),
        (wav(bytes(640), 999_983), "999983 Hz"),
        (wav(bytes(640), 16_000, 0), "0 channels"),
        (wav(bytes(640), 16_000, 1, 12), "12 bits"),
        (wav(bytes(640), 16_000, coding=0x55), "0x55"),
        (wav(bytes(64_002), 16_000), "2.0 s"),
        (wav(bytes(32_000), 8_000, bits=8), "4.0 s"),
        (wav(bytes(2_000_000), 16_000), "2000044 bytes"),
        (b"RIFF\0\0\0\0WAVE", "no sound"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "no format"),
    ],
)
def test_what_cannot_be_heard_is_refused_with_what_is_expected(riff: bytes, why: str) -> None:
    with pytest.raises(InvalidEvent, match=why) as refused:
        Microphone().push(riff)
    assert "expected a WAV file of at most two seconds" in refused.value.message
