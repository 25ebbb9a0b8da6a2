"""How many events a peer may send. Audio is not counted: it is slowed by back-pressure instead."""

EVENTS_PER_S = 100.0
EVENTS_BURST = 2_000.0  # a client that reconnects replays its history at once
TINY_APPEND_BYTES = 160  # 10 ms of G.711: an append below this counts as an event


class EventBudget:
    """A token bucket (RFC 2697 without colours) over monotonic seconds."""

    def __init__(self, now: float, per_s: float = EVENTS_PER_S, burst: float = EVENTS_BURST) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at = now

    def spend(self, now: float) -> bool:
        """Whether one more event is within the budget."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
