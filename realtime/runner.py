"""One live session: the only place where the core meets asyncio.

The peer's reader, the agent's answers and the timer are tasks that feed the core. Feeding it and
performing what it says is one synchronous step, so steps never interleave and no lock or queue
stands between: the event loop is the one owner. What a step may leave full, the outbox, is waited
for by whoever made it, so that a slow peer slows its own sources and nobody else.

A session serves one connection after another. One that may be resumed waits for the next, and what
it would have told its client is kept (realtime/replay.py).
"""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Protocol, assert_never

from agent.api import (
    SPEAKING_HZ,
    Agent,
    AgentError,
    AgentRequest,
    AudioDelta,
    GenerationDone,
    GenerationFailed,
    TranscribeRequest,
)
from realtime.audio.wire_format import InputDecoder
from realtime.connection import Connection, HandedOn, Keeper, Nobody
from realtime.errors import ClientError
from realtime.flood import TINY_APPEND_BYTES, EventBudget
from realtime.protocol import effects as do
from realtime.protocol.config import TurnDetection
from realtime.protocol.effects import Effect
from realtime.protocol.events import (
    Committed,
    HandOver,
    HandOverToken,
    InputAudioBufferAppend,
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ItemTruncated,
    Moved,
    OutputAudioDone,
    ParlourHeard,
    ParlourTurn,
    PlaybackReport,
    Playing,
    ResponseDone,
    Resume,
    Resumed,
    ResumeToken,
    ServerEvent,
    SessionUpdated,
    TranscriptionCompleted,
)
from realtime.protocol.inputs import (
    AudioReceived,
    FromAgent,
    PeerAway,
    PeerBack,
    Transcribed,
    TranscriptionError,
)
from realtime.protocol.session import Input, Session
from realtime.protocol.snapshot import Snapshot, plays_of
from realtime.replay import Replay
from realtime.transports.base import PeerGone, Transport
from realtime.turn_trace import TurnRecord, TurnTrace
from realtime.turns.base import TurnDetector

PIECE_MS = 200
"""A longer append is taken in pieces, other sessions having their turn between them."""

PIECES_BEFORE_YIELD = 4
EVENTS_BEFORE_YIELD = 16
TRANSCRIBE_WITHIN_S = 30.0
PARTING_S = 1.0
LOOKS_EVERY_S = 0.1
MARK_EVERY_MS = 500
NUMBERS_SKIPPED = 1_000_000
MOVED = 4001  # RFC 6455 7.4.2: codes from 4000 on are an application's own
LEFT_FOR_GOOD = frozenset({1000, 1009})
"""Close codes of a client that will not come back: it said goodbye, or sent what nobody can read."""
RECOGNISING_AT_ONCE = 2
"""Clips of one session that ask the shared recogniser at a time; the others wait for their turn."""
UNRECOGNISED_BYTES_MAX = 600 * 32_000
"""Of the clips that wait: ten minutes, twice the longest one. With more, the peer is not read from."""

_WORTH_STORING = (
    Committed
    | ItemAdded
    | ItemDone
    | ItemDeleted
    | ItemTruncated
    | ParlourHeard
    | ResponseDone
    | SessionUpdated
    | TranscriptionCompleted
)

logger = logging.getLogger("parlour.session")


