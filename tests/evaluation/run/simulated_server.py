"""A server in simulated time, asked as the limiter allows: what a limit is worth, without waiting.

Fake: it answers nothing. It has `places` that work side by side, a queue, and service times drawn at random.
"""

import heapq
import itertools
import random
from collections import deque
from dataclasses import dataclass, field

from evaluation.run.limiter import Answered, Limiter, Outcome, Overloaded, Permit

REFUSAL_S = 0.002


@dataclass(frozen=True, slots=True)
class Server:
    """in_house_max: requests beyond it are refused at once. dead: from when to when all are.

    give_up_s: what waited and was served so long is a timeout. slowed_by: how much each request beyond
    `places` slows all (thrashing).
    """

    places: int
    service_s: float = 1.0
    spread: float = 0.3
    in_house_max: int | None = None
    retry_after_s: float | None = None
    give_up_s: float | None = None
    slowed_by: float = 0.0
    dead: tuple[float, float] = (0.0, 0.0)


@dataclass(slots=True)
class Course:
    """What happened. limits: each change, with its time. busy_s: of all places together."""

    n_answered: int = 0
    n_refused: int = 0
    wall_s: float = 0.0
    busy_s: float = 0.0
    limits: list[tuple[float, int]] = field(default_factory=list)

    def busy_share(self, server: Server) -> float:
        return self.busy_s / (self.wall_s * server.places)


def simulate(limiter: Limiter, server: Server, n_requests: int, seed: int) -> Course:
    """Ask until all is answered. Raises AssertionError where the limiter breaks a promise."""
    return _Simulation(limiter, server, n_requests, seed).run()


class _Simulation:
    def __init__(self, limiter: Limiter, server: Server, n_requests: int, seed: int) -> None:
        self.limiter, self.server = limiter, server
        self.random = random.Random(seed)
        self.now = 0.0
        self.n_waiting = n_requests  # to be asked
        self.n_in_flight = 0
        self.in_service = 0
        self.queue: deque[tuple[float, Permit]] = deque()
        self.events: list[tuple[float, int, str, Permit | None]] = []
        self.number = itertools.count()
        self.closed_until = 0.0
        self.course = Course()
        self.n_events = 0

    def run(self) -> Course:
        n_requests = self.n_waiting
        self.limiter_limit_seen()
        self.ask()
        while self.course.n_answered < n_requests:
            assert self.events, "nothing is under way, and nothing may start: it hangs"
            self.n_events += 1
            assert self.n_events < 200 * n_requests, "it goes on without an end"
            self.now, _, kind, permit = heapq.heappop(self.events)
            if kind == "serve":
                self.served(permit)
            elif kind == "refuse":
                self.over(permit, Overloaded(self.server.retry_after_s))
            elif kind == "again":
                self.n_waiting += 1
            self.ask()
        assert self.limiter.in_flight == self.n_in_flight == 0, "a request is over, and its place is not free"
        self.course.wall_s = self.now
        return self.course

    def ask(self) -> None:
        while self.n_waiting and self.limiter.may_start(self.now):
            assert self.now >= self.closed_until - 1e-9, "asked before the time that the server named"
            permit = self.limiter.start(self.now)
            self.n_waiting -= 1
            self.n_in_flight += 1
            assert self.n_in_flight <= self.limiter.most, "more in flight than ever allowed"
            self.arrive(permit)
        pause_s = self.limiter.pause_s(self.now)
        if self.n_waiting and pause_s and self.n_in_flight < self.limiter.limit:
            self.later(pause_s, "wake", None)

    def arrive(self, permit: Permit) -> None:
        house = self.server.in_house_max
        is_dead = self.server.dead[0] <= self.now < self.server.dead[1]
        if is_dead or (house is not None and self.in_service + len(self.queue) >= house):
            self.later(REFUSAL_S, "refuse", permit)
        elif self.in_service < self.server.places:
            self.serve(permit)
        else:
            self.queue.append((self.now, permit))

    def serve(self, permit: Permit) -> None:
        self.in_service += 1
        slower = 1 + self.server.slowed_by * max(0, self.n_in_flight - self.server.places)
        shape = 1 / self.server.spread**2
        service_s = self.random.gammavariate(shape, self.server.service_s / shape)
        self.course.busy_s += service_s
        self.later(service_s * slower, "serve", permit)

    def served(self, permit: Permit | None) -> None:
        assert permit is not None
        self.in_service -= 1
        if self.queue:
            self.serve(self.queue.popleft()[1])
        give_up_s = self.server.give_up_s
        if give_up_s is not None and self.now - permit.started_at > give_up_s:
            self.over(permit, Overloaded())
        else:
            self.over(permit, Answered())

    def over(self, permit: Permit | None, outcome: Outcome) -> None:
        assert permit is not None
        self.n_in_flight -= 1
        before = self.limiter.limit
        self.limiter.finish(permit, self.now, outcome)
        self.limiter_limit_seen()
        if isinstance(outcome, Answered):
            self.course.n_answered += 1
            return
        self.course.n_refused += 1
        assert self.limiter.limit <= before, "a refusal made the limit grow"
        if outcome.retry_after_s is not None:
            self.closed_until = max(self.closed_until, self.now + outcome.retry_after_s)
        wait_s = max(0.5 * (1 + self.random.random()), outcome.retry_after_s or 0.0)
        self.later(wait_s, "again", None)

    def limiter_limit_seen(self) -> None:
        limit = self.limiter.limit
        assert 1 <= limit <= self.limiter.most, f"a limit of {limit}"
        if not self.course.limits or self.course.limits[-1][1] != limit:
            self.course.limits.append((self.now, limit))

    def later(self, wait_s: float, kind: str, permit: Permit | None) -> None:
        heapq.heappush(self.events, (self.now + wait_s, next(self.number), kind, permit))
