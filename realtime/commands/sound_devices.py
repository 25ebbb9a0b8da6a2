"""The microphone and loudspeaker of this machine, for `parlour talk`. Needs `sounddevice`.

PortAudio calls back on a thread of its own; what that thread touches is here and has a lock.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from realtime.errors import SettingsError

HZ = 24_000
FRAME_SAMPLES = HZ // 50
MAX_CAPTURED_FRAMES = 100
"""Two seconds; when the connection is slower than that, the oldest sound is given up."""
MAX_WAITING_BYTES = 10 * 60 * HZ * 2
"""Ten minutes of an answer not yet played; what comes beyond is not played."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """An answer's item that was stopped before its end, and how much of it was heard."""

    item_id: str
    heard_ms: int


class Playback:
    """What is to be played, and how much of it was: filled by the event loop, emptied by the device."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, memoryview]] = deque()
        self._waiting_bytes = 0
        self._item_id = ""
        self._played_bytes = 0
        self._cut_off = ""

    def play(self, item_id: str, pcm: bytes) -> None:
        """Add to the end. What belongs to an item that was stopped is dropped."""
        with self._lock:
            if item_id != self._cut_off and self._waiting_bytes + len(pcm) <= MAX_WAITING_BYTES:
                self._waiting.append((item_id, memoryview(pcm)))
                self._waiting_bytes += len(pcm)

    def pull(self, n_bytes: int) -> bytes:
        """Return what the device plays next, filled up with silence."""
        pulled = bytearray()
        with self._lock:
            while self._waiting and len(pulled) < n_bytes:
                item_id, pcm = self._waiting.popleft()
                if item_id != self._item_id:
                    self._item_id, self._played_bytes = item_id, 0
                now, later = pcm[: n_bytes - len(pulled)], pcm[n_bytes - len(pulled) :]
                pulled += now
                self._played_bytes += len(now)
                self._waiting_bytes -= len(now)
                if later:
                    self._waiting.appendleft((item_id, later))
        return bytes(pulled).ljust(n_bytes, b"\0")

    @property
    def is_empty(self) -> bool:
        with self._lock:
            return not self._waiting

    def position(self, latency_ms: int = 0) -> tuple[str, int]:
        """The item that was played last, "" for none, and how many ms of it were heard."""
        with self._lock:
            return self._item_id, max(0, self._played_bytes * 1000 // (2 * HZ) - latency_ms)

    def reset(self) -> None:
        """Forget everything: what comes next is another conversation's."""
        with self._lock:
            self._waiting.clear()
            self._waiting_bytes = self._played_bytes = 0
            self._item_id = self._cut_off = ""

    def stop(self, latency_ms: int = 0) -> CutOff | None:
        """Play nothing more of what waits; return what that cuts off, or None if nothing waited.

        latency_ms: how long the device holds sound that it has pulled but not made heard.
        """
        with self._lock:
            if not self._waiting:
                return None
            first, last = self._waiting[0][0], self._waiting[-1][0]
            heard_ms = self._played_bytes * 1000 // (2 * HZ) - latency_ms if first == self._item_id else 0
            self._waiting.clear()
            self._waiting_bytes = 0
            self._cut_off = last
            return CutOff(first, max(0, heard_ms))


@dataclass(frozen=True, slots=True)
class Devices:
    captured: "asyncio.Queue[bytes]"
    playback: Playback
    latency_ms: int


@contextmanager
def open_devices() -> Iterator[Devices]:
    """Open the default microphone and loudspeaker. Raises SettingsError where there are none."""
    sounddevice = _sounddevice()
    loop = asyncio.get_running_loop()
    captured: asyncio.Queue[bytes] = asyncio.Queue(MAX_CAPTURED_FRAMES)
    playback = Playback()

    def keep(frame: bytes) -> None:
        if captured.full():
            captured.get_nowait()
        captured.put_nowait(frame)

    def hear(frame: Any, n_samples: int, time: Any, status: Any) -> None:
        loop.call_soon_threadsafe(keep, bytes(frame))

    def speak(frame: Any, n_samples: int, time: Any, status: Any) -> None:
        frame[:] = playback.pull(n_samples * 2)

    shape = {"samplerate": HZ, "channels": 1, "dtype": "int16", "blocksize": FRAME_SAMPLES}
    try:
        microphone = sounddevice.RawInputStream(callback=hear, **shape)
        loudspeaker = sounddevice.RawOutputStream(callback=speak, **shape)
    except sounddevice.PortAudioError:
        raise SettingsError(
            "This machine has no microphone or no loudspeaker that can be opened: use --wav or --text."
        ) from None
    with microphone, loudspeaker:
        yield Devices(captured, playback, round(1000 * loudspeaker.latency))


def _sounddevice() -> Any:
    try:
        import sounddevice  # type: ignore[import-not-found, unused-ignore]
    except (ImportError, OSError):  # OSError: the package is there, the PortAudio library is not
        raise SettingsError(
            "The microphone needs the package sounddevice and the PortAudio library "
            "(pip install sounddevice; on Debian also apt install libportaudio2); or use --wav or --text."
        ) from None
    return sounddevice
