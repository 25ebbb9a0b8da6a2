"""The runner: the core meets asyncio. Time is a fake clock, the peer and the agent are scripted here."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncGenerator

import pytest

from agent.api import (
    AgentError,
    AgentEvent,
    AgentRequest,
    AudioDelta,
    GenerationDone,
    Health,
    TextDelta,
    TranscribeRequest,
    Transcript,
)
from realtime.errors import ClientError, InvalidEvent
from realtime.protocol.codec import decode
from realtime.protocol.config import SessionConfig, TurnDetection
from realtime.protocol.effects import Play
from realtime.protocol.events import AnyClientEvent, PlaybackReport, Resumed, ServerEvent
from realtime.protocol.inputs import SpeechStarted, SpeechStopped, TurnSignal
from realtime.protocol.limits import Limits
from realtime.protocol.session import Session
from realtime.protocol.snapshot import Snapshot
from realtime.session.agent_calls import UNTRANSCRIBED_BYTES_MAX
from realtime.session.connection import Connection, Resumable, SwitchSession
from realtime.session.connections import SessionOver
from realtime.session.runner import Runner
from realtime.session.transport import PeerGone
from realtime.session.turn_trace import TurnRecord


class FakeClock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self._now = 100.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        until = self._now + seconds
        while True:
            await settle()
            due = [entry for entry in self._sleepers if entry[0] <= until and not entry[1].done()]
            if not due:
                break
            self._now = min(entry[0] for entry in due)
            for entry in due:
                if entry[0] <= self._now:
                    self._sleepers.remove(entry)
                    entry[1].set_result(None)
        self._now = until
        await settle()


async def settle() -> None:
    """Let every task run until it waits for something that only the test can bring."""
    for _ in range(50):
        await asyncio.sleep(0)


class FakeTransport:
    """A peer made of two lists."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[AnyClientEvent | InvalidEvent | PeerGone] = asyncio.Queue(100)
        self.sent: list[ServerEvent] = []
        self.played: list[Play] = []
        self.stopped: list[str] = []
        self.closed: tuple[int, str] | None = None
        self.received_bytes = 0
        self.paces_playback = False
        self.lives_until = float("inf")
        self.has_room = asyncio.Event()
        self.has_room.set()

    async def receive(self) -> AnyClientEvent | InvalidEvent:
        event = await self.incoming.get()
        if isinstance(event, PeerGone):
            raise event
        return event

    def send(self, event: ServerEvent) -> None:
        self.sent.append(event)

    def play(self, play: Play) -> None:
        self.played.append(play)

    def stop_playback(self, response_id: str, is_in_conversation: bool) -> None:
        self.stopped.append(response_id)

    async def drain(self) -> None:
        await self.has_room.wait()

    def is_alive(self, since: float) -> bool:
        return self.lives_until > since

    async def run(self) -> None:
        await asyncio.Event().wait()

    def detach(self, is_lost: bool) -> list[PlaybackReport]:
        return []

    def discard(self) -> None:
        self.has_room.set()

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    @property
    def types(self) -> list[str]:
        return [str(event.__struct_config__.tag) for event in self.sent]


