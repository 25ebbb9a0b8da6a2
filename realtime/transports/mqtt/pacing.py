"""Sound that waits for its time: a player is given no more than it can hold."""

from collections import deque

from realtime.transports.mqtt.codec import DOWN_HZ, Frame


class PacedAudio:
    """Frames wait here until a player that holds `lead_s` has room for them. Pure: `now` is an argument.

    How far the player is, is counted from what it took, and corrected by its own word for it.
    """

    def __init__(self, lead_s: float) -> None:
        self._lead_s = lead_s
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._taken_s: dict[int, float] = {}  # of the answers that the player may still hold
        self._plays_until = 0.0

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def due_at(self) -> float | None:
        """When to `take` the next frame; None when there is none."""
        return self._plays_until - self._lead_s if self._frames else None

    def put(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._bytes += len(frame.pcm)

    def take(self, now: float) -> Frame:
        frame = self._frames.popleft()
        self._bytes -= len(frame.pcm)
        duration_s = len(frame.pcm) / (2 * DOWN_HZ)
        self._taken_s[frame.answer] = self._taken_s.get(frame.answer, 0.0) + duration_s
        self._plays_until = max(self._plays_until, now) + duration_s
        return frame

    def played(self, answer: int, played_s: float, now: float) -> None:
        """The player's word for how far it is in an answer; it plays them in their order."""
        if answer not in self._taken_s:
            return
        for earlier in [number for number in self._taken_s if number < answer]:
            del self._taken_s[earlier]
        self._plays_until = now + max(0.0, sum(self._taken_s.values()) - played_s)

    def clear(self) -> None:
        """The player is emptied too."""
        self._frames.clear()
        self._bytes = 0
        self._taken_s.clear()
        self._plays_until = 0.0