class Clock(Protocol):
    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class RealClock:
    """Monotonic seconds of this machine."""

    now = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SessionOver(Exception):
    """The session ends from this side. code, reason: of the WebSocket close."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


MakeDetector = Callable[[TurnDetection, int], TurnDetector]
"""(the session's turn detection, position of the next sample in ms) -> a fresh detector."""


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
        keeper: Keeper,
        owner: str,
        grace_s: float,
    ) -> None:
        """playback_lead_s: how far ahead of its being heard an answer's audio is made. owner: whose session
        it is; no one else can resume it. grace_s: how long one that may be resumed waits for its client."""
        self.replay = Replay(session.config.id)
        self._session = session
        self._agent = agent
        self._make_detector = make_detector
        self._clock = clock
        self._playback_lead_s = playback_lead_s
        self._on_turn = on_turn
        self._keeper = keeper
        self._owner = owner
        self._grace_s = grace_s
        self._connection: Connection | None = None  # that serves it now
        self._next: Connection | None = None
        self._attached = asyncio.Event()
        self._transport: Transport = Nobody(self.replay, self._attached)
        self._server_plays = False  # by the transport that served it last
        self._is_over = False
        self._last_client_event: str | None = None
        self._marks: deque[tuple[int, str | None]] = deque()  # position in ms, last client event by then
        self._budget = EventBudget(clock.now())
        self._trace = TurnTrace()
        self._answers: dict[str, asyncio.Task[None]] = {}
        self._warming: asyncio.Task[None] | None = None
        self._recognising = asyncio.Semaphore(RECOGNISING_AT_ONCE)
        self._unrecognised_bytes = 0
        self._recognised = asyncio.Event()
        self._detector: TurnDetector | None = None
        self._decoder: InputDecoder
        self._hear_afresh()

    @property
    def session_id(self) -> str:
        return self._session.config.id

    @property
    def expires_at(self) -> int:
        """Seconds since the epoch."""
        return self._session.config.expires_at

    @property
    def is_over(self) -> bool:
        return self._is_over

    @property
    def is_served(self) -> bool:
        return self._connection is not None

    @property
    def is_answering(self) -> bool:
        """An answer is being made, or is not heard to its end."""
        return bool(self._answers) or bool(self._session.playing(self._clock.now()))

    async def finish_answers(self) -> None:
        """Wait until all answers are heard to their end, or the session is over."""
        while self.is_answering and not self._is_over:
            await self._clock.sleep(LOOKS_EVERY_S)

    async def attach(self, connection: Connection) -> HandedOn | None:
        """Let a connection serve this session until it leaves, in place of the one that does now.

        Returns where it is to go from here, if its client named another session.
        """
        if self._next is not None:
            self._next.left.set()  # a later one has come before it was served
            self._next = None
        if self._is_over:
            await connection.transport.close(1000, "the session has ended")
            return None
        self._next = connection
        self._attached.set()
        if self._connection is not None:
            self._make_way(self._connection, connection)
        try:
            await connection.left.wait()
        finally:
            connection.leave.set()
        return connection.handed_on

    async def run(self) -> PeerGone | SessionOver | HandedOn | Exception:
        """Returns why the session ended; a bug is returned too, its traceback logged."""
        ended: PeerGone | SessionOver | HandedOn | Exception = PeerGone(1006)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._serve_all(), name="connections")
                tasks.create_task(self._keep_time(), name="timer")
        except* PeerGone as gone:
            ended = _first(gone)
        except* HandedOn as elsewhere:
            ended = _first(elsewhere)
        except* SessionOver as over:
            ended = _first(over)
        except* Exception as bugs:
            ended = _first(bugs)
            logger.exception("internal error", extra={"session_id": self.session_id})
        finally:
            self._is_over = True
            await self._part(ended)
        return ended

    def snapshot(self) -> Snapshot:
        """The session as it stands, for another process to go on from."""
        taken = self._session.snapshot(self._clock.now(), self.replay.sound_of, self.replay.last)
        usable = [mark for mark in self._marks if mark[0] <= taken.audio_ms]
        taken.audio_ms, taken.resend_after = (
            usable[-1] if usable else (self._session.audio_ms, self._last_client_event)
        )
        return taken

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from what another process has stored; to be called before `run`."""
        self._session.restore(snapshot, self._clock.now())
        # What that process told after it had stored this cannot be known: its numbers are not used again.
        self.replay = Replay(self.session_id, told_before=snapshot.n_told + NUMBERS_SKIPPED)
        self.replay.keeps = True
        for playout in snapshot.playouts:
            for play in plays_of(playout):
                self.replay.note(play)
        self._transport = Nobody(self.replay, self._attached)
        self._last_client_event = snapshot.resend_after
        self._hear_afresh()

    def give_up(self) -> None:
        """Another server has taken the session over."""
        self._stop(SessionOver(MOVED, "the session goes on on another server"))

    def stop(self) -> None:
        """The server ends: whoever is connected is told to come back."""
        self._stop(SessionOver(1012, "the server is restarting"))

    def _stop(self, over: SessionOver) -> None:
        async def end() -> None:
            raise over

        if not self._is_over:
            self._begin_unless_ending(end(), "stop")

    def _begin_unless_ending(self, work: Coroutine[None, None, None], name: str) -> None:
        """A session that is ending takes no tasks any more; it lets all connections go by itself."""
        try:
            self._tasks.create_task(work, name=name)
        except RuntimeError:  # of the TaskGroup, which does not say beforehand that it is shutting down
            work.close()

    def tell(self, event: ServerEvent) -> None:
        """Send an event that is not of the core."""
        self._perform([do.Send(event)])

    # Its connections --------------------------------------------------------------------

    async def _serve_all(self) -> None:
        """One connection after another. Raises why the last one left."""
        while True:
            await self._attached.wait()
            self._attached.clear()
            connection, self._next = self._next, None
            if connection is None:
                continue
            self._connection = connection
            gone = await self._serve(connection) or PeerGone(MOVED, "the session goes on elsewhere")
            self._connection, self._transport = None, Nobody(self.replay, self._attached)
            self._server_plays = connection.transport.paces_playback
            for report in connection.transport.part():
                self._heard(report)
            self._feed(PeerAway())
            dismissed = self._tasks.create_task(self._dismiss(connection, gone), name="farewell")
            if self._next is None:
                await dismissed
                await self._wait(gone)

    async def _dismiss(self, connection: Connection, gone: PeerGone) -> None:
        """Takes seconds where the network is dead; the next connection does not wait for that."""
        try:
            if gone.code in (MOVED, 1008):
                await connection.transport.close(gone.code, gone.reason)
        finally:
            connection.transport.abandon()
            connection.left.set()

    async def _serve(self, connection: Connection) -> PeerGone | None:
        """Returns why it is gone; None when it had to leave."""
        ended: PeerGone | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._greet(connection)
                tasks.create_task(self._read(connection), name="reader")
                tasks.create_task(connection.transport.run(), name="sender")
                await connection.leave.wait()
                raise _MustLeave
        except* _MustLeave:
            pass
        except* PeerGone as gone:
            found = _first(gone)
            assert isinstance(found, PeerGone)
            ended = found
        return ended

    async def _greet(self, connection: Connection) -> None:
        if not connection.resumed_by:
            self._transport = connection.transport
            self._perform(self._session.open())
            return
        token = await self._keeper.issue(self, connection.resumed_by)
        self._transport = connection.transport
        # From here on without a pause: nothing may come between what was missed and what is new.
        last = self.replay.number_of(connection.last_event_id or "")
        missed = None if last is None else self.replay.since(last)
        playing = self._session.playing(self._clock.now())
        resumed = Resumed(
            session=self._session.config,
            replayed=missed is not None,
            last_client_event_id=self._last_client_event,
            playing=playing,
            token=token,
            grace_s=self._grace_s,
        )
        self.replay.give_id(resumed)
        connection.transport.send(resumed)
        if missed is None:
            self._retell(playing, connection.history)
        elif self._server_plays or connection.transport.paces_playback:
            # Of sound, the client had what it heard, whichever event it had last.
            unheard = self._unheard(playing)
            self.replay.forget_sound()
            for told in missed:
                if not isinstance(told.event, do.Play):
                    connection.transport.send(told.event)
            self._perform(unheard)
        else:
            for told in missed:
                if isinstance(told.event, do.Play):
                    connection.transport.play(told.event)
                else:
                    connection.transport.send(told.event)
        self._feed(PeerBack())

    def _retell(self, playing: list[Playing], history: bool) -> None:
        """The conversation as it stands, and the sound that was not heard."""
        effects = self._session.retell(history) + self._unheard(playing)
        self.replay.forget()  # its numbers are of what another client was told
        self._perform(effects)

    def _unheard(self, playing: list[Playing]) -> list[Effect]:
        """The sound of these answers that was not heard, and its end where no more of it comes."""
        effects: list[Effect] = []
        for one in playing:
            plays = self.replay.sound_of(one.item_id, one.heard_ms)
            effects += plays
            if plays and one.response_id not in self._answers:
                place = plays[0].output_index, plays[0].content_index
                effects.append(do.Send(_done(one, *place)))
        return effects

    def _make_way(self, connection: Connection, other: Connection) -> None:
        """Another connection comes in place of this one."""
        if other.last_event_id is not None:
            connection.leave.set()  # the same client: its old network is dead, and nobody has noticed yet
            return
        self.tell(Moved())
        self._begin_unless_ending(self._leave_soon(connection), "moved")

    async def _leave_soon(self, connection: Connection) -> None:
        """Until then it may still report what was heard, and close by itself."""
        await self._clock.sleep(PARTING_S)
        connection.leave.set()

    async def _wait(self, gone: PeerGone) -> None:
        """For the next connection. Raises `gone` when there is none in time, or none to come."""
        if not self.replay.keeps or gone.code in LEFT_FOR_GOOD:
            raise gone
        self._keeper.changed(self)
        attached = asyncio.ensure_future(self._attached.wait())
        too_late = asyncio.ensure_future(self._clock.sleep(self._grace_s))
        try:
            await asyncio.wait((attached, too_late), return_when=asyncio.FIRST_COMPLETED)
        finally:
            attached.cancel()
            too_late.cancel()
        if not self._attached.is_set():
            raise gone

    async def _part(self, ended: PeerGone | SessionOver | HandedOn | Exception) -> None:
        """Let go of the connections that are left, each with the reason."""
        for connection in (self._connection, self._next):
            if connection is None or connection.left.is_set():
                continue
            match ended:
                case HandedOn() if connection is self._connection:
                    connection.transport.part()
                    connection.handed_on = ended
                    connection.left.set()
                    continue
                case SessionOver(code=code, reason=reason):
                    await connection.transport.close(code, reason)
                case PeerGone() | HandedOn():
                    pass
                case _:
                    await connection.transport.close(1011, "internal error")
            connection.transport.abandon()
            connection.left.set()

    # The tasks ------------------------------------------------------------------------

    async def _read(self, connection: Connection) -> None:
        transport = connection.transport
        for count in itertools.count(1):
            event = await transport.receive()
            if count % EVENTS_BEFORE_YIELD == 0:
                await asyncio.sleep(0)  # what came all at once is read without waiting: let others in
            if connection.resumed_by and not connection.has_spoken:
                connection.has_spoken = True
                await self._keeper.confirm(self)
            costs = True
            match event:
                case InputAudioBufferAppend():
                    was_taken = await self._hear(event)
                    costs = not was_taken or len(event.audio) < TINY_APPEND_BYTES
                case Resume():
                    await self._resume(event, connection)
                case HandOver():
                    await self._hand_over(event)
                case PlaybackReport():
                    self._heard(event)
                case _:
                    self._feed(event)
            if not isinstance(event, ClientError) and event.event_id is not None:
                self._last_client_event = event.event_id
            if costs and not self._budget.spend(self._clock.now(), transport.received_bytes):
                raise SessionOver(1008, "too many events: audio apart, at most 100 a second of 16 KiB")
            await self._room()
            while self._unrecognised_bytes > UNRECOGNISED_BYTES_MAX:
                self._recognised.clear()
                await self._recognised.wait()

    def _heard(self, report: PlaybackReport) -> None:
        self._feed(report)
        if self.replay.keeps:
            self.replay.heard(report.item_id, report.played_ms)

    async def _resume(self, event: Resume, connection: Connection) -> None:
        """Raises HandedOn when there is such a session, and it is not this one."""
        try:
            found = await self._keeper.find(event.token, self._owner)
            if found is self:
                raise ClientError("already_resumed", "This connection serves that session.", "token")
        except ClientError as error:
            error.event_id = event.event_id
            self._feed(error)
            return
        raise HandedOn(
            found, Connection(connection.transport, event.token, event.last_event_id, event.history)
        )

    async def _hand_over(self, event: HandOver) -> None:
        if not self.replay.keeps:
            refusal = "This session cannot be resumed: set session.parlour.resume first."
            self._feed(ClientError("not_resumable", refusal, None, event.event_id))
            return
        token, expires_at = await self._keeper.issue_for_another(self)
        self.tell(HandOverToken(token=token, expires_at=expires_at))

    async def _keep(self) -> None:
        token = await self._keeper.issue(self)
        self.tell(ResumeToken(token=token, grace_s=self._grace_s))

    async def _room(self) -> None:
        """Wait until the connection, or the replay in its place, can take more."""
        while True:
            transport = self._transport
            await transport.room()
            if transport is self._transport:
                return

    async def _keep_time(self) -> None:
        """Wake the core at its deadlines. They mostly move away, so the timer sleeps to the one it
        knows and looks again; a deadline that comes nearer is seen within a second."""
        while True:
            now = self._clock.now()
            wait_s = self._session.deadline - now
            if wait_s <= 0:
                self._react(None, self._session.wake(now), now)
            else:
                await self._clock.sleep(min(wait_s, 1.0))

    async def _answer(self, request: AgentRequest) -> None:
        failure = GenerationFailed("agent_error", "The agent ended its answer without saying so.")
        try:
            if await self._relay(request):
                return
        except AgentError as error:
            failure = GenerationFailed(error.code, error.message)
        self._feed(FromAgent(request.response_id, failure))

    async def _relay(self, request: AgentRequest) -> bool:
        """Pass on the agent's events, no faster than they can be heard; False if it broke off."""
        response_id, is_over = request.response_id, False
        sent_s, first_at = 0.0, 0.0
        async with aclosing(self._agent.respond(request)) as events:
            async for event in events:
                self._feed(FromAgent(response_id, event))
                await self._room()
                is_over = isinstance(event, GenerationDone | GenerationFailed)
                if isinstance(event, AudioDelta):
                    first_at = first_at or self._clock.now()
                    sent_s += len(event.pcm) / (2 * SPEAKING_HZ)
                    ahead_s = first_at + sent_s - self._clock.now()
                    if ahead_s > self._playback_lead_s:
                        await self._clock.sleep(ahead_s - self._playback_lead_s)
        return is_over

    async def _transcribe(self, wanted: do.Transcribe) -> None:
        request = TranscribeRequest(self._session.config.id, wanted.pcm, wanted.language)
        result: Transcribed | TranscriptionError
        try:
            async with self._recognising, asyncio.timeout(TRANSCRIBE_WITHIN_S):
                transcript = await self._agent.transcribe(request)
            result = Transcribed(wanted.item_id, wanted.content_index, transcript)
        except AgentError as error:
            result = TranscriptionError(wanted.item_id, wanted.content_index, error.code, error.message)
        except TimeoutError:
            late = "The recogniser took too long."
            result = TranscriptionError(wanted.item_id, wanted.content_index, "agent_timeout", late)
        self._unrecognised_bytes -= len(wanted.pcm)
        self._recognised.set()
        self._feed(result)

    # One step ---------------------------------------------------------------------------

    async def _hear(self, event: InputAudioBufferAppend) -> bool:
        """Decode, let the core keep it, and ask the turn detector, piece by piece.

        False when it was refused; the error is told once, and what came before it is kept.
        """
        audio, step = event.audio, self._decoder.bytes_for(PIECE_MS)
        for count, start in enumerate(range(0, len(audio), step), 1):
            piece = audio[start : start + step]
            try:
                pcm = self._decoder.push(piece)
            except ClientError as error:
                error.event_id = event.event_id
                self._feed(error)
                return False
            # Nothing is answered to audio but an error, and no turn depends on it by itself.
            heard = AudioReceived(pcm, self._decoder.duration_ms(len(piece)), event.event_id)
            refusal = self._session.feed(heard, self._clock.now())
            if refusal:
                self._perform(refusal)
                return False
            if self._detector is not None:
                for signal in self._detector.push(pcm):
                    self._feed(signal)
            if self.replay.keeps:
                self._mark()
            if count % PIECES_BEFORE_YIELD == 0:
                await asyncio.sleep(0)
        return True

    def _mark(self) -> None:
        """Note where in the input audio the client's last event ends, for a later `restore`."""
        at_ms = self._session.audio_ms
        if not self._marks or at_ms >= self._marks[-1][0] + MARK_EVERY_MS:
            self._marks.append((at_ms, self._last_client_event))
            while len(self._marks) > 1 and self._marks[1][0] <= self._session.open_audio_ms:
                self._marks.popleft()

    def _feed(self, event: Input) -> None:
        now = self._clock.now()
        self._react(event, self._session.feed(event, now), now)

    def _react(self, event: Input | None, effects: list[Effect], now: float) -> None:
        for record in self._trace.observe(event, effects, now, self._session.audio_ms):
            self._on_turn(record)
            if self._session.config.extensions.trace:
                effects.append(do.Send(ParlourTurn(turn=record.shown())))
        self._perform(effects)

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case do.Send(event=event):
                    self.replay.note(event)
                    self._transport.send(event)
                    if self.replay.keeps and isinstance(event, _WORTH_STORING):
                        self._keeper.changed(self)
                case do.Play():
                    self.replay.note(effect)
                    self._transport.play(effect)
                    if self.replay.keeps:
                        self._keeper.changed(self)
                case do.StopPlayback(response_id=response_id):
                    self._transport.stop_playback(response_id)
                    self.replay.silence(response_id)
                case do.Keep():
                    self.replay.keeps = True
                    self._tasks.create_task(self._keep(), name="token")
                case do.Generate(request=request):
                    self._begin_answer(request)
                case do.StopGenerating(response_id=response_id):
                    answer = self._answers.pop(response_id, None)
                    if answer is not None:
                        answer.cancel()
                case do.Warm(request=request):
                    if self._warming is not None:
                        self._warming.cancel()  # the user went on speaking
                    self._warming = self._tasks.create_task(self._agent.warm(request), name="warm")
                case do.Transcribe():
                    self._unrecognised_bytes += len(effect.pcm)
                    self._tasks.create_task(self._transcribe(effect), name=f"transcribe {effect.item_id}")
                case do.ResetTurns():
                    self._hear_afresh()
                case do.HushTurns():
                    if self._detector is not None:
                        for signal in self._detector.hush():
                            self._feed(signal)
                case do.Close(code=code, reason=reason):
                    raise SessionOver(code, reason)
                case _:
                    assert_never(effect)

    def _begin_answer(self, request: AgentRequest) -> None:
        # What is being warmed goes on: the agent joins it to the answer.
        answer = self._tasks.create_task(self._answer(request), name=f"answer {request.response_id}")
        self._answers[request.response_id] = answer
        answer.add_done_callback(lambda _: self._answers.pop(request.response_id, None))

    def _hear_afresh(self) -> None:
        audio_input = self._session.config.audio.input
        self._decoder = InputDecoder(audio_input.format)
        detection = audio_input.turn_detection
        self._detector = self._make_detector(detection, self._session.audio_ms) if detection else None


class _MustLeave(Exception):
    """The connection makes way for another one."""


def _done(playing: Playing, output_index: int, content_index: int) -> OutputAudioDone:
    return OutputAudioDone(
        response_id=playing.response_id,
        item_id=playing.item_id,
        output_index=output_index,
        content_index=content_index,
    )


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """One of the group's exceptions, out of its nested groups."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, Exception)
    return found
