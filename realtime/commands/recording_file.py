"""A recording of any kind, read from a file or from standard input, for what a person runs."""

import math
import sys
from pathlib import Path

from realtime.audio.pcm import BYTES_PER_SAMPLE
from realtime.audio.recordings import KINDS, decode_recording, kind_of
from realtime.errors import SettingsError

STDIN = Path("-")


def read_recording(path: Path, hz: int, s_min: float = 0.0, s_max: float = math.inf) -> bytes:
    """Return its sound, mixed to one channel: s16le at `hz`. path: STDIN for standard input.

    Raises SettingsError, one sentence with the file's name, also for less than s_min or more than s_max.
    """
    name = shown(path)
    try:
        file = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{name} cannot be read: {error.strerror}.") from None
    if not file:
        raise SettingsError(f"{name} cannot be used: it is empty.")
    kind = kind_of(file, path.suffix)
    if kind is None:
        raise SettingsError(f"{name} cannot be used: it is no recording ({', '.join(KINDS)}).")
    try:
        pcm = decode_recording(file, kind, hz, s_max)
    except ValueError as error:
        raise SettingsError(f"{name} cannot be used: {error}.") from None
    seconds = len(pcm) / BYTES_PER_SAMPLE / hz
    if seconds < s_min:
        raise SettingsError(
            f"{name} is too short: it holds {seconds * 1000:.0f} ms of sound, and at least "
            f"{s_min * 1000:.0f} ms are needed."
        )
    return pcm


def shown(path: Path) -> str:
    return "standard input" if path == STDIN else str(path)
