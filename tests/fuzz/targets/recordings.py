"""Recordings in a chat completion: the first byte says as which kind they were sent."""

import io
import random
import struct

import numpy as np
import soundfile

from realtime.transports.chat.recordings import KINDS, decode_recording
from tests.fuzz.target import Pure, Unkept

S_MAX = 20.0
HZ = 16_000


def run(data: bytes) -> None:
    kind = KINDS[data[0] % len(KINDS)] if data else "wav"
    try:
        pcm = decode_recording(data[1:], kind, HZ, S_MAX)
    except ValueError:
        return
    if len(pcm) % 2 or len(pcm) > 2 * HZ * (S_MAX + 1):
        raise Unkept("a recording is whole samples, and no longer than is taken")


def seeds() -> list[bytes]:
    sound = 0.3 * np.sin(np.arange(2_000) / 9.0)
    made = []
    for kind, subtype, channels in (
        ("wav", "PCM_16", 1),
        ("wav", "PCM_24", 2),
        ("wav", "FLOAT", 1),
        ("wav", "ULAW", 1),
        ("mp3", None, 1),
        ("flac", None, 2),
        ("ogg", "VORBIS", 1),
        ("ogg", "OPUS", 1),
    ):
        file = io.BytesIO()
        shaped = np.stack([sound] * channels, axis=1)
        soundfile.write(
            file, shaped, HZ if subtype != "OPUS" else 48_000, format=kind.upper(), subtype=subtype
        )
        made.append(bytes([KINDS.index(kind)]) + file.getvalue())
    wide = (
        struct.pack("<HHIIHH", 0xFFFE, 2, 8000, 0, 0, 16)
        + struct.pack("<HHI", 22, 16, 3)
        + b"\1\0"
        + bytes(14)
    )
    extensible = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(wide)) + wide + b"data\x10\0\0\0" + bytes(16)
    return [*made, b"\0" + extensible]


def _mutate(data: bytes, chance: random.Random) -> bytes:
    """In the head, where the formats are; a file's sound is mostly sound."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 2, 4))):
        if out:
            out[chance.randrange(min(len(out), 120))] = chance.randrange(256)
    return bytes(out)


TARGET = Pure(
    run,
    seeds,
    is_guided=False,
    words=("RIFF", "WAVE", "fmt ", "data", "fLaC", "OggS", "ID3"),
    mutate=_mutate,
    bytes_max=16_384,
)
