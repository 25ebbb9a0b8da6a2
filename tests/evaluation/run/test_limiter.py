"""The limit of requests in flight, against servers in simulated time."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.run.limiter import START, Answered, Climbing, Holding, Limiter, Outcome, Overloaded, Permit
from tests.evaluation.run.simulated_server import Server, simulate

MOST = 128


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "server",
    [
        Server(1),
        Server(2, slowed_by=0.3),
        Server(8),
        Server(32),
        Server(32, in_house_max=64),
        Server(16, give_up_s=4.0),
        Server(32, in_house_max=32, retry_after_s=1.0),
        Server(32, service_s=0.2, in_house_max=32, retry_after_s=1.0),
        Server(4, in_house_max=4),
    ],
    ids=str,
)
def test_a_server_is_kept_busy_wherever_its_best_concurrency_lies(server: Server, seed: int) -> None:
    course = simulate(Limiter(MOST), server, 3_000, seed)
    assert course.busy_share(server) > 0.9


@given(
    places=st.integers(1, 40),
    room=st.none() | st.integers(0, 20),
    retry_after_s=st.none() | st.floats(0, 3),
    give_up_s=st.none() | st.floats(3, 10),
    dead_s=st.floats(0, 20),
    spread=st.floats(0.1, 1),
    most=st.integers(1, 64),
    seed=st.integers(0, 1_000),
)
@settings(max_examples=60)
def test_whatever_the_server_does_all_is_answered_within_the_limits(
    places: int,
    room: int | None,
    retry_after_s: float | None,
    give_up_s: float | None,
    dead_s: float,
    spread: float,
    most: int,
    seed: int,
) -> None:
    server = Server(
        places,
        spread=spread,
        in_house_max=None if room is None else places + room,
        retry_after_s=retry_after_s,
        give_up_s=give_up_s,
        dead=(3.0, 3.0 + dead_s),
    )
    simulate(Limiter(most), server, 200, seed)  # asserts each promise on the way


def test_a_burst_of_refusals_leaves_what_the_server_took() -> None:
    limiter = Limiter(MOST, start=64)
    permits = [limiter.start(0.0) for _ in range(64)]
    for permit in permits[32:]:
        limiter.finish(permit, 0.01, Overloaded())
    assert (limiter.limit, limiter.in_flight) == (32, 32)


def test_timeouts_that_come_together_are_one_cut() -> None:
    limiter = Limiter(MOST, start=64)
    limiter.finish(limiter.start(0.0), 1.0, Answered())
    for permit in [limiter.start(1.0) for _ in range(64)]:
        limiter.finish(permit, 61.0, Overloaded())
    assert limiter.limit == 44


def test_nothing_starts_before_the_time_that_the_server_named() -> None:
    limiter = Limiter(MOST)
    limiter.finish(limiter.start(0.0), 0.1, Overloaded(retry_after_s=5.0))
    assert not limiter.may_start(5.0)
    assert limiter.pause_s(2.1) == pytest.approx(3.0)
    assert limiter.may_start(5.1)


def test_a_server_with_too_little_to_do_says_nothing_of_its_speed() -> None:
    limiter = Limiter(MOST)
    for second in range(100):
        limiter.finish(limiter.start(second), second + 0.5, Answered())
    assert isinstance(limiter.phase, Climbing)
    assert limiter.limit == START


def test_a_server_that_takes_more_than_it_did_gets_more() -> None:
    limiter = Limiter(MOST)
    simulate(limiter, Server(8), 1_000, seed=1)
    assert limiter.limit < 48
    assert simulate(_Later(limiter), Server(64), 3_000, seed=1).busy_share(Server(64)) > 0.7
    assert limiter.limit > 48


class _Later(Limiter):
    """The same limiter, as if another simulation began where the last ended."""

    def __new__(cls, limiter: Limiter) -> Limiter:  # type: ignore[misc]
        limiter._window = None
        limiter._paused_until = limiter._probe_not_before = limiter._refused_at = 0.0
        return limiter

    def __init__(self, limiter: Limiter) -> None:
        """It is the other one."""


# Planted bugs: each must break a promise ------------------------------------------------


class _NeverGrows(Limiter):
    def _count(self, now: float, was_full: bool) -> None:
        pass


class _NeverShrinks(Limiter):
    def _shrink(self, permit: Permit, now: float, retry_after_s: float | None) -> None:
        if retry_after_s is not None:
            self._paused_until = max(self._paused_until, now + retry_after_s)


class _ForgetsThePause(Limiter):
    def _shrink(self, permit: Permit, now: float, retry_after_s: float | None) -> None:
        super()._shrink(permit, now, None)


class _LosesPlaces(Limiter):
    def finish(self, permit: Permit, now: float, outcome: Outcome) -> None:
        super().finish(permit, now, outcome)
        if isinstance(outcome, Overloaded):
            self.in_flight += 1


class _ShrinksToNothing(Limiter):
    def _set(self, limit: int) -> None:
        super()._set(limit)
        self.limit = min(self.limit, max(limit, 0))


class _GrowsWhenRefused(Limiter):
    def _shrink(self, permit: Permit, now: float, retry_after_s: float | None) -> None:
        super()._shrink(permit, now, retry_after_s)
        self.limit = min(self.limit + 2, self.most)


class _KeepsWhatDidNotPay(Limiter):
    def _hold_at(self, pace: object) -> None:
        self.phase = Holding()


class _KnowsNoMost(Limiter):
    def _set(self, limit: int) -> None:
        self.limit = max(1, limit)
        self._window = None


class _StaysDown(Limiter):
    def _decide(self, pace: object, now: float) -> None:
        if not self._answered_since_refusal or self._ceiling is None:
            super()._decide(pace, now)  # type: ignore[arg-type]


class _CountsTooEarly(Limiter):
    """Takes answers of an unfilled window for the server's best."""

    def start(self, now: float) -> Permit:
        permit = super().start(now)
        if self._window is None:
            self._climb_from_anything()
        return permit

    def _climb_from_anything(self) -> None:
        self.limit = min(2 * self.limit, self.most)


@pytest.mark.parametrize(
    "planted",
    [
        _NeverGrows,
        _NeverShrinks,
        _ForgetsThePause,
        _LosesPlaces,
        _ShrinksToNothing,
        _GrowsWhenRefused,
        _KeepsWhatDidNotPay,
        _KnowsNoMost,
        _StaysDown,
        _CountsTooEarly,
    ],
)
def test_a_planted_bug_dies(planted: type[Limiter]) -> None:
    with pytest.raises(AssertionError):
        _promises(planted)


def test_without_a_planted_bug_every_promise_is_kept() -> None:
    _promises(Limiter)


def _promises(kind: type[Limiter]) -> None:
    seed = random.Random(1).randrange(1_000)
    for server, refused_most in (
        (Server(32), 0),
        (Server(32, in_house_max=32, retry_after_s=1.0), 150),
        (Server(16, dead=(4.0, 12.0)), None),
        (Server(2, slowed_by=0.3), 0),
    ):
        limiter = kind(MOST)
        course = simulate(limiter, server, 2_000, seed)
        # Not all of the time: a dead server, and one that is slowed until the limiter has come down to it.
        least = 0.6 if server.dead[1] else 0.85 if server.slowed_by else 0.9
        assert course.busy_share(server) > least
        assert refused_most is None or course.n_refused <= refused_most
        assert limiter.limit < 4 * server.places
    limiter = kind(20)
    simulate(limiter, Server(64), 500, seed)
    assert limiter.limit == 20
