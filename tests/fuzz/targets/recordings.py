"""Recordings in a chat completion: the first byte says as which kind they were sent."""

import random
import struct
from pathlib import Path

import numpy as np

from realtime.audio.recordings import KINDS, decode_recording
from tests.fuzz.target import Pure, Unkept
from tests.recordings import recording

FILES = Path(__file__).parents[2] / "data" / "recordings"
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
    for kind, container, codec, n_channels in (
        ("wav", "wav", "pcm_s16le", 1),
        ("wav", "wav", "pcm_s24le", 2),
        ("wav", "wav", "pcm_f32le", 1),
        ("wav", "wav", "pcm_mulaw", 1),
        ("wav", "wav", "adpcm_ms", 1),
        ("mp3", "mp3", "libmp3lame", 1),
        ("flac", "flac", "flac", 2),
        ("ogg", "ogg", "libopus", 1),
        ("webm", "webm", "libopus", 1),
        ("m4a", "mp4", "aac", 1),
        ("m4a", "mp4", "alac", 1),
        ("aac", "adts", "aac", 1),
    ):
        shaped = np.stack([sound] * n_channels, axis=1)
        file = recording(shaped, 48_000 if codec == "libopus" else HZ, container, codec)
        made.append(bytes([KINDS.index(kind)]) + file)
    fragments = recording(sound[:, None], HZ, "mp4", options={"movflags": "frag_keyframe+empty_moov"})
    made.append(bytes([KINDS.index("mp4")]) + fragments)
    made += [bytes([KINDS.index(path.suffix[1:])]) + path.read_bytes() for path in FILES.glob("tone_*")]
    wide = (
        struct.pack("<HHIIHH", 0xFFFE, 2, 8000, 0, 0, 16)
        + struct.pack("<HHI", 22, 16, 3)
        + b"\1\0"
        + bytes(14)
    )
    extensible = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(wide)) + wide + b"data\x10\0\0\0" + bytes(16)
    return [*made, b"\0" + extensible]


def _mutate(data: bytes, chance: random.Random) -> bytes:
    """Mostly in the head, where the formats are; an MP4 has its index at its end."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 2, 4))):
        if out:
            n_bytes = chance.choice((min(len(out), 120), len(out)))
            out[chance.randrange(n_bytes)] = chance.randrange(256)
    return bytes(out)


TARGET = Pure(
    run,
    seeds,
    is_guided=False,
    words=("RIFF", "WAVE", "fmt ", "data", "fLaC", "OggS", "ID3", "moov", "moof", "stsz", "trun"),
    mutate=_mutate,
    bytes_max=16_384,
)
