"""Real speech in five languages: Debian's announcements for telephone exchanges, from the installed packages.

One speaker a language, 16 kHz, with what is said. CC BY-SA 3.0 (Russian: CC BY 3.0), so not kept here.
"""

import gzip
import random
import re
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from evaluation.routes.route import Question
from evaluation.sample import Sample

LANGUAGES = ("en", "fr", "es", "it", "ru")
HZ = 16_000
_SOUNDS = Path("/usr/share/asterisk/sounds")
_TEXTS = Path("/usr/share/doc")
_BYTES_PER_S = 8_000
"""G.722 at 64 kbit/s."""


@dataclass(frozen=True, slots=True)
class Sound:
    path: Path
    text: str


def sounds(language: str) -> list[Sound]:
    """All that are of 2 to 25 s, of four words at least, and said as they are written; by name."""
    written = _TEXTS / f"asterisk-core-sounds-{language}" / f"core-sounds-{language}.txt.gz"
    folder = _SOUNDS / language
    if not written.is_file() or not (folder / "agent-pass.g722").is_file():
        pytest.skip(
            f"install asterisk-core-sounds-{language} and asterisk-core-sounds-{language}-g722 (Debian) "
            "for real speech"
        )
    found = []
    for line in gzip.decompress(written.read_bytes()).decode("utf-8-sig").splitlines():
        name, colon, text = line.partition(": ")
        path = folder / f"{name.strip()}.g722"
        if line.startswith(";") or not colon or re.search(r"[\[(<?]", text) or not path.is_file():
            continue
        if 2 <= path.stat().st_size / _BYTES_PER_S <= 25 and len(text.split()) >= 4:
            found.append(Sound(path, text.strip()))
    return sorted(found, key=lambda sound: sound.path)


def questions(language: str, n: int) -> list[Question]:
    """The same n of them every time, picked at random."""
    chosen = random.Random(0).sample(sounds(language), n)
    return [
        Question(
            Sample(
                sample_id=f"{language}/{sound.path.stem}",
                benchmark="asterisk",
                audio=str(sound.path),
                source=f"asterisk_{language}",
                prompt="",
                reference=sound.text,
                language=language,
            ),
            pcm(sound.path),
        )
        for sound in chosen
    ]


def pcm(path: Path) -> np.ndarray:
    """(n_samples,) float32 at HZ."""
    with av.open(str(path), format="g722") as file:
        frames = [frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768
