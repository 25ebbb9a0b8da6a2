"""One live session: the only place where the core meets asyncio.

The peer's reader, the agent's answers and the timer are tasks that feed the core. Feeding it and
performing what it says is one synchronous step, so steps never interleave and no lock or queue
stands between: the event loop is the one owner. What a step may leave full, the outbox, is waited
for by whoever made it, so that a slow peer slows its own sources and nobody else.

A session serves one connection after another. One that may be resumed waits for the next, and what
it sends meanwhile is recorded (connections.py, replay.py).
"""

import asyncio
import itertools
import logging
from collections.abc import Callable
from typing import assert_never

from agent.api import Agent
from realtime.clock import Clock
from realtime.errors import ClientError
from realtime.protocol import effects as do
from realtime.protocol import events as wire
from realtime.protocol.effects import Effect
from realtime.protocol.resync import unheard_answers
from realtime.protocol.session import Input, Session
from realtime.protocol.snapshot import Snapshot, restore, take_snapshot, unheard_audio_of
from realtime.session.agent_calls import AgentCalls
from realtime.session.connection import Connection, Resumption, SwitchSession
from realtime.session.connections import MOVED, Connections, SessionOver, first_exception
from realtime.session.flood import TINY_APPEND_BYTES, EventBudget
from realtime.session.input_audio import InputAudio, MakeDetector
from realtime.session.replay import ReplayBuffer
from realtime.session.sidebands import Sidebands
from realtime.session.transport import UNTOLD_MS_MAX, PeerGone, Transport
from realtime.session.turn_trace import TurnRecord, TurnTrace

EVENTS_BEFORE_YIELD = 16
POLL_S = 0.1
SENT_TOGETHER_S = 0.2  # what else comes within so long of the last audio may have been sent with it
EVENT_NUMBERS_SKIPPED = 1_000_000

_STORED_AFTER = (
    wire.Committed
    | wire.ItemAdded
    | wire.ItemDone
    | wire.ItemDeleted
    | wire.ItemTruncated
    | wire.ParlourHeard
    | wire.ResponseDone
    | wire.SessionUpdated
    | wire.TranscriptionCompleted
)

logger = logging.getLogger("parlour.session")


