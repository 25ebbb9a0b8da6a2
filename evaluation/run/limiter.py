"""How many requests a server gets at once: as many as make it faster, and no more. Pure.

The measure is throughput. A window is as many answers as there are places, counted while all places were
taken; places are doubled from window to window as long as that pays, and what did not pay is taken back. Then
the limit holds, and now and then a window with more places finds out whether the server has changed. Latency
is no measure of its own: a server that batches answers each request later and all of them sooner.

A refusal takes a place away. One that came at once (429) had none: what is left is what the server took. One
that held its place as long as an answer does (a timeout, 502 of a proxy) says that all are too many.
"""

import math
from dataclasses import dataclass, replace
from typing import assert_never

START = 8
WINDOW_LEAST = 8
"""Answers: fewer say nothing."""
WINDOW_LEAST_S = 0.25
"""Of a server that answers in milliseconds: in a shorter time, chance decides."""
PAYS = 0.15
"""Of what as many more answers as places would be: twice the places pay with 1.15 times the throughput."""
SHRINK = 0.7
PROBE = 1.5
PROBE_NEAR = 1.1
"""How far above what holds; and where that may come near to what was refused."""
LOOKS = 3
"""Windows before more places are taken back: few answers whose lengths vary tell little."""
HOLD_LEAST, HOLD_MOST = 4, 64
"""Windows between two probes: doubled by each that brought nothing."""
PAUSES_APART = 50
"""Probes that were refused with Retry-After are so many times that time apart."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The server answered, be it with a refusal of this one question."""


