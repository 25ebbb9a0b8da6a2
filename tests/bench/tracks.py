"""What a simulated user says: recorded utterances with the pauses of a conversation, for minutes.

Each track is endless talk of one user: some room, an utterance, the room while the answer comes and
is listened to, the next utterance. Sessions that play the same track get the same signals at the
same frames, which is what makes lateness measurable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from realtime.audio.resample import Resampler
from tests.speech import HZ, Utterance, in_a_room, utterances

WIRE_HZ = 24_000
FRAME_MS = 20
FRAME_BYTES = WIRE_HZ * FRAME_MS // 1000 * 2
LISTENS_S = 11.0  # the scripted answer lasts ten seconds
LEAD_S = 0.5


@dataclass(frozen=True, slots=True)
class Track:
    """frames: 20 ms each, s16le mono at 24 kHz."""

    frames: tuple[bytes, ...]


@cache
def tracks(count: int, seconds: float) -> tuple[Track, ...]:
    """`count` different users, each talking for `seconds`; utterances are dealt out in turn."""
    dealt = (utterances()[first::count] for first in range(count))
    return tuple(_track(spoken, seconds, seed) for seed, spoken in enumerate(dealt, 1))


def _track(spoken: Sequence[Utterance], seconds: float, seed: int) -> Track:
    pcm, turn = bytearray(_silence(LEAD_S)), 0
    while len(pcm) < seconds * HZ * 2:
        pcm += spoken[turn % len(spoken)].pcm16k + _silence(LISTENS_S)
        turn += 1
    resampler = Resampler(HZ, WIRE_HZ)
    heard = in_a_room(bytes(pcm[: int(seconds * HZ) * 2]), seed=seed)
    return Track(cut(resampler.push(heard) + resampler.flush()))


def cut(pcm24k: bytes) -> tuple[bytes, ...]:
    """Whole frames of 20 ms; the last one is filled up with silence."""
    padded = pcm24k + bytes(-len(pcm24k) % FRAME_BYTES)
    return tuple(padded[at : at + FRAME_BYTES] for at in range(0, len(padded), FRAME_BYTES))


def _silence(seconds: float) -> bytes:
    return bytes(2 * int(seconds * HZ))
