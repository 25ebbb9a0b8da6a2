"""An engine that says what it was told to say. For tests of what stands round an engine."""

import asyncio
from collections.abc import AsyncGenerator, Iterable

from agent.api import AgentError
from agent.engine.base import EngineDelta, EngineDone, EngineRequest


class FakeEngine:
    """Yields `deltas` to every request; after `hold_after` of them it waits for `release`.

    failure: raised after the deltas instead of an end. Keeps what it was asked, and counts the
    answers that were begun and that were let go.
    """

    hears = False

    def __init__(
        self,
        deltas: Iterable[EngineDelta],
        hold_after: int | None = None,
        failure: AgentError | None = None,
    ) -> None:
        self.requests: list[EngineRequest] = []
        self.warmed: list[EngineRequest] = []
        self.open_answers = 0
        self.yielded = 0
        self.release = asyncio.Event()
        self._deltas = tuple(deltas)
        self._hold_after = hold_after
        self._failure = failure

    async def generate(self, request: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
        self.requests.append(request)
        self.open_answers += 1
        try:
            for number, delta in enumerate(self._deltas):
                if number == self._hold_after:
                    await self.release.wait()
                if self._failure is not None and isinstance(delta, EngineDone):
                    raise self._failure
                self.yielded += 1
                yield delta
        finally:
            self.open_answers -= 1

    async def warm(self, request: EngineRequest) -> None:
        self.warmed.append(request)

    async def aclose(self) -> None:
        self.release.set()
