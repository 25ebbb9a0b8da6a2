"""When sound leaves one end of a call, and when it is at the other: what bench_page measures with.

Answers are short tones, each with a number, so that every one of them is a mark whose way can be timed. What
the microphone hears is speech: its way is found by laying both ends' recordings over each other.
"""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from realtime.transports.webrtc.opus import OpusDecoder

from agent.api import SPEAKING_HZ, AgentEvent, AgentRequest, AudioDelta, GenerationDone, TextDelta
from realtime.transports.webrtc.playout import Frame, Playout
from tests.e2e.browser.gateways import HearingAgent
from tests.e2e.browser.tapped import PIECE_SAMPLES, TAPPED_HZ, Tapped

TONE_MS = 60
EVERY_MS = 240  # whole frames of 20 ms: a tone begins where a packet does
ANSWER_TONES = 42  # ten seconds
_N_TONES = 8  # 1.9 s until one comes again: longer than any way takes
_TONES_HZ = 500 * 1.2 ** np.arange(_N_TONES)
_AUDIBLE = 1_000
_SILENT_MS = 60
_PIECE_MS = PIECE_SAMPLES * 1000 / TAPPED_HZ
_SMOOTHED_PIECES = 251  # two seconds: a browser renders in bursts
_WITHIN_MS = 1_500.0
_SERVER_HZ = 48_000

Samples = npt.NDArray[np.int16]


class MarkingAgent(HearingAgent):
    """Each word of its answers is a short tone."""

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        text_end = 0
        for at in range(ANSWER_TONES):
            word = f" {at}" if at else "0"
            text_end += len(word)
            yield TextDelta(word)
            yield AudioDelta(_tone(at % _N_TONES), text_end)
        yield GenerationDone()


@dataclass
class ServerSide:
    """sent: when each tone left, in ms since the epoch, and which it was. came: when each piece of the
    microphone's sound was there, and the sound, at 48 kHz; guessed: of those, the ones that were lost."""

    sent: list[tuple[float, int]] = field(default_factory=list)
    came: list[tuple[float, Samples]] = field(default_factory=list)
    guessed: int = 0


@contextmanager
def watching() -> Iterator[ServerSide]:
    """Of a server in this process, with one call."""
    seen = ServerSide()
    next_frame, decode, conceal = Playout.next, OpusDecoder.decode, OpusDecoder.conceal

    def noting_next(playout: Playout) -> Frame | None:
        frame = next_frame(playout)
        if frame is not None:
            pcm = np.frombuffer(frame.pcm, "<i2")
            if np.abs(pcm[:24]).max() > _AUDIBLE and noting_next.silent:  # type: ignore[attr-defined]
                seen.sent.append((time.time() * 1000, _which(pcm, SPEAKING_HZ)))
            noting_next.silent = np.abs(pcm).max() < _AUDIBLE  # type: ignore[attr-defined]
        return frame

    noting_next.silent = True  # type: ignore[attr-defined]

    def noting_decode(decoder: OpusDecoder, payload: bytes) -> bytes:
        pcm = decode(decoder, payload)
        seen.came.append((time.time() * 1000, np.frombuffer(pcm, "<i2")))
        return pcm

    def noting_conceal(decoder: OpusDecoder, samples: int) -> bytes:
        pcm = conceal(decoder, samples)
        seen.guessed += 1
        seen.came.append((time.time() * 1000, np.frombuffer(pcm, "<i2")))
        return pcm

    with (
        patch.object(Playout, "next", noting_next),
        patch.object(OpusDecoder, "decode", noting_decode),
        patch.object(OpusDecoder, "conceal", noting_conceal),
    ):
        yield seen


def ways_to_ear(seen: ServerSide, ear: Tapped) -> list[float]:
    """Of each tone heard: ms from its packet's leaving the server to its first sample's being played."""
    heard = list(_onsets(ear))
    ways, at = [], 0
    for sent_ms, tone in seen.sent:
        while at < len(heard) and heard[at][0] < sent_ms:
            at += 1
        found = (there for there, which in heard[at:] if which == tone)
        there = next(found, float("inf"))
        if there - sent_ms < _WITHIN_MS:
            ways.append(there - sent_ms)
    return ways


def ways_to_server(seen: ServerSide, mouth: Tapped) -> list[float]:
    """Of each packet that came: ms from its first sample's being captured to its being with the session."""
    there = np.concatenate([pcm for _, pcm in seen.came])[::3].astype(float)  # at TAPPED_HZ; speech is lower
    offset = _offset(mouth.pcm.astype(float), there)
    captured_ms = _smoothed(mouth.at_ms)
    ways, at = [], 0
    for came_ms, pcm in seen.came:
        piece = (at * TAPPED_HZ // _SERVER_HZ + offset) / PIECE_SAMPLES
        at += len(pcm)
        if 0 <= piece < len(captured_ms):
            # A piece's time is when it was complete.
            ways.append(came_ms - (captured_ms[int(piece)] - _PIECE_MS + (piece % 1) * _PIECE_MS))
    return ways


def _tone(which: int) -> bytes:
    at_s = np.arange(SPEAKING_HZ * TONE_MS // 1000) / SPEAKING_HZ
    wave = 9000 * np.cos(2 * np.pi * _TONES_HZ[which] * at_s)
    silence = bytes(2 * SPEAKING_HZ * (EVERY_MS - TONE_MS) // 1000)
    return wave.astype("<i2").tobytes() + silence


def _which(pcm: Samples, rate_hz: int) -> int:
    times = np.arange(len(pcm)) / rate_hz
    return int(np.abs(pcm @ np.exp(-2j * np.pi * np.outer(times, _TONES_HZ))).argmax())


def _onsets(ear: Tapped) -> Iterator[tuple[float, int]]:
    """When a tone begins after silence, and which it is."""
    played_ms = _smoothed(ear.at_ms)
    loud = np.flatnonzero(np.abs(ear.pcm) > _AUDIBLE)
    is_first = np.diff(loud, prepend=-TAPPED_HZ) > _SILENT_MS * TAPPED_HZ // 1000
    for sample in loud[is_first]:
        tone = ear.pcm[sample : sample + TAPPED_HZ * TONE_MS // 2000]
        piece, within = divmod(int(sample), PIECE_SAMPLES)
        yield played_ms[piece] - _PIECE_MS + within * 1000 / TAPPED_HZ, _which(tone, TAPPED_HZ)


def _smoothed(at_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The pieces follow each other evenly; what is seen of them comes in bursts."""
    even = np.arange(len(at_ms)) * _PIECE_MS
    late = at_ms - even
    padded = np.pad(late, _SMOOTHED_PIECES // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED_PIECES)
    return np.asarray(even + np.median(windows, axis=1), float)


def _offset(long: npt.NDArray[np.float64], part: npt.NDArray[np.float64]) -> int:
    """Where in `long` the sound of `part` begins, in samples."""
    size = 1 << (len(long) + len(part)).bit_length()
    found = np.fft.irfft(np.fft.rfft(long, size) * np.conj(np.fft.rfft(part, size)), size)
    at = int(np.abs(found).argmax())
    return at if at < len(long) else at - size
