"""An agent in a child process that is started again when it dies, and killed when it hangs.

A crash of the worker is an event, not the end: the calls in it fail once, the next ones wait a
little for its successor.
"""

import asyncio
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from websockets.asyncio.client import ClientConnection

from agent.api import AgentError, Health
from agent.client import Address, RemoteAgent, Timeouts, open_call
from agent.settings import AgentSettings
from agent.worker import Worker

log = logging.getLogger("parlour.agent")


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How long a supervisor waits for what, in seconds.

    A worker has hung when a ping, made every `ping_every_s`, has no answer within `ping_within_s`.
    Before a restart the pause is `first_pause_s`, doubling to `longest_pause_s`; it starts anew
    after a worker that served for `healthy_s`. A call waits `call_s` for a restart. Models load in
    silence for at most `load_silence_s`. A worker asked to end has `end_s` for it.
    """

    ping_every_s: float = 5.0
    ping_within_s: float = 10.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 10.0
    healthy_s: float = 60.0
    call_s: float = 20.0  # a busy pair of cores loads and warms the embedded default in about 10 s
    load_silence_s: float = 300.0
    end_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Serving:
    worker: Worker


@dataclass(frozen=True, slots=True)
class Restarting:
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Not started yet, or closed."""


class SupervisedAgent(RemoteAgent):
    """Implements `agent.api.Agent` by a worker process on this machine.

    report: gets the lines of progress of each start, for people.
    memory_limit_mb: for the worker's data (0 for no limit), so that want of memory ends it alone.
    """

    def __init__(
        self,
        settings: AgentSettings,
        report: Callable[[str], None],
        *,
        memory_limit_mb: int = 0,
        policy: RestartPolicy | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="parlour-agent-")  # mode 0700
        super().__init__(uds=self._folder.name, timeouts=timeouts)
        self._settings = settings
        self._report = report
        self._memory_limit_mb = memory_limit_mb
        self._policy = policy or RestartPolicy()
        self._starts = count(1)
        self._state: Serving | Restarting | Ended = Ended()
        self._changed = asyncio.Event()
        self._hung = False
        self._supervision: asyncio.Task[None] | None = None

    @property
    def worker_pid(self) -> int | None:
        """The process that serves now, or None while there is none."""
        return self._state.worker.pid if isinstance(self._state, Serving) else None

    async def start(self) -> None:
        """Start the worker and return once it is ready.

        Raises AgentError, with one sentence for a person, if it cannot start; nothing is left then.
        """
        try:
            worker = await self._new_worker()
        except BaseException:
            self._folder.cleanup()
            raise
        self._become(Serving(worker))
        self._supervision = asyncio.create_task(self._supervise(worker), name="agent supervision")

    async def health(self) -> Health:
        match self._state:
            case Serving():
                return await super().health()
            case Restarting(reason):
                return Health("starting", self._settings.model, reason)
            case Ended():
                return Health("failed", self._settings.model, "the agent is not running")

    async def aclose(self) -> None:
        worker = self._state.worker if isinstance(self._state, Serving) else None
        self._become(Ended())
        await super().aclose()
        if self._supervision is not None:
            self._supervision.cancel()
            await asyncio.wait([self._supervision])
            if not self._supervision.cancelled():
                self._supervision.result()  # it never returns, so this raises the bug that ended it
        if worker is not None:  # a supervision cancelled before its first step has not ended it
            await worker.end(self._policy.end_s)
        self._folder.cleanup()

    # Where calls go ---------------------------------------------------------------------

    async def _connect(self, path: str) -> ClientConnection:
        try:
            async with asyncio.timeout(self._policy.call_s):
                while True:
                    worker = await self._serving()
                    try:
                        return await open_call(Address(uds=worker.uds), path, self._timeouts.connect_s)
                    except AgentError as error:
                        if error.code == "agent_timeout":
                            raise
                    # Refused: the process has just ended. Nothing was asked of it, so a successor may be.
                    await self._until_replaced(worker)
        except TimeoutError:
            raise AgentError("agent_unavailable", "the agent is being restarted") from None

    def _lost(self) -> AgentError:
        if self._hung:
            return AgentError("agent_timeout", "the agent hung in the middle of a call")
        return super()._lost()

    async def _serving(self) -> Worker:
        while not isinstance(self._state, Serving):
            if isinstance(self._state, Ended):
                raise AgentError("agent_unavailable", "the agent is not running")
            await self._changed.wait()
        return self._state.worker

    async def _until_replaced(self, worker: Worker) -> None:
        while self._state == Serving(worker):
            await self._changed.wait()

    def _become(self, state: Serving | Restarting | Ended) -> None:
        self._state = state
        self._changed.set()  # wakes everyone who waits on this event
        self._changed = asyncio.Event()

    # The worker's life ------------------------------------------------------------------

    async def _supervise(self, worker: Worker | None) -> None:
        loop = asyncio.get_running_loop()
        pause_s = self._policy.first_pause_s
        reason = ""
        while True:
            if worker is not None:
                began = loop.time()
                reason = await self._until_ended(worker)
                if loop.time() - began >= self._policy.healthy_s:
                    pause_s = self._policy.first_pause_s
            self._become(Restarting(reason))
            log.warning("agent worker ended; reason=%r restart_in_s=%.1f", reason, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = next_pause_s(pause_s, self._policy)
            try:
                worker = await self._new_worker()
            except AgentError as error:
                worker, reason = None, error.message
            else:
                self._hung = False
                self._become(Serving(worker))

    async def _new_worker(self) -> Worker:
        return await Worker.start(
            self._settings,
            Path(self._folder.name, f"{next(self._starts)}.sock"),
            self._report,
            silence_s=self._policy.load_silence_s,
            memory_limit_mb=self._memory_limit_mb,
        )

    async def _until_ended(self, worker: Worker) -> str:
        """Wait until the worker dies or hangs; kill it if it hangs; return why it is no more."""
        end_s = self._policy.end_s
        gone = asyncio.create_task(worker.gone(), name="agent worker's end")
        hung = asyncio.create_task(self._until_hung(worker), name="agent pings")
        try:
            await asyncio.wait([gone, hung], return_when=asyncio.FIRST_COMPLETED)
            end_s = 0  # it is dead, or does not listen
            if gone.done():
                return f"the agent's process {gone.result()}"
            self._hung = True
            return "the agent's process hung and was killed"
        finally:
            gone.cancel()
            hung.cancel()
            await asyncio.wait([gone, hung])
            await worker.end(end_s)

    async def _until_hung(self, worker: Worker) -> None:
        """Return when a ping has gone unanswered."""
        within_s = self._policy.ping_within_s
        pinged = RemoteAgent(uds=worker.uds, timeouts=Timeouts(connect_s=within_s, health_s=within_s))
        while True:
            await asyncio.sleep(self._policy.ping_every_s)
            try:
                await pinged.ping()
            except AgentError as error:
                if error.code == "agent_timeout":
                    return
                # Else it was refused or cut off, and the process's end is about to be seen.


def next_pause_s(pause_s: float, policy: RestartPolicy) -> float:
    return min(2 * pause_s, policy.longest_pause_s)