@dataclass(frozen=True, slots=True)
class Overloaded:
    """429, 5xx, a timeout, a lost connection. retry_after_s: what the server asked to wait, where it did."""

    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nobody knows: the request was given up by us."""


Outcome = Answered | Overloaded | Dropped


@dataclass(frozen=True, slots=True)
class Permit:
    """To have one request in flight. era: of how many cuts it knows."""

    started_at: float
    era: int


@dataclass(frozen=True, slots=True)
class Pace:
    """What a number of places brought: answers a second."""

    places: int
    per_s: float


@dataclass(frozen=True, slots=True)
class Climbing:
    """best: of fewer places, None before the first window. looks: how often they did not seem to pay."""

    best: Pace | None = None
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Descending:
    """More places than the first did not pay. Were even those too many, so that fewer are faster?"""

    best: Pace


@dataclass(frozen=True, slots=True)
class Holding:
    """pace: of all windows since, per_s 0 before the first."""

    n_windows: int = 0
    pace: Pace = Pace(0, 0.0)


@dataclass(frozen=True, slots=True)
class Probing:
    held: Pace


Phase = Climbing | Descending | Holding | Probing


@dataclass(slots=True)
class _Window:
    began_at: float
    n_answers: int = 0


class Limiter:
    """Ask `may_start`, then `start` a request and `finish` it. now: any monotonic clock's seconds.

    most: of requests in flight. start: how many the first window has.
    """

    def __init__(self, most: int, start: int = START) -> None:
        if most < 1:
            raise ValueError(f"expected room for at least 1 request, got {most}")
        self.most = most
        self.limit = min(start, most)
        self.in_flight = 0
        self.phase: Phase = Climbing()
        self._window: _Window | None = None
        self._hold = HOLD_LEAST
        self._paused_until = 0.0
        self._probe_not_before = 0.0
        self._ceiling: int | None = None  # where refusals began
        self._answered_since_refusal = True  # a request that was sent after it
        self._refused_at = -math.inf
        self._first = self.limit
        self._era = 0
        self._usual_s: float | None = None  # from request to answer, smoothed

    def may_start(self, now: float) -> bool:
        return self.in_flight < self.limit and now >= self._paused_until

    def pause_s(self, now: float) -> float:
        """How long nothing may start, whatever is free: what servers asked for."""
        return max(self._paused_until - now, 0.0)

    def start(self, now: float) -> Permit:
        self.in_flight += 1
        if self._window is None and self.in_flight >= self.limit:
            self._window = _Window(now)
        return Permit(now, self._era)

    def finish(self, permit: Permit, now: float, outcome: Outcome) -> None:
        was_full = self.in_flight >= self.limit
        self.in_flight -= 1
        match outcome:
            case Answered():
                took_s = now - permit.started_at
                self._usual_s = took_s if self._usual_s is None else 0.9 * self._usual_s + 0.1 * took_s
                self._answered_since_refusal |= permit.started_at >= self._refused_at
                self._count(now, was_full)
            case Overloaded(retry_after_s):
                self._shrink(permit, now, retry_after_s)
            case Dropped():
                pass
            case _:
                assert_never(outcome)

    # Less -----------------------------------------------------------------------------

    def _shrink(self, permit: Permit, now: float, retry_after_s: float | None) -> None:
        if retry_after_s is not None:
            self._paused_until = max(self._paused_until, now + retry_after_s)
            self._probe_not_before = max(self._probe_not_before, now + PAUSES_APART * retry_after_s)
        if self._answered_since_refusal:
            self._ceiling, self._answered_since_refusal = self.limit, False
        self._refused_at = now
        if permit.era != self._era:
            return  # sent before the last cut: says nothing of what is left
        if isinstance(self.phase, Probing):
            self._hold = min(2 * self._hold, HOLD_MOST)
            self._era += 1
            held = self.phase.held
            self.phase = Holding()
            self._set(held.places)
            return
        came_at_once = self._usual_s is None or now - permit.started_at < self._usual_s / 2
        if came_at_once:
            self._set(self.limit - 1)
        else:
            self._era += 1
            self._set(int(self.limit * SHRINK))
        self.phase = Climbing()

    # More -----------------------------------------------------------------------------

    def _count(self, now: float, was_full: bool) -> None:
        if not was_full or self._window is None:
            self._window = None  # the server had less to do than it was allowed
            return
        self._window.n_answers += 1
        length = max(self.limit, min(2 * self.limit, WINDOW_LEAST))
        wanted = length * self._window_lengths()
        window_s = now - self._window.began_at
        if self._window.n_answers < wanted or window_s < WINDOW_LEAST_S:
            return
        pace = Pace(self.limit, self._window.n_answers / window_s)
        if isinstance(self.phase, Climbing) and self.phase.looks + 1 < LOOKS and not self._has_paid(pace):
            self.phase = replace(self.phase, looks=self.phase.looks + 1)
            return  # the same window goes on
        self._window = _Window(now)
        self._decide(pace, now)

    def _window_lengths(self) -> int:
        match self.phase:
            case Climbing(looks=looks):
                return 1 + looks
            case Descending():
                return 3  # the first answers were begun among more
            case Probing():
                return 2
            case Holding():
                return 1

    def _has_paid(self, pace: Pace) -> bool:
        best = self.phase.best if isinstance(self.phase, Climbing) else None
        return best is None or _paid(pace, best)

    def _decide(self, pace: Pace, now: float) -> None:
        match self.phase:
            case Climbing(best):
                if best is None or _paid(pace, best):
                    self._climb_from(pace)
                elif best.places == self._first and best.places > 1:
                    self.phase = Descending(best)
                    self._set(best.places // 2)
                else:
                    self._hold_at(best)
            case Descending(best):
                if pace.per_s < (1 + PAYS) * best.per_s:
                    self._hold_at(best)
                elif pace.places == 1:
                    self._hold_at(pace)
                else:
                    self.phase = Descending(pace)
                    self._set(pace.places // 2)
            case Holding() as holding:
                self._hold_on(holding, pace, now)
            case Probing(held):
                if _paid(pace, held):
                    self._hold = HOLD_LEAST
                    if self._ceiling is not None and pace.places >= self._ceiling:
                        self._ceiling = None  # the server takes more than it did
                    self.phase = Holding(self._hold - 1, pace)  # and on with the next window
                else:
                    self._hold = min(2 * self._hold, HOLD_MOST)
                    self._hold_at(held)
            case _:
                assert_never(self.phase)

    def _climb_from(self, pace: Pace) -> None:
        is_near = self._ceiling is not None and 2 * pace.places >= self._ceiling
        if is_near or pace.places == self.most:
            self.phase = Holding(self._hold - 1, pace)  # and on in smaller steps
        else:
            self.phase = Climbing(pace)
            self._set(2 * pace.places)

    def _hold_at(self, pace: Pace) -> None:
        self._set(pace.places)
        self.phase = Holding(1, pace)

    def _hold_on(self, holding: Holding, pace: Pace, now: float) -> None:
        n = holding.n_windows + 1
        mean_per_s = holding.pace.per_s + (pace.per_s - holding.pace.per_s) / min(n, HOLD_LEAST)
        held = Pace(pace.places, mean_per_s)
        self.phase = replace(holding, n_windows=n, pace=held)
        if n >= self._hold and now >= self._probe_not_before and self.limit < self.most:
            self.phase = Probing(held)
            is_near = self._ceiling is not None and PROBE * self.limit >= self._ceiling
            factor = PROBE_NEAR if is_near else PROBE
            self._set(max(self.limit + 1, int(self.limit * factor)))

    def _set(self, limit: int) -> None:
        limit = max(1, min(limit, self.most))
        if limit != self.limit:
            self.limit = limit
            # More places are not taken yet; of fewer, too many still are.
            self._window = None


def _paid(pace: Pace, before: Pace) -> bool:
    wanted = 1 + PAYS * (pace.places / before.places - 1)
    return pace.per_s >= wanted * before.per_s
