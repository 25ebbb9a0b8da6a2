"""The limiter at work in an event loop: whoever wants to send a request waits here for a place."""

import asyncio
from collections import deque
from collections.abc import Callable

from evaluation.run.limiter import Dropped, Limiter, Outcome, Permit


class Permits:
    """First come, first served. now: the clock of the running loop."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self._now: Callable[[], float] = asyncio.get_running_loop().time
        self._waiting: deque[asyncio.Future[Permit]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def take(self) -> Permit:
        place: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._admit()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.give_back(place.result(), Dropped())
            raise

    def give_back(self, permit: Permit, outcome: Outcome) -> None:
        self.limiter.finish(permit, self._now(), outcome)
        self._admit()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _admit(self) -> None:
        now = self._now()
        while self._waiting and self.limiter.may_start(now):
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(self.limiter.start(now))
        pause_s = self.limiter.pause_s(now)
        if self._waiting and pause_s > 0:
            self.close()
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._admit)
