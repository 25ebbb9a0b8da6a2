"""The sessions of one server: who may open one, what each is made of, and how each ended."""

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from agent.api import Agent, Health
from realtime.audio.wire_format import decode_clip
from realtime.errors import AdmissionRefused
from realtime.metrics import Metrics
from realtime.protocol.assistant import Limits
from realtime.protocol.config import SessionConfig
from realtime.protocol.session import Session
from realtime.runner import MakeDetector, RealClock, Runner, SessionOver
from realtime.settings import Settings
from realtime.transports.base import PeerGone, Transport
from realtime.turn_trace import TurnRecord

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
        self, settings: Settings, agent: Agent, health: Health, make_detector: MakeDetector, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._agent = agent
        self._health = health
        self._make_detector = make_detector
        self._metrics = metrics
        self._open = 0
        self._by_peer: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        return self._open >= self._settings.sessions_max

    @property
    def open_count(self) -> int:
        return self._open

    @property
    def model(self) -> str:
        return self._health.model

    @contextmanager
    def admitted(self, peer: str) -> Iterator[None]:
        """A place for one session of this peer. Raises AdmissionRefused."""
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

    async def run(self, transport: Transport, ids: Ids, model: str) -> None:
        """Run a session on a connected transport until it ends."""
        settings, clock = self._settings, RealClock()
        limits = Limits(
            session_s=settings.session_minutes * 60.0,
            first_event_s=settings.agent_first_event_s,
            next_event_s=settings.agent_next_event_s,
        )
        config = SessionConfig(
            id=ids.session_id,
            model=model or self._health.model,
            expires_at=int(time.time() + limits.session_s),
        )
        session = Session(
            config,
            self._health,
            limits,
            ids.new,
            lambda audio, current: decode_clip(audio, current.audio.input.format),
            clock.now(),
        )
        opened_at, turns = clock.now(), 0

        def on_turn(record: TurnRecord) -> None:
            nonlocal turns
            if record.first_heard_ms is None:  # heard later: the same record again
                turns += 1
                self._metrics.observe_turn(record)
            logger.info("turn", extra={"session_id": ids.session_id, "turn": record.shown()})

        runner = Runner(
            session,
            transport,
            self._agent,
            self._make_detector,
            clock,
            settings.playback_lead_s,
            on_turn,
        )
        ended = await runner.run()
        why = _why(ended)
        self._metrics.sessions_ended.labels(why).inc()
        facts = {"why": why, "turns": turns, "seconds": round(clock.now() - opened_at, 1)}
        logger.info("session ended", extra={"session_id": ids.session_id, **facts})


def _why(ended: PeerGone | SessionOver | Exception) -> str:
    match ended:
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
