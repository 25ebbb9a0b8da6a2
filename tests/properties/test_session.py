"""The session under random schedules: what must hold whatever happens, and planted bugs that it catches.

The generator is biased to events about the live response: that is where the bugs are.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.api import AudioDelta, GenerationDone, GenerationFailed, TextDelta, ToolCall
from realtime.protocol import effects as do
from realtime.protocol.assistant import Generating, Idle, Limits
from realtime.protocol.conversation import AssistantItem
from realtime.protocol.effects import Effect, Send
from realtime.protocol.events import InputSpeechStarted
from realtime.protocol.inputs import SpeechStarted
from realtime.protocol.response import Response
from realtime.protocol.session import Session
from tests.protocol.driver import Driver

Step = tuple[str, int]

LIVE = ["say", "say", "speak_over", "cancel", "finish", "fail", "late", "tool", "report", "truncate"]
OTHER = [
    "turn",
    "talk_across",
    "type",
    "create",
    "dictate",
    "aside",
    "aside_done",
    "stop_speech",
    "wait",
    "modality",
    "interrupt",
    "delete",
]
STEPS = st.lists(st.tuples(st.sampled_from(LIVE * 2 + OTHER), st.integers(0, 7)), min_size=12, max_size=40)


class World:
    """Performs steps on a session and checks, after each, what must always hold."""

    def __init__(self, session_class: type[Session]) -> None:
        self.driver = Driver(session_class=session_class, limits=Limits(session_s=1e6))
        self.ended: dict[str, str] = {}
        self.created: list[str] = []
        self.ended_by_agent: set[str] = set()
        self.checked_events = 0
        self.checked_effects = 0
        self.texts: dict[str, str] = {}
        self.order: list[str] = []
        self.played_ms: dict[str, float] = {}
        self.first_played_at: dict[str, float] = {}
        self.unanswered_since: int | None = None
        self.reported: set[str] = set()  # what their listener told of is believed, not the clock

    def perform(self, step: Step) -> None:
        name, number = step
        getattr(self, f"do_{name}")(number)
        self.check()

    # Steps

    def do_turn(self, number: int) -> None:
        before = len(self.driver.requests)
        self.driver.speak(200 + 100 * number)
        self.unanswered_since = before

    def do_speak_over(self, number: int) -> None:
        self.driver.now += number * 0.3
        if self.interrupts:
            self.unanswered_since = None  # what comes now is part of what will be answered
        self.driver.begin_speech()

    def do_talk_across(self, number: int) -> None:
        """Two turns in a row, the second during the first one's answer."""
        self.do_interrupt(0)
        self.do_turn(number)
        self.do_turn(number)

    def do_stop_speech(self, _: int) -> None:
        self.driver.end_speech()

    def do_type(self, _: int) -> None:
        self.driver.write("hello")

    def do_create(self, _: int) -> None:
        self.driver.client("response.create")

    def do_dictate(self, _: int) -> None:
        self.driver.client("parlour.say", text="hello")

    def do_aside(self, _: int) -> None:
        self.driver.client("response.create", response={"conversation": "none"})

    def do_aside_done(self, number: int) -> None:
        for request in self.driver.requests:
            if request.response_id in self.asides:
                self.ended_by_agent.add(request.response_id)
                self.driver.agent_says(TextDelta("aside"), request.response_id)
                self.driver.agent_says(GenerationDone(), request.response_id)
                return

    def do_say(self, number: int) -> None:
        if self.live:
            message = self.live.response.message
            text_end = len(message.text) if message else 0
            word = f"word{number} "
            self.driver.agent_says(TextDelta(word), self.live.response.id)
            audio = AudioDelta(bytes(4800 * (number + 1)), text_end + len(word))
            self.driver.agent_says(audio, self.live.response.id)

    def do_tool(self, number: int) -> None:
        if self.live:
            self.driver.agent_says(ToolCall(f"call_{number}", "f", '{"a": 1}'), self.live.response.id)

    def do_finish(self, number: int) -> None:
        if self.live:
            self.ended_by_agent.add(self.live.response.id)
            reason: Any = ("stop", "max_tokens", "no_words")[number % 3]
            self.driver.agent_says(GenerationDone(reason), self.live.response.id)

    def do_fail(self, _: int) -> None:
        if self.live:
            self.ended_by_agent.add(self.live.response.id)
            self.driver.agent_says(GenerationFailed("agent_error", "broken"), self.live.response.id)

    def do_late(self, number: int) -> None:
        ended = list(self.ended)
        if ended:
            response_id = ended[number % len(ended)]
            for event in (TextDelta("late"), AudioDelta(bytes(480), 4), GenerationDone()):
                assert self.driver.agent_says(event, response_id) == [], "an ended response came back"

    def do_cancel(self, _: int) -> None:
        told = self.driver.client("response.cancel")
        assert {event["type"] for event in told} & {"response.done", "error"}, "a cancel without effect"

    def do_report(self, number: int) -> None:
        if self.live and self.live.response.message:
            item_id = self.live.response.message.id
            self.reported.add(item_id)
            self.driver.client("parlour.playback", item_id=item_id, played_ms=number * 50)

    def do_truncate(self, number: int) -> None:
        spoken = [item for item in self.driver.session.conversation if isinstance(item, AssistantItem)]
        if spoken:
            item_id = spoken[number % len(spoken)].id
            self.driver.client(
                "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=number * 100
            )

    def do_delete(self, number: int) -> None:
        ids = [item.id for item in self.driver.session.conversation]
        if ids:
            self.driver.client("conversation.item.delete", item_id=ids[number % len(ids)])

    def do_wait(self, number: int) -> None:
        self.driver.advance((0.1, 0.5, 1.0, 3.5, 16.0, 31.0, 100.0, 700.0)[number])

    def do_modality(self, number: int) -> None:
        self.driver.client("session.update", session={"output_modalities": [("audio", "text")[number % 2]]})

    def do_interrupt(self, number: int) -> None:
        patch = {
            "type": "server_vad",
            "interrupt_response": bool(number % 2),
            "silence_duration_ms": 500 if number < 6 else 700,  # now and then for a new detector, too
        }
        self.driver.client("session.update", session={"audio": {"input": {"turn_detection": patch}}})

    # What must hold

    @property
    def live(self) -> Generating | None:
        assistant = self.driver.session.assistant
        return assistant if isinstance(assistant, Generating) else None

    @property
    def interrupts(self) -> bool:
        detection: Any = self.driver.session.config.audio.input.turn_detection
        return bool(detection.interrupt_response)

    @property
    def asides(self) -> set[str]:
        shown = [event["response"] for event in self.driver.of_type("response.created")]
        return {r["id"] for r in shown if r["conversation_id"] is None} - set(self.ended)

    def check(self) -> None:
        fresh = self.driver.sent[self.checked_events :]
        self.checked_events = len(self.driver.sent)
        for event in fresh:
            self.check_event(event)
        kinds = [event["type"] for event in fresh]
        cancelled = [
            index
            for index, event in enumerate(fresh)
            if event["type"] == "response.done"
            and (event["response"]["status_details"] or {}).get("reason") == "turn_detected"
        ]
        for index in cancelled:
            assert "input_audio_buffer.speech_started" in kinds[:index], "cancelled before speech was told"
        for effect in self.driver.effects[self.checked_effects :]:
            self.check_effect(effect)
        self.checked_effects = len(self.driver.effects)
        assert self.order == [item.id for item in self.driver.session.conversation]
        for item in self.driver.session.conversation:
            if isinstance(item, AssistantItem):
                assert item.text.startswith(item.heard_text)
        running = set(self.created) - set(self.ended)
        told = {self.live.response.id} if self.live else set()
        assert running == told | self.asides, "what runs is what was announced"
        assert len(running - self.asides) <= 1
        if not self.live and self.unanswered_since is not None:
            assert len(self.driver.requests) > self.unanswered_since, "a turn was forgotten"
            self.unanswered_since = None

    def check_event(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        assert not kind.startswith("parlour."), "an event of Parlour's own without being asked"
        response_id = event.get("response_id")
        if response_id is not None:
            assert response_id in self.created, "an event before response.created"
            assert response_id not in self.ended, "an event after response.done"
        if kind == "response.created":
            self.created.append(event["response"]["id"])
        elif kind == "response.done":
            response_id = event["response"]["id"]
            assert response_id not in self.ended, "a response ended twice"
            self.ended[response_id] = event["response"]["status"]
        elif kind in ("response.output_audio_transcript.delta", "response.output_text.delta"):
            self.texts[event["item_id"]] = self.texts.get(event["item_id"], "") + event["delta"]
        elif kind in ("response.output_audio_transcript.done", "response.output_text.done"):
            said = event.get("transcript", event.get("text"))
            assert said == self.texts.get(event["item_id"], ""), "deltas do not make the whole"
        elif kind == "conversation.item.added":
            previous = event["previous_item_id"]
            place = self.order.index(previous) + 1 if previous is not None else 0
            self.order.insert(place, event["item"]["id"])
        elif kind == "conversation.item.deleted":
            self.order.remove(event["item_id"])
        elif kind == "input_audio_buffer.speech_started":
            self.check_heard()

    def check_heard(self) -> None:
        """After a barge-in no history holds more than the clock allows to have been heard."""
        if not self.interrupts:
            return
        for item in self.driver.session.conversation:
            first = self.first_played_at.get(item.id)
            if isinstance(item, AssistantItem) and first is not None:
                heard = item.audio_ms if item.heard_ms is None else item.heard_ms
                can_have_heard = (self.driver.now - first) * 1000.0 + 1e-6
                truncations = self.driver.of_type("conversation.item.truncated")
                told = self.reported | {event["item_id"] for event in truncations}
                assert item.id in told or heard <= can_have_heard, "history holds what was not heard"

    def check_effect(self, effect: Effect) -> None:
        if isinstance(effect, do.Play):
            self.first_played_at.setdefault(effect.item_id, self.driver.now)

    def settle(self) -> None:
        """All limits pass: everything that began has ended, and was stopped where it had to be."""
        self.driver.advance(5_000)
        self.check()
        assert isinstance(self.driver.session.assistant, Idle)
        assert set(self.created) == set(self.ended), "a response never ended"
        stopped = {effect.response_id for effect in self.driver.performed(do.StopGenerating)}
        assert set(self.created) <= stopped | self.ended_by_agent, "the agent works on for nobody"


def run(steps: list[Step], session_class: type[Session] = Session) -> None:
    world = World(session_class)
    for step in steps:
        world.perform(step)
    world.settle()


@given(STEPS)
@settings(max_examples=400)
def test_whatever_happens_every_promise_of_the_session_holds(steps: list[Step]) -> None:
    run(steps)


# Planted bugs -----------------------------------------------------------------------------


class ForgetsTheWaitingTurn(Session):
    def _ended_by(self, active: Generating, ladder: list[Effect], now: float) -> list[Effect]:
        active.turn_waits = False
        return super()._ended_by(active, ladder, now)


class CancelForgetsTheWaitingTurn(Session):
    def _cancel_by_client(self, response_id: str | None, now: float) -> list[Effect]:
        if isinstance(self.assistant, Generating):
            self.assistant.turn_waits = False
        return super()._cancel_by_client(response_id, now)


class GoesOnAfterCancel(Session):
    def _cancel(self, active: Generating, reason: Any, now: float) -> list[Effect]:
        return []


class TakesLateEvents(Session):
    def _find_active(self, response_id: str) -> Generating | None:
        return super()._find_active(response_id) or (
            self.assistant if isinstance(self.assistant, Generating) else None
        )


class LetsTheAgentWorkOn(Session):
    def _silence(self, now: float, reason: Any = None) -> list[Effect]:
        effects = super()._silence(now, reason)
        return [effect for effect in effects if not isinstance(effect, do.StopGenerating)]


class BelievesAllWasHeard(Session):
    def _silence(self, now: float, reason: Any = None) -> list[Effect]:
        heard = {id(item): item.heard_ms for item in self.conversation if isinstance(item, AssistantItem)}
        effects = super()._silence(now, reason)
        for item in self.conversation:
            if isinstance(item, AssistantItem):
                item.heard_ms = heard.get(id(item))
        return effects


class CancelsBeforeTellingOfSpeech(Session):
    def _speech_started(self, signal: SpeechStarted, now: float) -> list[Effect]:
        effects = super()._speech_started(signal, now)
        told = [e for e in effects if isinstance(e, Send) and isinstance(e.event, InputSpeechStarted)]
        return [effect for effect in effects if effect not in told] + told


class NeverGivesUpOnTheAgent(Session):
    def wake(self, now: float) -> list[Effect]:
        for active in self._active():
            active.heard_from_at, active.started_at = now, now
        return super().wake(now)


class NeverGivesUpOnAsides(Session):
    def _active(self) -> list[Generating]:
        return [active for active in super()._active() if not active.response.is_out_of_band]


class AllowsTwoAnswers(Session):
    def _create_response(self, patch: dict[str, Any] | None, now: float) -> list[Effect]:
        self.assistant = Idle(now) if not patch else self.assistant
        return super()._create_response(patch, now)


class PutsAsidesIntoTheConversation(Session):
    def _start_response(self, patch: dict[str, Any], view: Any, now: float) -> list[Effect]:
        effects = super()._start_response(patch, view, now)
        for active in self._out_of_band.values():
            active.response._conversation = self.conversation
        return effects


class TurnsWaitForNobody(Session):
    def _answer_turn(self, now: float) -> list[Effect]:
        return [] if isinstance(self.assistant, Generating) else super()._answer_turn(now)


class LosesTheLastDelta(Response):
    def _write(self, text: str) -> list[Effect]:
        return super()._write(text)[:-1] if text.startswith("word7") else super()._write(text)


MUTANTS: list[type[Session]] = [
    ForgetsTheWaitingTurn,
    CancelForgetsTheWaitingTurn,
    GoesOnAfterCancel,
    TakesLateEvents,
    LetsTheAgentWorkOn,
    BelievesAllWasHeard,
    CancelsBeforeTellingOfSpeech,
    NeverGivesUpOnTheAgent,
    NeverGivesUpOnAsides,
    AllowsTwoAnswers,
    PutsAsidesIntoTheConversation,
    TurnsWaitForNobody,
]


def survives(check: Callable[[list[Step]], None]) -> bool:
    @given(STEPS)
    @settings(
        max_examples=400,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=[p for p in settings.default.phases if p.name == "generate"],
    )
    def attempt(steps: list[Step]) -> None:
        check(steps)

    try:
        attempt()
    except Exception:  # noqa: BLE001 - however it dies, it is dead
        return False
    return True


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_planted_bug_dies(mutant: type[Session]) -> None:
    assert not survives(lambda steps: run(steps, mutant))


def test_a_lost_delta_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.protocol.session.Response", LosesTheLastDelta)
    assert not survives(run)
