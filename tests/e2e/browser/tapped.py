"""What a page heard and said, as listener.js took it down; and which words of the recital that was."""

import base64
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
from playwright.async_api import Page

TAPPED_HZ = 16_000
PIECE_SAMPLES = 128
LISTENER = (Path(__file__).parent / "listener.js").read_text()
N_NOTES = 14
"""After so many words the recital's notes begin anew (agent/scripted/agent.py)."""
_NOTES_HZ = 220 * 2 ** (np.array([*(0, 2, 4, 5, 7, 9, 11), *(12, 14, 16, 17, 19, 21, 23)]) / 12)
_WINDOW = 640  # 40 ms: tells neighbouring notes apart, and is a quarter of a word
_STEP = 160
_AUDIBLE = 500.0
_WORD_WINDOWS = 4


@dataclass(frozen=True, slots=True)
class Tapped:
    """at_ms: when each piece of PIECE_SAMPLES went by, since the epoch."""

    at_ms: npt.NDArray[np.float64]
    pcm: npt.NDArray[np.int16]


async def tapped(page: Page, name: str) -> Tapped:
    """name: "ear" or "mouth"."""
    found = await page.evaluate("name => window.tapped(name)", name)
    return Tapped(np.array(found["at"], float), np.frombuffer(base64.b64decode(found["pcm"]), "<i2"))


def notes_of(pcm: npt.NDArray[np.int16], rate_hz: int) -> list[int]:
    """The notes that sound one after another, by their numbers in the scale; none is shorter than 70 ms.

    A word with a gap in it is one word.
    """
    window, step = _WINDOW * rate_hz // TAPPED_HZ, _STEP * rate_hz // TAPPED_HZ
    if len(pcm) < window:
        return []
    pieces = np.lib.stride_tricks.sliding_window_view(pcm.astype(float), window)[::step]
    times = np.arange(window) / rate_hz
    waves = np.exp(-2j * np.pi * np.outer(times, _NOTES_HZ)) * np.hanning(window)[:, None]
    loudest = np.abs(pieces @ waves).argmax(axis=1)
    is_audible = np.sqrt((pieces**2).mean(axis=1)) > _AUDIBLE
    heard = np.where(is_audible, loudest, -1)
    runs = [(int(note), sum(1 for _ in run)) for note, run in groupby(heard)]
    words = [note for note, length in runs if note >= 0 and length >= _WORD_WINDOWS]
    return [note for note, _ in groupby(words)]  # no two words that follow each other have the same
