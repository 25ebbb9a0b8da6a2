"""What a client has at its loudspeaker: the assistant's sound, played one moment after another. Pure."""

from collections import deque

import numpy as np

from evaluation.speech.live.voice_activity import Samples

HZ = 24_000


class Playout:
    """Sound comes in faster than it is played. heard_ms: of each item, how far it was played."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, Samples]] = deque()
        self.heard_ms: dict[str, float] = {}

    @property
    def is_playing(self) -> bool:
        return bool(self._waiting)

    def play(self, item_id: str, pcm: bytes) -> None:
        """pcm: s16le mono at HZ, put after what waits; half a sample at the end is dropped."""
        samples = np.frombuffer(pcm[: len(pcm) - len(pcm) % 2], "<i2").astype(np.float32)
        samples *= np.float32(1 / 32768)
        if len(samples):
            self._waiting.append((item_id, samples))

    def pull(self, n_samples: int) -> Samples:
        """The next moment: silence where nothing waits."""
        moment = np.zeros(n_samples, np.float32)
        filled = 0
        while self._waiting and filled < n_samples:
            item_id, samples = self._waiting.popleft()
            taken = samples[: n_samples - filled]
            moment[filled : filled + len(taken)] = taken
            filled += len(taken)
            self.heard_ms[item_id] = self.heard_ms.get(item_id, 0.0) + 1000 * len(taken) / HZ
            if len(taken) < len(samples):
                self._waiting.appendleft((item_id, samples[len(taken) :]))
        return moment

    def cut(self) -> tuple[str, int] | None:
        """Drop what waits. Returns the item that was being played, and how much of it was heard in ms; None
        in silence."""
        if not self._waiting:
            return None
        item_id = self._waiting[0][0]
        self._waiting.clear()
        return item_id, int(self.heard_ms.get(item_id, 0.0))
