"""One live session: the only place where the core meets asyncio.

The peer's reader, the agent's answers and the timer are tasks that feed the core. Feeding it and
performing what it says is one synchronous step, so steps never interleave and no lock or queue
stands between: the event loop is the one owner. What a step may leave full, the outbox, is waited
for by whoever made it, so that a slow peer slows its own sources and nobody else.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
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
from realtime.errors import ClientError
from realtime.flood import TINY_APPEND_BYTES, EventBudget
from realtime.protocol import effects as do
from realtime.protocol.config import TurnDetection
from realtime.protocol.effects import Effect
from realtime.protocol.events import InputAudioBufferAppend, ParlourTurn
from realtime.protocol.inputs import (
    AudioReceived,
    FromAgent,
    Transcribed,
    TranscriptionError,
)
from realtime.protocol.session import Input, Session
from realtime.transports.base import PeerGone, Transport
from realtime.turn_trace import TurnRecord, TurnTrace
from realtime.turns.base import TurnDetector

PIECE_MS = 200
"""A longer append is taken in pieces, other sessions having their turn between them."""

PIECES_BEFORE_YIELD = 4
EVENTS_BEFORE_YIELD = 16
TRANSCRIBE_WITHIN_S = 30.0
RECOGNISING_AT_ONCE = 2
"""Clips of one session that ask the shared recogniser at a time; the others wait for their turn."""
UNRECOGNISED_BYTES_MAX = 600 * 32_000
"""Of the clips that wait: ten minutes, twice the longest one. With more, the peer is not read from."""

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
    """Runs one session until its peer leaves, its time is up, or something breaks."""

    def __init__(
        self,
        session: Session,
        transport: Transport,
        agent: Agent,
        make_detector: MakeDetector,
        clock: Clock,
        playback_lead_s: float,
        on_turn: Callable[[TurnRecord], None],
    ) -> None:
        """playback_lead_s: how far ahead of its being heard an answer's audio is made."""
        self._session = session
        self._transport = transport
        self._agent = agent
        self._make_detector = make_detector
        self._clock = clock
        self._playback_lead_s = playback_lead_s
        self._on_turn = on_turn
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

    async def run(self) -> PeerGone | SessionOver | Exception:
        """Returns why the session ended; a bug is returned too, its traceback logged."""
        ended: PeerGone | SessionOver | Exception = PeerGone(1006)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._perform(self._session.open())
                tasks.create_task(self._read(), name="reader")
                tasks.create_task(self._transport.run(), name="sender")
                tasks.create_task(self._keep_time(), name="timer")
        except* PeerGone as gone:
            ended = _first(gone)
        except* SessionOver as over:
            ended = _first(over)
        except* Exception as bugs:
            ended = _first(bugs)
            logger.exception("internal error", extra={"session_id": self._session.config.id})
        match ended:
            case PeerGone(code=code, reason=reason):
                if code == 1008:
                    await self._transport.close(code, reason)
            case SessionOver(code=code, reason=reason):
                await self._transport.close(code, reason)
            case _:
                await self._transport.close(1011, "internal error")
        return ended

    # The tasks ------------------------------------------------------------------------

    async def _read(self) -> None:
        for count in itertools.count(1):
            event = await self._transport.receive()
            if count % EVENTS_BEFORE_YIELD == 0:
                await asyncio.sleep(0)  # what came all at once is read without waiting: let others in
            if isinstance(event, InputAudioBufferAppend):
                was_taken = await self._hear(event)
                costs = not was_taken or len(event.audio) < TINY_APPEND_BYTES
            else:
                self._feed(event)
                costs = True
            if costs and not self._budget.spend(self._clock.now(), self._transport.received_bytes):
                raise SessionOver(1008, "too many events: audio apart, at most 100 a second of 16 KiB")
            await self._transport.room()
            while self._unrecognised_bytes > UNRECOGNISED_BYTES_MAX:
                self._recognised.clear()
                await self._recognised.wait()

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
                await self._transport.room()
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
            if count % PIECES_BEFORE_YIELD == 0:
                await asyncio.sleep(0)
        return True

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
                    self._transport.send(event)
                case do.Play():
                    self._transport.play(effect)
                case do.StopPlayback(response_id=response_id):
                    self._transport.stop_playback(response_id)
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


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """One of the group's exceptions, out of its nested groups."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, Exception)
    return found