class Runner:
    """Runs one session until its client leaves, its time is up, or something breaks."""

    def __init__(
        self,
        session: Session,
        agent: Agent,
        make_detector: MakeDetector,
        clock: Clock,
        playback_lead_s: float,
        on_turn: Callable[[TurnRecord], None],
        resumption: Resumption,
        owner: str,
        grace_s: float,
    ) -> None:
        """playback_lead_s: how far ahead of its being heard an answer's audio is made. owner: whose session
        it is; no one else can resume it. grace_s: how long one that may be resumed waits for its client."""
        self.replay = ReplayBuffer(session.config.id)
        self._session = session
        self._clock = clock
        self._on_turn = on_turn
        self._resumption = resumption
        self._owner = owner
        self._grace_s = grace_s
        self._connections = Connections(self, session, resumption, clock, grace_s)
        self._calls = AgentCalls(
            agent, clock, playback_lead_s, session.config.id, self.feed, self._connections.drain
        )
        self._stopped = asyncio.Event()
        self._stopped_by: SessionOver | None = None
        self.last_client_event: str | None = None
        self._budget = EventBudget(clock.now())
        self._trace = TurnTrace()
        self._input = InputAudio(session, make_detector, clock, self.feed, self.perform)
        self._sidebands = Sidebands(session, clock, self._react, self._room, lambda: self.replay)

    @property
    def session_id(self) -> str:
        return self._session.config.id

    @property
    def expires_at(self) -> int:
        """Seconds since the epoch."""
        return self._session.config.expires_at

    @property
    def is_over(self) -> bool:
        return self._connections.is_over

    @property
    def is_served(self) -> bool:
        return self._connections.is_served

    @property
    def is_answering(self) -> bool:
        """An answer is being made, or is not heard to its end."""
        return self._calls.is_answering or bool(unheard_answers(self._session.state, self._clock.now()))

    async def finish_answers(self) -> None:
        """Wait until all answers are heard to their end, or the session is over."""
        while self.is_answering and not self.is_over:
            await self._clock.sleep(POLL_S)

    async def attach(self, connection: Connection) -> SwitchSession | None:
        """Let a connection serve this session until it leaves, in place of the one that does now.

        Returns where it is to go from here, if its client named another session.
        """
        return await self._connections.attach(connection)

    def is_served_by(self, transport: Transport) -> bool:
        return self._connections.transport is transport

    async def join(self, transport: Transport) -> None:
        """Let a sideband see and do what this session's client does, until it leaves or all is over."""
        await self._sidebands.serve(transport)

    async def run(self) -> PeerGone | SessionOver | SwitchSession | Exception:
        """Returns why the session ended; a bug is returned too, its traceback logged."""
        ended: PeerGone | SessionOver | SwitchSession | Exception = PeerGone(1006)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._calls.start(tasks)
                tasks.create_task(self._connections.run(tasks), name="connections")
                tasks.create_task(self._run_timer(), name="timer")
                tasks.create_task(self._until_stopped(), name="stop")
        except* PeerGone as gone:
            ended = first_exception(gone)
        except* SwitchSession as elsewhere:
            ended = first_exception(elsewhere)
        except* SessionOver as over:
            ended = first_exception(over)
        except* Exception as bugs:
            ended = first_exception(bugs)
            logger.exception("internal error", extra={"session_id": self.session_id})
        finally:
            why = ended if isinstance(ended, SessionOver) else SessionOver(1000, "the session has ended")
            self._sidebands.end(why.code, why.reason)
            await self._connections.close_all(ended)
        return ended

    def is_generating(self, response_id: str) -> bool:
        """More of this answer comes from the agent."""
        return self._calls.is_generating(response_id)

    @property
    def input_silent_ms(self) -> int | None:
        return self._input.silent_ms

    def snapshot(self) -> Snapshot:
        """The session as it stands, for another process to go on from."""
        now = self._clock.now()
        taken = take_snapshot(self._session.state, now, self.replay.unheard_audio, self.replay.last_number)
        self._input.store(taken, self.last_client_event)
        return taken

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from what another process has stored; to be called before `run`."""
        restore(self._session.state, snapshot, self._clock.now())
        # What that process sent after it had stored this cannot be known: its numbers are not used again.
        self.replay = ReplayBuffer(self.session_id, n_sent_before=snapshot.n_events + EVENT_NUMBERS_SKIPPED)
        self.replay.is_recording = True
        for playout in snapshot.playouts:
            for play in unheard_audio_of(playout):
                self.replay.record(play)
        self.last_client_event = snapshot.resend_after
        self._input.restore(snapshot)

    def taken_over(self) -> None:
        """Another server has taken the session over."""
        self._stop(SessionOver(MOVED, "the session goes on on another server"))

    def stop(self) -> None:
        """The server ends: whoever is connected is told to come back."""
        self._stop(SessionOver(1012, "the server is restarting"))

    def _stop(self, over: SessionOver) -> None:
        self._stopped_by = self._stopped_by or over
        self._stopped.set()

    async def _until_stopped(self) -> None:
        await self._stopped.wait()
        assert self._stopped_by is not None
        raise self._stopped_by

    def send(self, event: wire.ServerEvent) -> None:
        """Send an event that is not of the core."""
        self.perform([do.Send(event)])

    # The tasks ------------------------------------------------------------------------

    async def read(self, connection: Connection) -> None:
        transport = connection.transport
        for count in itertools.count(1):
            event = await transport.receive()
            if count % EVENTS_BEFORE_YIELD == 0:
                await asyncio.sleep(0)  # what came all at once is read without waiting: let others in
            if connection.resumed_by and not connection.token_confirmed:
                connection.token_confirmed = True
                await self._resumption.confirm_token(self)
            costs = True
            match event:
                case wire.InputAudioBufferAppend():
                    if self.replay.is_recording:
                        self._input.add_checkpoint(self.last_client_event)
                    was_taken = await self._input.push(event)
                    costs = not was_taken or len(event.audio) < TINY_APPEND_BYTES
                case wire.Resume():
                    await self._resume(event, connection)
                case wire.HandOver():
                    await self._hand_over(event)
                case wire.PlaybackReport():
                    self.playback_reported(event)
                case _:
                    self.feed(event)
            if not isinstance(event, ClientError) and event.event_id is not None:
                self.last_client_event = event.event_id
            n_bytes = transport.received_bytes + self._session.retrieved_bytes(event)
            if costs and not self._budget.spend(self._clock.now(), n_bytes):
                raise SessionOver(1008, "too many events: audio apart, at most 100 a second of 16 KiB")
            await self._room()

    async def _room(self) -> None:
        """Wait until the client can take more, and the recogniser."""
        await self._connections.drain()
        await self._calls.transcription_room()

    def playback_reported(self, report: wire.PlaybackReport) -> None:
        self.feed(report)
        if self.replay.is_recording:
            # The last of it stays: when the connection is lost, it may turn out that it was not heard.
            self.replay.drop_heard(report.item_id, report.played_ms - UNTOLD_MS_MAX)

    async def _resume(self, event: wire.Resume, connection: Connection) -> None:
        """Raises SwitchSession when there is such a session, and it is not this one."""
        try:
            found = await self._resumption.claim(event.token, self._owner)
            if found is self:
                raise ClientError("already_resumed", "This connection serves that session.", "token")
        except ClientError as error:
            error.event_id = event.event_id
            self.feed(error)
            return
        again = Connection(
            connection.transport,
            resumed_by=event.token,
            last_event_id=event.last_event_id,
            history=event.history,
            lost=event.lost or event.last_event_id is not None,
            played=_report_of(event.played) if event.played is not None else None,
        )
        raise SwitchSession(found, again)

    async def _hand_over(self, event: wire.HandOver) -> None:
        if not self.replay.is_recording:
            refusal = "This session cannot be resumed: set session.parlour.resume first."
            self.feed(ClientError("not_resumable", refusal, None, event.event_id))
            return
        token, expires_at = await self._resumption.issue_hand_over_token(self)
        self.send(wire.HandOverToken(token=token, expires_at=expires_at))

    async def _issue_token(self) -> None:
        token = await self._resumption.issue_token(self)
        self.send(wire.ResumeToken(token=token, grace_s=self._grace_s))

    async def _run_timer(self) -> None:
        """Wake the core at its deadlines. They mostly move away, so the timer sleeps to the one it
        knows and looks again; a deadline that comes nearer is seen within a second."""
        while True:
            now = self._clock.now()
            wait_s = self._session.deadline - now
            if wait_s <= 0:
                self._react(None, self._session.wake(now), now)
            else:
                await self._clock.sleep(min(wait_s, 1.0))

    # One step ---------------------------------------------------------------------------

    def _connection_is_alive(self) -> bool:
        """It is the user who is silent, and not a network that has died and may be replaced by another."""
        if not self.replay.is_recording:
            return True
        last_audio_at = self._input.last_audio_at
        audio_at = self._clock.now() if last_audio_at is None else last_audio_at
        return self._connections.transport.is_alive(audio_at + SENT_TOGETHER_S)

    def feed(self, event: Input) -> None:
        now = self._clock.now()
        self._react(event, self._session.feed(event, now), now)

    def _react(self, event: Input | None, effects: list[Effect], now: float) -> None:
        for record in self._trace.observe(event, effects, now, self._session.audio_ms):
            self._on_turn(record)
            if self._session.config.extensions.trace:
                effects.append(do.Send(wire.ParlourTurn(turn=record.shown())))
        self.perform(effects)

    def perform(self, effects: list[Effect], is_repeated: bool = False) -> None:
        for effect in effects:
            match effect:
                case do.Send(event=event):
                    self.replay.record(event)
                    self._connections.transport.send(event)
                    if not is_repeated:
                        self._sidebands.send(event)
                    if self.replay.is_recording and isinstance(event, _STORED_AFTER):
                        self._resumption.save_soon(self)
                case do.Play():
                    self.replay.record(effect)
                    self._connections.transport.play(effect)
                    if self.replay.is_recording:
                        self._resumption.save_soon(self)
                case do.StopPlayback(response_id=response_id, is_in_conversation=is_in_conversation):
                    self._connections.transport.stop_playback(response_id, is_in_conversation)
                    self.replay.drop_audio(response_id)
                case do.IssueResumeToken():
                    self.replay.is_recording = True
                    self._tasks.create_task(self._issue_token(), name="token")
                case do.Generate(request=request):
                    self._calls.answer(request)
                case do.PauseGenerating(response_id=response_id):
                    self._calls.pause(response_id)
                case do.ResumeGenerating(response_id=response_id):
                    self._calls.resume(response_id)
                case do.StopGenerating(response_id=response_id):
                    self._calls.stop(response_id)
                case do.Warm(request=request):
                    self._calls.warm(request)
                case do.Transcribe():
                    self._calls.transcribe(effect)
                case do.ResetTurnDetector():
                    self._input.reset_detector()
                case do.FlushTurnDetector():
                    if self._connection_is_alive():
                        self._input.flush_detector()
                case do.Close(code=code, reason=reason):
                    raise SessionOver(code, reason)
                case _:
                    assert_never(effect)


def _report_of(played: wire.PlayedPosition) -> wire.PlaybackReport:
    return wire.PlaybackReport(item_id=played.item_id, played_ms=played.played_ms)
