"""One request, sent again until it is answered, or until that is hopeless."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from evaluation.errors import EvaluationError
from evaluation.routes.route import Failure
from evaluation.run.limiter import Answered, Dropped, Outcome, Overloaded
from evaluation.run.permits import Permits

T = TypeVar("T")

RETRIES = 8
"""With the waits below a good minute: a server that is started again has that long to load its model."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
HOPELESS = 20
"""Questions in a row that failed: the next thousand would."""


def wait_s(n_failed: int, retry_after_s: float | None, random: Callable[[], float]) -> float:
    """Before the next try. n_failed: tries so far, from 1. random: uniform from 0 to 1.

    Half of it at random: requests that failed together do not come back together. Never less than the server
    asked for.
    """
    longest_s = min(FIRST_WAIT_S * 2.0 ** (n_failed - 1), LONGEST_WAIT_S)
    spread_s = longest_s * (0.5 + random() / 2)
    return spread_s if retry_after_s is None else max(spread_s, retry_after_s + random() * FIRST_WAIT_S)


class Patience:
    """Counts what fails in a row. Raises EvaluationError where going on is in vain."""

    def __init__(self, most: int = HOPELESS) -> None:
        self._most = most
        self._n_in_a_row = 0
        self._has_answered = False

    def seen(self, failure: Failure | None) -> None:
        """A question is through; failure: None where it was answered.

        A refusal of the question itself is the question's matter, unless nothing was ever answered.
        """
        if failure is None:
            self._has_answered, self._n_in_a_row = True, 0
        elif failure.is_transient or not self._has_answered:
            self._n_in_a_row += 1
            if self._n_in_a_row >= self._most:
                raise EvaluationError(
                    f"{self._n_in_a_row} questions in a row failed, the last because {failure.message}: "
                    "what is answered is kept, and the same command goes on from there"
                )


async def asked(
    ask: Callable[[], Awaitable[Sequence[T | Failure]]],
    permits: Permits,
    random: Callable[[], float],
    retries: int = RETRIES,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> tuple[list[T | Failure], int]:
    """The outcomes of `ask`, and how many requests failed before the last one.

    It is called again, whole, while one of its outcomes may become an answer.
    """
    n_failed = 0
    while True:
        permit = await permits.take()
        outcome: Outcome = Dropped()
        try:
            outcomes = list(await ask())
            outcome = _outcome(outcomes)
        finally:
            permits.give_back(permit, outcome)
        passing = [one for one in outcomes if isinstance(one, Failure) and one.is_transient]
        if not passing or n_failed == retries:
            return outcomes, n_failed
        n_failed += 1
        asked_s = max((one.retry_after_s for one in passing if one.retry_after_s is not None), default=None)
        await sleep(wait_s(n_failed, asked_s, random))


def _outcome(outcomes: Sequence[object]) -> Outcome:
    for one in outcomes:
        if isinstance(one, Failure) and one.is_overload:
            return Overloaded(one.retry_after_s)
    return Answered()
