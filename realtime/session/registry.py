"""The sessions of one server: who may open one, what each is made of, and how each ended."""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

from agent.api import Agent, Health
from realtime.access.tokens import Signer
from realtime.audio import noise_reduction
from realtime.audio.wire_format import decode_clip, encode_clip
from realtime.clock import RealClock
from realtime.errors import AdmissionRefused
from realtime.metrics import Metrics
from realtime.protocol.abilities import Abilities
from realtime.protocol.config import SessionConfig
from realtime.protocol.config_update import merge
from realtime.protocol.events import GoingAway
from realtime.protocol.limits import Limits
from realtime.protocol.recordings import Recordings
from realtime.protocol.session import Session
from realtime.protocol.snapshot import Snapshot
from realtime.session.connection import Connection, Resumable, SwitchSession
from realtime.session.connections import MOVED, SessionOver
from realtime.session.input_audio import MakeDetector
from realtime.session.resumption import ResumableSessions
from realtime.session.runner import Runner
from realtime.session.transport import PeerGone, Transport
from realtime.session.turn_metrics import observe_turn
from realtime.session.turn_trace import TurnRecord
from realtime.settings import Settings
from realtime.store.base import Store

END_WITHIN_S = 3.0

logger = logging.getLogger("parlour.session")


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids of one session: unguessable as a whole, cheap one by one."""

    session_id: str
    new: Callable[[str], str]


def new_ids() -> Ids:
    stem, numbers = secrets.token_hex(8), count(1)
    return Ids(f"sess_{stem}", lambda kind: f"{kind}_{stem}{next(numbers):06x}")


class Sessions:
    """Opens, counts and ends sessions."""

    def __init__(
        self,
        settings: Settings,
        agent: Agent,
        health: Health,
        make_detector: MakeDetector,
        metrics: Metrics,
        store: Store,
        signer: Signer,
    ) -> None:
        self._settings = settings
        self._agent = agent
        self._health = health
        self._recordings = Recordings()
        self._abilities = Abilities(health, noise_reduction.IS_INSTALLED)
        self._make_detector = make_detector
        self._metrics = metrics
        self._store = store
        self._resumption = ResumableSessions(store, signer, settings.resume_grace_s, self._restore)
        self._running: dict[Runner, asyncio.Task[None]] = {}
        self._open = 0
        self._by_peer: Counter[str] = Counter()
        self._is_going = False

    @property
    def is_full(self) -> bool:
        return self._is_going or self._open >= self._settings.sessions_max

    @property
    def is_going(self) -> bool:
        """The server is about to end: nobody is let in any more."""
        return self._is_going

    @property
    def open_count(self) -> int:
        """Connections that have a session."""
        return self._open

    @property
    def running_count(self) -> int:
        """Sessions, with those that wait for their client."""
        return len(self._running)

    @property
    def model(self) -> str:
        return self._health.model

    @contextmanager
    def admitted(self, peer: str) -> Iterator[None]:
        """A place for one connection of this peer. Raises AdmissionRefused."""
        if self._is_going:
            self._metrics.refused.labels("going").inc()
            raise AdmissionRefused("The server is restarting. Please try again soon.", 5)
        if self.is_full:
            self._metrics.refused.labels("full").inc()
            raise AdmissionRefused("All places are taken at the moment. Please try again soon.", 10)
        if self._by_peer[peer] >= self._settings.sessions_per_peer:
            self._metrics.refused.labels("peer_limit").inc()
            raise AdmissionRefused("You have too many conversations open at once.", 10)
        self._open += 1
        self._by_peer[peer] += 1
        self._metrics.sessions.inc()
        try:
            yield
        finally:
            self._open -= 1
            self._by_peer[peer] -= 1
            if not self._by_peer[peer]:
                del self._by_peer[peer]
            self._metrics.sessions.dec()

    async def run(
        self,
        transport: Transport,
        ids: Ids,
        model: str,
        owner: str = "",
        beginning: dict[str, Any] | None = None,
        fixed: dict[str, Any] | None = None,
    ) -> None:
        """Serve a connected transport until it leaves: with a session of its own, or the one it resumes.

        owner: whose sessions it may resume. beginning: a session.update that its own one begins with, checked
        already. fixed: what the client cannot change of that.
        """
        config = merge(self._new_config(ids, model), beginning or {})
        session: Resumable = self._begin(config, ids, owner, fixed or {})
        connection = Connection(transport)
        while True:
            elsewhere = await session.attach(connection)
            if elsewhere is None:
                return
            session, connection = elsewhere.session, elsewhere.connection

    def checked_config(self, session: dict[str, Any]) -> SessionConfig:
        """Of a session that begins with this `session.update`. Raises ClientError where there can be none."""
        config = self._new_config(new_ids(), str(session.get("model") or ""))
        begun = merge(config, session)
        self._abilities.check(begun, config)
        return begun

    def serving(self, transport: Transport) -> Runner | None:
        """The session that this transport serves now."""
        return next((runner for runner in self._running if runner.is_served_by(transport)), None)

    async def check_token(self, token: str, owner: str) -> None:
        """Whether a session would be resumed with it now. It is not used up by that. Raises ClientError."""
        await self._resumption.check(token, owner)

    async def stop(self) -> None:
        """Let answers be heard to their end, as long as `drain_s` allows; then store what can be resumed.

        NullTransport is let in from now on.
        """
        self._is_going = True
        deadline_s = self._settings.drain_s
        stopping = list(self._running)
        for runner in stopping:
            if runner.replay.is_recording:
                runner.send(GoingAway(deadline_s=deadline_s))
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await asyncio.gather(*(runner.finish_answers() for runner in stopping))
        await self._end_all()

    async def aclose(self) -> None:
        """End every session, those that wait for their client too. What was stored stays."""
        self._is_going = True
        await self._end_all()
        await self._store.aclose()

    async def keep(self) -> None:
        """What the store needs now and then. Until cancelled."""
        await self._resumption.delete_expired()

    async def _end_all(self) -> None:
        await self._resumption.save_all()
        for runner in list(self._running):
            runner.stop()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=END_WITHIN_S)
        for task in self._running.values():
            task.cancel()

    # One session ------------------------------------------------------------------------

    def _new_config(self, ids: Ids, model: str) -> SessionConfig:
        return SessionConfig(
            id=ids.session_id,
            model=model or self._health.model,
            expires_at=int(time.time() + self._settings.session_minutes * 60.0),
        )

    def _restore(self, snapshot: Snapshot, owner: str) -> Runner:
        return self._begin(snapshot.config, new_ids(), owner, snapshot.fixed, snapshot)

    def _begin(
        self,
        config: SessionConfig,
        ids: Ids,
        owner: str,
        fixed: dict[str, Any],
        snapshot: Snapshot | None = None,
    ) -> Runner:
        settings, clock, turns = self._settings, RealClock(), _TurnLog(config.id, self._metrics)
        runner = Runner(
            self._new_core(config, ids, fixed, clock.now()),
            self._agent,
            self._make_detector,
            clock,
            settings.playback_lead_s,
            turns.record,
            self._resumption,
            owner,
            settings.resume_grace_s,
        )
        if snapshot is not None:
            runner.restore(snapshot)
        self._resumption.add(runner, owner)
        task = asyncio.create_task(self._live(runner, clock.now(), turns), name=config.id)
        self._running[runner] = task
        task.add_done_callback(lambda _: self._running.pop(runner, None))
        return runner

    def _new_core(self, config: SessionConfig, ids: Ids, fixed: dict[str, Any], now: float) -> Session:
        limits = Limits(
            session_s=config.expires_at - time.time(),
            first_event_s=self._settings.agent_first_event_s,
            next_event_s=self._settings.agent_next_event_s,
        )
        return Session(
            config,
            self._health,
            limits,
            ids.new,
            lambda audio, current: decode_clip(audio, current.audio.input.format),
            lambda pcm, current: encode_clip(pcm, current.audio.input.format),
            now,
            fixed,
            self._abilities.reduces_noise,
            self._recordings,
        )

    async def _live(self, runner: Runner, opened_at: float, turns: "_TurnLog") -> None:
        ended = await runner.run()
        self._recordings.drop_all(runner.session_id)
        why = _why(ended)
        stays_stored = self._is_going or (isinstance(ended, SessionOver) and ended.code == MOVED)
        await self._resumption.remove(runner, delete=not stays_stored)
        self._metrics.sessions_ended.labels(why).inc()
        facts = {"why": why, "turns": turns.count, "seconds": round(RealClock().now() - opened_at, 1)}
        logger.info("session ended", extra={"session_id": runner.session_id, **facts})


class _TurnLog:
    """A line in the log for each turn of one session, and its metrics. count: of turns so far."""

    def __init__(self, session_id: str, metrics: Metrics) -> None:
        self.count = 0
        self._session_id = session_id
        self._metrics = metrics

    def record(self, record: TurnRecord) -> None:
        about = {"session_id": self._session_id}
        if record.is_update:
            logger.info("turn heard", extra=about | {"turn": record.shown_heard()})
            return
        self.count += 1
        observe_turn(self._metrics, record)
        logger.info("turn", extra=about | {"turn": record.shown()})


def _why(ended: PeerGone | SessionOver | SwitchSession | Exception) -> str:
    match ended:
        case SwitchSession():
            return "resumed_another"
        case SessionOver(code=code) if code == MOVED:
            return "moved"
        case SessionOver(code=1012):
            return "server_stopped"
        case PeerGone(code=1008):
            return "slow_peer"
        case PeerGone(code=1000 | 1001 | 1005):
            return "peer_left"
        case PeerGone(code=1009):
            return "frame_too_large"
        case PeerGone():
            return "connection_lost"
        case SessionOver(code=1008):
            return "flood"
        case SessionOver():
            return "expired"
        case _:
            return "internal_error"
