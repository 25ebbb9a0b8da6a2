"""What was sent of the answers' audio, and how much of it was heard."""

from collections.abc import Mapping
from dataclasses import dataclass

_STALL_PATIENCE_S = 30.0
_REPORT_ERROR_MS = 50.0  # rounding, and the listener's own resampling
_EXACT_ERROR_MS = 1.0  # rounding


@dataclass(slots=True)
class Playout:
    """One answer on its way to the user's ear.

    starts_at: when its first sample is heard, at the earliest. reported_ms: what the listener
    says to have heard; None of one who does not say. stopped_at: since when its listener is away.
    error_ms: how far what is reported may be from the truth.
    """

    response_id: str
    item_id: str
    starts_at: float
    sent_ms: float = 0.0
    reported_ms: float | None = None
    stopped_at: float | None = None
    error_ms: float = _REPORT_ERROR_MS

    def heard_ms(self, now: float) -> float:
        if self.reported_ms is not None:
            return min(self.reported_ms, self.sent_ms)
        if self.stopped_at is not None:
            now = self.stopped_at
        return max(0.0, min(self.sent_ms, (now - self.starts_at) * 1000.0))

    @property
    def ends_at(self) -> float:
        return self.starts_at + self.sent_ms / 1000.0

    def was_heard(self, heard_ms: float) -> bool:
        """Whether that is all of it, as exactly as a player can say."""
        return heard_ms >= self.sent_ms - self.error_ms

    def is_past(self, now: float) -> bool:
        """Nobody hears it any more: it was heard to its end, or its player has long stalled."""
        has_stalled = self.stopped_at is None and now > self.ends_at + _STALL_PATIENCE_S
        return has_stalled or self.was_heard(self.heard_ms(now))


class Playback:
    """The answers that the user may still be hearing, oldest first.

    A listener who reports tells exactly what was heard. Of one who does not, the clock tells the
    most that can have been heard: audio plays in the order it was sent, no faster than it lasts, and
    not while the listener is away.
    """

    def __init__(self) -> None:
        self._playouts: list[Playout] = []
        self._away_since: float | None = None

    def away(self, now: float, heard_ms: Mapping[str, float], has_reported: bool) -> None:
        """The listener is gone. heard_ms: of some items, whatever was reported before. has_reported: one who
        says what was heard, so that the rest was not."""
        if self._away_since is None:
            self._away_since = now
        for playout in self._playouts:
            if playout.item_id in heard_ms:
                playout.reported_ms, playout.error_ms = heard_ms[playout.item_id], _EXACT_ERROR_MS
            if playout.reported_ms is None and has_reported:
                playout.reported_ms = 0.0
            elif playout.stopped_at is None:
                playout.stopped_at = self._away_since

    def back(self, now: float) -> None:
        for playout in self._playouts:
            playout.error_ms = _REPORT_ERROR_MS
            if playout.stopped_at is not None:
                playout.starts_at += now - playout.stopped_at
                playout.stopped_at = None
        self._away_since = None

    def sent(self, response_id: str, item_id: str, duration_ms: float, now: float) -> None:
        if self._away_since is not None:
            now = self._away_since
        last = self._playouts[-1] if self._playouts else None
        if last is None or last.item_id != item_id:
            starts_at = now if last is None else max(now, last.ends_at)
            self._playouts = [playout for playout in self._playouts if not playout.is_past(now)]
            last = Playout(response_id, item_id, starts_at, stopped_at=self._away_since)
            self._playouts.append(last)
        elif last.reported_ms is None and last.ends_at < now:
            # It ran dry: what follows is heard now, not when it would have been without the gap.
            last.starts_at = now - last.sent_ms / 1000.0
        last.sent_ms += duration_ms

    def unheard(self, now: float) -> list[Playout]:
        """What is still to be heard, oldest first."""
        return [playout for playout in self._playouts if not playout.was_heard(playout.heard_ms(now))]

    def restore(self, playouts: list[Playout]) -> None:
        self._playouts = playouts

    def reported(self, item_id: str, played_ms: float) -> list[Playout] | None:
        """Note what the listener has heard of an answer; None when it is not being played.

        Returns the earlier answers that the listener left before their end to come to this one.
        """
        for index, playout in enumerate(self._playouts):
            if playout.item_id == item_id:
                left, self._playouts = self._playouts[:index], self._playouts[index:]
                playout.reported_ms = max(playout.reported_ms or 0.0, played_ms)
                for earlier in left:
                    earlier.reported_ms = earlier.reported_ms or 0.0
                return [earlier for earlier in left if not earlier.was_heard(earlier.reported_ms or 0.0)]
        return None

    def ends_at(self, now: float) -> float:
        """When all has been heard by a player that does not stall; `now` if nothing plays."""
        return max([now, *(playout.ends_at for playout in self._playouts)])

    def stop(self, now: float) -> list[Playout]:
        """The playouts that were cut off, each with what was heard by then; nothing plays after."""
        cut, self._playouts = self._playouts, []
        return [playout for playout in cut if not playout.was_heard(playout.heard_ms(now))]
