"""A page's microphone, into which a test speaks when it wants to (mouth.js)."""

import base64
from pathlib import Path

import numpy as np
from playwright.async_api import Page

from tests.speech import HZ, Utterance, utterances

MOUTH = (Path(__file__).parent / "mouth.js").read_text()
_BREATH_MS = 200
_AUDIBLE = 3_000


def without_pauses() -> bytes:
    """Ninety seconds of speech without a silence that would end a turn. s16le mono at speech.HZ."""
    return b"".join(voice(one) for one in utterances() if one.longest_pause_ms <= _BREATH_MS)


def voice(spoken: Utterance) -> bytes:
    """Without the silence before and after it. s16le mono at speech.HZ."""
    return spoken.pcm16k[2 * (HZ * spoken.speech_start_ms // 1000) : 2 * (HZ * spoken.speech_end_ms // 1000)]


async def say(page: Page, pcm: bytes) -> None:
    """Into a microphone that is open; returns when it is said. pcm: s16le mono at speech.HZ."""
    await page.evaluate("pcm => window.say(pcm)", base64.b64encode(pcm).decode())


async def begin_to_say(page: Page, pcm: bytes) -> None:
    """As `say`, without waiting for the end."""
    await page.evaluate("pcm => void window.say(pcm)", base64.b64encode(pcm).decode())


async def fall_silent(page: Page) -> None:
    """In the middle of what is being said."""
    await page.evaluate("window.hush()")


def places_of(said: bytes, heard: bytes, rate_hz: int) -> list[float]:
    """Where what was said would begin in what was heard (ms), to judge by each half second of it.

    said, heard: s16le mono at that rate. Where nothing is missing and nothing comes twice, all are the same.
    """
    whole, spoken = (np.frombuffer(pcm, "<i2").astype(float) for pcm in (heard, said))
    step = rate_hz // 2
    energy = np.cumsum(np.concatenate([[0.0], whole**2]))
    loudness = np.sqrt(energy[step:] - energy[:-step] + step)
    size = 1 << (len(whole) + step).bit_length()
    spectrum = np.fft.rfft(whole, size)
    places = []
    for at in range(0, len(spoken) - step + 1, step):
        piece = spoken[at : at + step]
        if np.abs(piece).max() < _AUDIBLE:
            continue
        alike = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[: len(loudness)]
        places.append(float(np.argmax(alike / loudness) - at) * 1000 / rate_hz)
    return places