class FakeAgent:
    """Answers with what the test puts into its queue; notes what was closed."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[AgentEvent | Exception] = asyncio.Queue(1000)
        self.closed: list[str] = []
        self.warmed: list[AgentRequest] = []
        self.transcribes = asyncio.Event()
        self.transcribes.set()
        self.lets_go = asyncio.Event()
        self.lets_go.set()

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        try:
            while True:
                event = await self.events.get()
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, GenerationDone):
                    return
        finally:
            self.closed.append(request.response_id)
            await self.lets_go.wait()

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        await self.transcribes.wait()
        return Transcript("words", len(request.pcm) / 32_000)

    async def warm(self, request: AgentRequest) -> None:
        self.warmed.append(request)

    async def health(self) -> Health:
        return Health("ready", "fake", transcribes=True)

    async def aclose(self) -> None:
        pass


class FakeDetector:
    """Hears speech where a sample is not zero, and its end 10 ms after."""

    def __init__(self, _: TurnDetection, start_ms: int) -> None:
        self.position = start_ms
        self.speaking = False

    def push(self, pcm: bytes) -> list[TurnSignal]:
        start, self.position = self.position, self.position + len(pcm) // 32
        if any(pcm) and not self.speaking:
            self.speaking = True
            return [SpeechStarted(start)]
        if pcm and not any(pcm) and self.speaking:
            return self.flush()
        return []

    def flush(self) -> list[TurnSignal]:
        if not self.speaking:
            return []
        self.speaking = False
        return [SpeechStopped(self.position)]


class FakeResumption:
    """Knows one session by the token "good"; notes what was asked."""

    def __init__(self) -> None:
        self.session: Resumable | None = None
        self.changes = 0
        self.confirmed = 0
        self._numbers = itertools.count(1)

    async def issue_token(self, session: Resumable, used: str = "") -> str:
        return f"token {next(self._numbers)}"

    async def issue_hand_over_token(self, session: Resumable) -> tuple[str, int]:
        return f"token {next(self._numbers)}", 1

    async def issue_return_token(self, session: Resumable) -> tuple[str, int]:
        return f"token {next(self._numbers)}", 1

    async def confirm_token(self, session: Resumable) -> None:
        self.confirmed += 1

    async def claim(self, token: str, owner: str) -> Resumable:
        if token != "good" or self.session is None:
            raise ClientError("invalid_resume_token", "no such session", "token")
        return self.session

    def save_soon(self, session: Resumable) -> None:
        self.changes += 1


class World:
    """A running session with its fakes."""

    def __init__(self, limits: Limits | None = None, lead_s: float = 5.0) -> None:
        self.clock, self.transport, self.agent = FakeClock(), FakeTransport(), FakeAgent()
        self.turns: list[TurnRecord] = []
        numbers = iter(range(1_000_000))
        session = Session(
            SessionConfig(id="sess_1", model="fake"),
            Health("ready", "fake", transcribes=True),
            limits or Limits(),
            lambda kind: f"{kind}_{next(numbers)}",
            lambda audio, _: audio,
            lambda pcm, _: pcm,
            self.clock.now(),
        )
        self.resumption = FakeResumption()
        self.runner = Runner(
            session,
            self.agent,
            FakeDetector,
            self.clock,
            lead_s,
            self.turns.append,
            self.resumption,
            owner="",
            grace_s=60.0,
        )
        self.serving: list[asyncio.Task[SwitchSession | None]] = []

    async def __aenter__(self) -> "World":
        self.task = asyncio.create_task(self.runner.run())
        await self.serve(Connection(self.transport))
        return self

    async def serve(self, connection: Connection) -> None:
        self.serving.append(asyncio.create_task(self.runner.attach(connection)))
        await settle()

    async def __aexit__(self, *_: object) -> None:
        if not self.task.done():
            await self.leave()
        await self.task
        await asyncio.gather(*self.serving)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, f"tasks that were left: {others}"

    async def client(self, text: str) -> None:
        await self.transport.incoming.put(decode(text))
        await settle()

    async def leave(self) -> None:
        await self.transport.incoming.put(PeerGone(1000))
        await settle()

    async def agent_says(self, *events: AgentEvent | Exception) -> None:
        for event in events:
            await self.agent.events.put(event)
        await settle()


RESUMABLE = '{"type": "session.update", "session": {"type": "realtime", "parlour": {"resume": true}}}'
CREATE = '{"type": "response.create"}'
ASIDE = '{"type": "response.create", "response": {"conversation": "none", "input": []}}'
SPEECH = '{"type": "input_audio_buffer.append", "audio": "%s"}' % ("AQAB" * 1600)  # 100 ms
SILENCE = '{"type": "input_audio_buffer.append", "audio": "%s"}' % ("AAAA" * 1600)


async def test_a_peer_that_leaves_frees_the_agents_work() -> None:
    async with World() as world:
        await world.client(CREATE)
        await world.agent_says(TextDelta("Well"))
        await world.leave()
        assert world.agent.closed
        assert isinstance(await world.task, PeerGone)
        assert world.transport.closed is None


async def test_a_barge_in_stops_the_agent_and_drops_what_has_not_left() -> None:
    async with World() as world:
        await world.client(CREATE)
        await world.agent_says(TextDelta("Well"), AudioDelta(bytes(4800), 4))
        await world.client(SPEECH)
        assert world.agent.closed == world.transport.stopped[:1]
        assert "response.done" in world.transport.types


async def test_the_answer_is_made_no_further_ahead_than_it_can_be_heard() -> None:
    async with World(lead_s=2.0) as world:
        await world.client(CREATE)
        await world.agent_says(*[AudioDelta(bytes(9600), 0) for _ in range(30)])  # 0.2 s each
        assert len(world.transport.played) == 11
        await world.clock.advance(1.0)
        assert len(world.transport.played) == 16


async def test_the_agent_of_an_answer_that_waits_to_speak_is_not_asked_for_more() -> None:
    async with World(lead_s=1.0) as world:
        await world.client(CREATE)
        await world.client(ASIDE)
        half_second = AudioDelta(bytes(24_000), 0)
        await world.agent_says(half_second)
        await world.agent_says(half_second)  # of the other one, which has to wait
        [main] = {play.response_id for play in world.transport.played}
        await world.agent_says(half_second)
        await world.clock.advance(10.0)
        assert [play.response_id for play in world.transport.played] == [main, main]
        await world.agent_says(GenerationDone(), *[half_second] * 10)
        aside = [play for play in world.transport.played if play.response_id != main]
        assert len(aside) == 3  # no further ahead than one that did not wait


async def test_an_agent_that_breaks_its_contract_fails_the_response_once() -> None:
    async with World() as world:
        await world.client(CREATE)
        await world.agent_says(TextDelta("Well"), AgentError("agent_unavailable", "gone"))
        done = [event for event in world.transport.sent if event.__struct_config__.tag == "response.done"]
        assert [event.response.status for event in done] == ["failed"]  # type: ignore[attr-defined]
        await world.client(CREATE)
        await world.agent_says(TextDelta("Fine"), GenerationDone())
        assert world.transport.types.count("response.done") == 2


async def test_a_hanging_agent_is_given_up_at_its_deadline() -> None:
    async with World(Limits(first_event_s=30)) as world:
        await world.client(CREATE)
        await world.clock.advance(31)
        assert world.transport.types[-1] == "response.done"
        assert world.agent.closed


async def test_speech_that_ends_without_another_sample_is_a_turn_all_the_same() -> None:
    async with World(Limits(input_stall_s=3)) as world:
        await world.client(SPEECH)
        assert world.transport.types[-1] == "input_audio_buffer.speech_started"
        await world.clock.advance(4.5)
        assert "response.created" in world.transport.types


async def test_a_peer_of_which_nothing_at_all_is_heard_has_not_ended_its_sentence() -> None:
    async with World(Limits(input_stall_s=3)) as world:
        await world.client(RESUMABLE)
        world.transport.lives_until = world.clock.now() + 0.1
        await world.client(SPEECH)
        await world.clock.advance(7.0)
        assert "input_audio_buffer.speech_stopped" not in world.transport.types
        world.transport.lives_until = float("inf")
        await world.clock.advance(3.0)
        assert "input_audio_buffer.speech_stopped" in world.transport.types


async def test_without_resume_a_sentence_ends_with_its_sound_whatever_the_peer_does() -> None:
    async with World(Limits(input_stall_s=3)) as world:
        world.transport.lives_until = 0.0
        await world.client(SPEECH)
        await world.clock.advance(3.0)
        assert "input_audio_buffer.speech_stopped" in world.transport.types


async def test_a_session_whose_time_is_up_is_closed_with_a_reason() -> None:
    async with World(Limits(session_s=60)) as world:
        await world.clock.advance(62)
        assert world.transport.closed == (1000, "session expired")


async def test_a_flood_of_events_closes_the_session_but_audio_is_never_a_flood() -> None:
    async with World() as world:
        for _ in range(3000):
            await world.transport.incoming.put(decode(SILENCE))
        await settle()
        assert not world.task.done()
        for _ in range(3000):
            if world.task.done():
                break
            await world.transport.incoming.put(decode('{"type": "response.cancel"}'))
            await asyncio.sleep(0)
        await settle()
        assert world.transport.closed is not None
        assert world.transport.closed[0] == 1008
        assert isinstance(await world.task, SessionOver)


async def test_a_peer_that_does_not_read_is_not_read_from() -> None:
    async with World() as world:
        world.transport.has_room.clear()
        for _ in range(60):
            world.transport.incoming.put_nowait(decode('{"type": "response.cancel"}'))
        await settle()
        assert world.transport.incoming.qsize() > 30
        world.transport.has_room.set()
        await settle()
        assert world.transport.incoming.qsize() == 0


async def test_clips_that_wait_for_the_recogniser_hold_a_bounded_amount_of_sound() -> None:
    audio = base64.b64encode(bytes(600_000)).decode()
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}]}
    async with World() as world:
        world.agent.transcribes.clear()
        for _ in range(60):
            world.transport.incoming.put_nowait(
                decode(json.dumps({"type": "conversation.item.create", "item": item}))
            )
        await settle()
        assert 60 - world.transport.incoming.qsize() == UNTRANSCRIBED_BYTES_MAX // 600_000 + 1
        world.agent.transcribes.set()
        await settle()
        assert world.transport.incoming.qsize() == 0


async def test_a_sample_that_two_appends_share_is_no_error() -> None:
    async with World() as world:
        for _ in range(2):
            await world.client('{"type": "input_audio_buffer.append", "audio": "AAAA"}')
        assert "error" not in world.transport.types
        await world.client(CREATE)
        assert world.transport.types[-1] == "response.created"


async def test_a_stored_session_is_sent_again_from_a_whole_sample() -> None:
    async with World() as world:
        await world.client(RESUMABLE)
        for number in range(60):  # each 30 ms, of which the odd ones end in the middle of a sample
            audio = base64.b64encode(bytes(1441 if number % 2 == 0 else 1439)).decode()
            append = {"type": "input_audio_buffer.append", "audio": audio, "event_id": f"e{number}"}
            await world.client(json.dumps(append))
            resend_after = world.runner.snapshot().resend_after
            assert resend_after is None or not resend_after.startswith("e") or int(resend_after[1:]) % 2 == 1


async def test_a_bug_ends_the_session_loudly_and_tells_the_peer_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with World() as world:

        def broken(*_: object) -> None:
            raise ZeroDivisionError("secret detail")

        monkeypatch.setattr(Session, "feed", broken)
        await world.client(CREATE)
        assert isinstance(await world.task, ZeroDivisionError)
        assert world.transport.closed == (1011, "internal error")
        assert "internal error" in caplog.text


async def test_a_session_that_is_ending_is_stopped_and_taken_over_without_harm() -> None:
    """An agent may take a while to let an answer go, and meanwhile the session is neither here nor gone."""
    async with World() as world:
        await world.client(CREATE)
        await world.agent_says(TextDelta("Well"))
        world.agent.lets_go.clear()
        for _ in range(3_000):
            if world.agent.closed:
                break
            await world.client('{"type": "input_audio_buffer.clear"}')
        assert not world.task.done()
        late = FakeTransport()
        try:
            world.runner.stop()
            await world.serve(Connection(late, resumed_by="good"))
        finally:
            world.agent.lets_go.set()
        await world.task
        assert world.transport.closed is not None
        assert world.transport.closed[0] == 1008
        assert late.closed == world.transport.closed


async def resumed(world: World, code: int | None = 1006) -> Resumed:
    """What a client is told that comes back after its connection was lost."""
    if code is not None:
        await world.transport.incoming.put(PeerGone(code))
        await settle()
    world.transport = FakeTransport()
    await world.serve(Connection(world.transport, resumed_by="good"))
    first = world.transport.sent[0]
    assert isinstance(first, Resumed)
    return first


async def test_who_comes_back_is_told_how_long_nothing_was_heard_of_it() -> None:
    async with World() as world:
        await world.client(RESUMABLE)
        assert (await resumed(world)).input_silent_ms is None
        await world.client(SILENCE)
        await world.clock.advance(3.0)
        await world.client(CREATE)  # what is not sound makes no difference
        await world.clock.advance(0.25)
        assert (await resumed(world)).input_silent_ms == 3250
        await world.client('{"type": "input_audio_buffer.append", "audio": "AAA="}')
        await world.clock.advance(1.0)
        assert (await resumed(world)).input_silent_ms == 1000


async def test_speech_that_a_stopped_server_lost_counts_as_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.session.input_audio.time.time", lambda: 1_000_000.0)
    async with World() as world:
        await world.client(RESUMABLE)
        for _ in range(10):
            await world.client(SILENCE)
        await world.clock.advance(2.0)
        for _ in range(10):
            await world.client(SPEECH)
        await world.clock.advance(1.0)
        stored = Snapshot.decode(world.runner.snapshot().encode())
    assert stored is not None
    monkeypatch.setattr("realtime.session.input_audio.time.time", lambda: 1_000_004.0)
    after = World()
    after.runner.restore(stored)
    after.task = asyncio.create_task(after.runner.run())
    try:
        # The sentence was not over, so it is not stored, nor what came just before: up to 3 + 4 s ago.
        assert (await resumed(after, None)).input_silent_ms == 7000
    finally:
        await after.leave()
        await after.task


async def test_a_sentence_at_the_very_beginning_is_sent_again_to_the_next_server() -> None:
    async with World() as world:
        await world.client(RESUMABLE.replace("{", '{"event_id": "e1", ', 1))
        await world.client(SPEECH.replace("{", '{"event_id": "e2", ', 1))
        await world.client(SPEECH.replace("{", '{"event_id": "e3", ', 1))
        stored = world.runner.snapshot()
    assert (stored.resend_after, stored.audio_ms) == ("e1", 0)


async def test_each_turn_leaves_one_record_with_its_times() -> None:
    async with World() as world:
        await world.client(SPEECH)
        await world.client(SILENCE)  # still holds the speech's last millisecond
        await world.client(SILENCE)
        await world.clock.advance(0.2)
        await world.agent_says(TextDelta("Well"))
        await world.clock.advance(0.1)
        await world.agent_says(AudioDelta(bytes(4800), 4), GenerationDone())
        (record,) = world.turns
        assert record.outcome == "completed"
        assert record.spoken
        assert record.first_token_ms is not None
        assert record.first_audio_ms is not None
        assert record.first_audio_ms - record.first_token_ms == pytest.approx(100.0)
        assert record.first_token_ms - record.decision_ms == pytest.approx(200.0)
