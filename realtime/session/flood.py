"""How many events a peer may send, large ones counting for many. Audio is not counted: it is slowed by
back-pressure instead."""

EVENTS_PER_S = 100.0
EVENTS_BURST = 2_000.0  # a client that reconnects replays its history at once
COUNTED_BYTES = 16 * 1024
"""An event costs one more for each so many bytes: to read 1 MiB of JSON takes all sessions' time for 40 ms
and more, so one may send 30 such at once, and then one and a half a second."""
TINY_APPEND_BYTES = 160  # 10 ms of G.711: an append below this counts as an event


class Bucket:
    """A token bucket (RFC 2697 without colours) over monotonic seconds."""

    def __init__(self, now: float, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at = now

    def spend(self, now: float, cost: float) -> bool:
        """Whether there is that much left; what is refused costs nothing."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < cost:
            return False
        self._left -= cost
        return True


class EventBudget:
    """Counts events in a bucket, large ones for many."""

    def __init__(self, now: float, per_s: float = EVENTS_PER_S, burst: float = EVENTS_BURST) -> None:
        self._bucket = Bucket(now, per_s, burst)

    def spend(self, now: float, n_bytes: int = 0) -> bool:
        """Whether one more event of that size is within the budget."""
        return self._bucket.spend(now, 1.0 + n_bytes / COUNTED_BYTES)
