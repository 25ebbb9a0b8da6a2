"""Playout: what was sent of the answers' audio, and how much of it was heard. Seconds are of `now`."""

from collections.abc import Mapping
from dataclasses import dataclass

_STALL_S_MAX = 30.0
_REPORT_ERROR_MS = 50.0  # rounding, and the listener's own resampling
_EXACT_ERROR_MS = 1.0  # rounding


@dataclass(slots=True)
class Playout:
    """One answer that is played. Positions are milliseconds of its audio.

    starts_at: when its first sample is heard, at the earliest. reported_ms: how far its listener says to be;
    None: it does not say. stopped_at: when its listener was disconnected. error_ms: of reported_ms.
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

    def is_over(self, now: float) -> bool:
        """Nobody hears it any more: it was heard to its end, or its player has long stalled."""
        has_stalled = self.stopped_at is None and now > self.ends_at + _STALL_S_MAX
        return has_stalled or self.was_heard(self.heard_ms(now))


class Playback:
    """The answers that the user may still be hearing, oldest first.

    A listener who reports says exactly what was heard. Of one who does not, the clock says the most that
    can have been heard: audio plays in the order it was sent, no faster than it lasts, and not while the
    listener is disconnected.
    """

    def __init__(self) -> None:
        self._playouts: list[Playout] = []
        self._disconnected_at: float | None = None

    def client_disconnected(self, now: float, heard_ms: Mapping[str, float], has_reported: bool) -> None:
        """Nothing is heard from now on. heard_ms: item id -> what was heard, whatever was reported before.
        has_reported: the listener reports, so that what it has not reported was not heard."""
        if self._disconnected_at is None:
            self._disconnected_at = now
        for playout in self._playouts:
            if playout.item_id in heard_ms:
                playout.reported_ms, playout.error_ms = heard_ms[playout.item_id], _EXACT_ERROR_MS
            if playout.reported_ms is None and has_reported:
                playout.reported_ms = 0.0
            elif playout.stopped_at is None:
                playout.stopped_at = self._disconnected_at

    def client_reconnected(self, now: float) -> None:
        for playout in self._playouts:
            playout.error_ms = _REPORT_ERROR_MS
            if playout.stopped_at is not None:
                playout.starts_at += now - playout.stopped_at
                playout.stopped_at = None
        self._disconnected_at = None

    def audio_sent(self, response_id: str, item_id: str, duration_ms: float, now: float) -> None:
        if self._disconnected_at is not None:
            now = self._disconnected_at
        last = self._playouts[-1] if self._playouts else None
        if last is None or last.item_id != item_id:
            starts_at = now if last is None else max(now, last.ends_at)
            self._playouts = [playout for playout in self._playouts if not playout.is_over(now)]
            last = Playout(response_id, item_id, starts_at, stopped_at=self._disconnected_at)
            self._playouts.append(last)
        elif last.reported_ms is None and last.ends_at < now:
            # It ran dry: what follows is heard now, not when it would have been without the gap.
            last.starts_at = now - last.sent_ms / 1000.0
        last.sent_ms += duration_ms

    def unheard(self, now: float) -> list[Playout]:
        """What is still to be heard, oldest first."""
        return [playout for playout in self._playouts if not playout.was_heard(playout.heard_ms(now))]

    def restore(self, playouts: list[Playout]) -> None:
        """Of a stored session: what was not heard to its end."""
        self._playouts = playouts

    def reported(self, item_id: str, played_ms: float) -> list[Playout] | None:
        """Note what the listener has heard of an answer; None when it is not being played.

        Returns the earlier answers that the listener skipped.
        """
        for index, playout in enumerate(self._playouts):
            if playout.item_id == item_id:
                skipped, self._playouts = self._playouts[:index], self._playouts[index:]
                playout.reported_ms = max(playout.reported_ms or 0.0, played_ms)
                for earlier in skipped:
                    earlier.reported_ms = earlier.reported_ms or 0.0
                return [earlier for earlier in skipped if not earlier.was_heard(earlier.reported_ms or 0.0)]
        return None

    def ends_at(self, now: float) -> float:
        """When all has been heard by a player that does not stall; `now` if nothing plays."""
        return max([now, *(playout.ends_at for playout in self._playouts)])

    def stop(self, now: float) -> list[Playout]:
        """The playouts that were cut off, each with what was heard by then; nothing plays after."""
        cut, self._playouts = self._playouts, []
        return [playout for playout in cut if not playout.was_heard(playout.heard_ms(now))]
