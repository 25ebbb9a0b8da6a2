"""The session under random schedules: what must hold whatever happens, and planted bugs that it catches.

The generator is biased to events about the live response: that is where the bugs are.
"""

import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.api import AudioDelta, GenerationDone, GenerationFailed, KeepAlive, TextDelta, ToolCall
from realtime.protocol import effects as do
from realtime.protocol.effects import Effect, Send
from realtime.protocol.events import InputSpeechStarted
from realtime.protocol.inputs import SpeechStarted
from realtime.protocol.items import AssistantItem
from realtime.protocol.limits import Limits
from realtime.protocol.parlour_events import ParlourThinking
from realtime.protocol.response import Response
from realtime.protocol.responses import Generating, Idle, Responses
from realtime.protocol.session import Session
from realtime.protocol.state import SessionState
from tests.protocol.driver import Driver

Step = tuple[str, int]
IDLE_MS = 5_000

LIVE = [
    "say",
    "say",
    "speak_over",
    "cancel",
    "finish",
    "fail",
    "late",
    "tool",
    "tool_output",
    "keep_alive",
    "report",
    "truncate",
]
OTHER = [
    "turn",
    "talk_across",
    "type",
    "create",
    "dictate",
    "aside",
    "aside_says",
    "aside_says",
    "aside_done",
    "aside_across",
    "aside_cancel",
    "clear",
    "stop_speech",
    "wait",
    "modality",
    "interrupt",
    "patience",
    "silence",
    "delete",
    "want_thinking",
]
STEPS = st.lists(st.tuples(st.sampled_from(LIVE * 2 + OTHER), st.integers(0, 7)), min_size=12, max_size=40)


class World:
    """Performs steps on a session and checks, after each, what must always hold."""

    def __init__(self) -> None:
        self.driver = Driver(limits=Limits(session_s=1e6))
        self.ended: dict[str, str] = {}
        self.created: list[str] = []
        self.ended_by_agent: set[str] = set()
        self.wanted_thinking = False
        self.begun: set[str] = set()
        self.checked_events = 0
        self.checked_effects = 0
        self.texts: dict[str, str] = {}
        self.order: list[str] = []
        self.played_ms: dict[str, float] = {}
        self.first_played_at: dict[str, float] = {}
        self.given_ms: dict[str, float] = {}  # response -> sound that the agent made for it
        self.voices: list[str] = []  # responses in the order in which they were heard
        self.silenced: set[str] = set()
        self.spoken: set[str] = set()
        self.playing_since: dict[str, float] = {}  # response -> when its first sound was sent
        self.unanswered_since: int | None = None
        self.must_stop: set[str] = set()
        self.left: set[str] = set()
        self.plays_until = 0.0
        self.acted_at = 0.0  # when the user did something last, or a tool gave something back
        self.has_asked = self.asking = False
        self.kinds: dict[str, str] = {}  # of the items
        self.awaits_answer = False
        self.called_at: dict[str, float] = {}
        self.calls: dict[str, str] = {}  # items -> their call ids
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
        self.must_stop = self.still_heard_asides()
        kinds = [event["type"] for event in self.driver.begin_speech()]
        if self.interrupts and "input_audio_buffer.speech_started" in kinds:
            self.check_stopped()

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

    def do_aside_says(self, number: int) -> None:
        for response_id in self.asides_in_order[number % 2 :][:1]:
            self.driver.agent_says(TextDelta("aside"), response_id)
            self.speak(response_id, number, 0)

    def do_aside_across(self, number: int) -> None:
        """Another answer speaks, and one beside the conversation has sound too."""
        self.do_create(0)
        self.do_say(number)
        self.do_aside(0)
        self.do_aside_says(number)
        if number > 4:
            self.do_finish(0)
            self.do_aside_done(0)

    def do_aside_done(self, number: int) -> None:
        for response_id in self.asides_in_order[:1]:
            self.ended_by_agent.add(response_id)
            self.driver.agent_says(TextDelta("aside"), response_id)
            self.driver.agent_says(GenerationDone(), response_id)

    def do_aside_cancel(self, number: int) -> None:
        for response_id in self.asides_in_order[number % 2 :][:1]:
            told = self.driver.client("response.cancel", response_id=response_id)
            assert response_id in {e["response"]["id"] for e in told if e["type"] == "response.done"}

    def do_clear(self, _: int) -> None:
        self.silenced |= {one for one in self.voices if one not in self.ended}
        self.must_stop = self.still_heard_asides()
        self.driver.client("output_audio_buffer.clear")
        self.check_stopped()

    def do_say(self, number: int) -> None:
        if self.live:
            message = self.live.response.message
            text_end = len(message.text) if message else 0
            word = f"word{number} "
            self.driver.agent_says(TextDelta(word), self.live.response.id)
            self.speak(self.live.response.id, number, text_end + len(word))

    def speak(self, response_id: str, number: int, text_end: int) -> None:
        if response_id in self.ended_by_agent:
            return  # an answer that waits to speak may have been ended and not be over
        self.given_ms[response_id] = self.given_ms.get(response_id, 0.0) + 100.0 * (number + 1)
        self.driver.agent_says(AudioDelta(bytes(4800 * (number + 1)), text_end), response_id)

    def do_keep_alive(self, _: int) -> None:
        if self.live:
            told = self.driver.agent_says(KeepAlive(), self.live.response.id)
            assert all(event["type"] == "parlour.thinking" for event in told)

    def do_want_thinking(self, _: int) -> None:
        self.driver.client("session.update", session={"parlour": {"thinking": True}})
        self.wanted_thinking = True

    def do_tool(self, number: int) -> None:
        if self.live:
            self.driver.agent_says(ToolCall(f"call_{number}", "f", '{"a": 1}'), self.live.response.id)

    def do_tool_output(self, number: int) -> None:
        item = {"type": "function_call_output", "call_id": f"call_{number}", "output": "21"}
        told = self.driver.client("conversation.item.create", item=item)
        if told[0]["type"] == "conversation.item.added":
            self.called_at.pop(f"call_{number}", None)
            self.acted_at = self.driver.now

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
            if self.live.response.id in self.voices:  # its listener has left what came before
                self.left |= set(self.voices[: self.voices.index(self.live.response.id)])
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
        self.wait((0.1, 0.5, 1.0, 3.5, 16.0, 31.0, 100.0, 700.0)[number])

    def wait(self, seconds: float) -> None:
        self.check()
        until = self.driver.now + seconds
        while (deadline := self.driver.session.deadline) < until:
            self.driver.advance(max(0.0, deadline - self.driver.now))
            self.check()  # what happens at a deadline happens then
        self.driver.advance(until - self.driver.now)

    def do_modality(self, number: int) -> None:
        self.driver.client("session.update", session={"output_modalities": [("audio", "text")[number % 2]]})

    def do_interrupt(self, number: int) -> None:
        patch = {
            "type": "server_vad",
            "interrupt_response": bool(number % 2),
            "silence_duration_ms": 500 if number < 6 else 700,  # now and then for a new detector, too
        }
        self.driver.client("session.update", session={"audio": {"input": {"turn_detection": patch}}})

    def do_patience(self, number: int) -> None:
        patch = {"type": "server_vad", "idle_timeout_ms": (None, IDLE_MS)[number % 2]}
        self.driver.client("session.update", session={"audio": {"input": {"turn_detection": patch}}})

    def do_silence(self, number: int) -> None:
        """An answer, and then nothing, or a line that waits for its answer."""
        self.do_patience(1)
        self.do_create(0)
        self.do_say(number)
        self.do_finish(0)
        if number % 2:
            self.do_type(0)
        self.wait(IDLE_MS / 1000 + 0.1)

    # What must hold

    @property
    def live(self) -> Generating | None:
        return self.driver.session.state.responses.current

    @property
    def interrupts(self) -> bool:
        detection: Any = self.driver.session.config.audio.input.turn_detection
        return bool(detection.interrupt_response)

    @property
    def asides(self) -> set[str]:
        shown = [event["response"] for event in self.driver.of_type("response.created")]
        return {r["id"] for r in shown if r["conversation_id"] is None} - set(self.ended)

    @property
    def asides_in_order(self) -> list[str]:
        return [one.response_id for one in self.driver.requests if one.response_id in self.asides]

    def still_heard_asides(self) -> set[str]:
        """Out-of-band answers of which not all can have been heard by now."""
        beside = {
            event["response"]["id"]
            for event in self.driver.of_type("response.created")
            if event["response"]["conversation_id"] is None
        }
        heard_until = {one: at + self.played_ms[one] / 1000.0 for one, at in self.playing_since.items()}
        heard_on = {one for one, until in heard_until.items() if until > self.driver.now + 1e-6}
        return heard_on & beside - self.left

    def check_stopped(self) -> None:
        stopped = {effect.response_id for effect in self.driver.performed(do.StopPlayback)}
        assert self.must_stop <= stopped, "an answer beside the conversation is heard on"

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
        for response_id, status in self.ended.items():
            if (
                status == "completed"
                and response_id not in self.silenced
                and response_id in self.playing_since
            ):
                assert self.played_ms[response_id] == pytest.approx(self.given_ms[response_id]), (
                    "sound is lost"
                )
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
        if kind == "parlour.thinking":
            assert self.wanted_thinking, "an event of Parlour's own without being asked"
            assert event["response_id"] not in self.begun, "it thinks, and had spoken or thought before"
            self.begun.add(event["response_id"])
        else:
            assert not kind.startswith("parlour."), "an event of Parlour's own without being asked"
        if kind == "response.output_item.added":
            self.begun.add(event["response_id"])
        response_id = event.get("response_id")
        if response_id is not None:
            assert response_id in self.created, "an event before response.created"
            assert response_id not in self.ended, "an event after response.done"
        if kind == "response.created":
            self.created.append(event["response"]["id"])
            if event["response"]["output_modalities"] == ["audio"]:
                self.spoken.add(event["response"]["id"])
                if event["response"]["conversation_id"] is None:
                    self.awaits_answer = False
            if event["response"]["conversation_id"] is not None:
                self.awaits_answer = False
                self.has_asked = self.asking or (self.has_asked and self.continues_turn)
                self.asking = False
        elif kind == "response.done":
            response_id = event["response"]["id"]
            assert response_id not in self.ended, "a response ended twice"
            self.ended[response_id] = event["response"]["status"]
        elif kind in ("response.output_audio_transcript.delta", "response.output_text.delta"):
            self.texts[event["item_id"]] = self.texts.get(event["item_id"], "") + event["delta"]
        elif kind in ("response.output_audio_transcript.done", "response.output_text.done"):
            said = event.get("transcript", event.get("text"))
            assert said == self.texts.get(event["item_id"], ""), "deltas do not make the whole"
        elif kind == "response.function_call_arguments.done":
            self.called_at[event["call_id"]] = self.driver.now
            self.calls[event["item_id"]] = event["call_id"]
        elif kind == "input_audio_buffer.timeout_triggered":
            self.check_asked()
        elif kind == "conversation.item.added":
            self.kinds[event["item"]["id"]] = event["item"]["type"]
            if event["item"].get("role") == "user" and not self.asking:
                self.acted_at, self.has_asked, self.awaits_answer = self.driver.now, False, True
            previous = event["previous_item_id"]
            place = self.order.index(previous) + 1 if previous is not None else 0
            self.order.insert(place, event["item"]["id"])
        elif kind == "conversation.item.deleted":
            self.order.remove(event["item_id"])
            self.called_at.pop(self.calls.get(event["item_id"], ""), None)
        elif kind == "input_audio_buffer.speech_started":
            self.check_heard()
            if self.interrupts:
                self.silenced |= set(self.created) - set(self.ended)

    @property
    def continues_turn(self) -> bool:
        return bool(self.order) and self.kinds[self.order[-1]] == "function_call_output"

    def check_asked(self) -> None:
        """Nobody is asked whether they are there who acts, hears, waits, or was asked before."""
        now = self.driver.now + 1e-6
        assert not self.has_asked, "asked twice"
        assert not self.awaits_answer, "asked while it is the assistant's turn"
        running = (set(self.created) - set(self.ended)) & self.spoken
        assert not running, "asked while an answer is made"
        assert self.driver.session.state.input_buffer.utterance is None, "asked while they speak"
        assert now >= self.acted_at + IDLE_MS / 1000, "asked too early"
        assert now >= self.plays_until + IDLE_MS / 1000, "asked while an answer is heard"
        tool_s = self.driver.limits.tool_s
        assert all(now >= called_at + tool_s for called_at in self.called_at.values()), (
            "asked while a tool runs"
        )
        self.asking = self.has_asked = True

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
        if isinstance(effect, do.StopPlayback):
            self.plays_until = min(self.plays_until, self.driver.now)
        if isinstance(effect, do.Play):
            self.first_played_at.setdefault(effect.item_id, self.driver.now)
            self.plays_until = max(self.plays_until, self.driver.now) + len(effect.pcm) / 48_000
            response_id = effect.response_id
            assert response_id not in self.silenced, "a silenced answer is heard"
            self.playing_since.setdefault(response_id, self.driver.now)
            self.played_ms[response_id] = self.played_ms.get(response_id, 0.0) + len(effect.pcm) / 48
            if not self.voices or self.voices[-1] != response_id:
                assert response_id not in self.voices, "an answer is heard in two pieces"
                assert set(self.voices) <= set(self.ended) | self.silenced, "two voices at once"
                self.voices.append(response_id)

    def settle(self) -> None:
        """All limits pass: everything that began has ended, and was stopped where it had to be."""
        self.wait(5_000)
        self.check()
        assert self.driver.session.state.responses.current is None
        assert set(self.created) == set(self.ended), "a response never ended"
        stopped = {effect.response_id for effect in self.driver.performed(do.StopGenerating)}
        assert set(self.created) <= stopped | self.ended_by_agent, "the agent works on for nobody"


def run(steps: list[Step]) -> None:
    world = World()
    for step in steps:
        world.perform(step)
    world.settle()


@given(STEPS)
@settings(max_examples=400)
def test_whatever_happens_every_promise_of_the_session_holds(steps: list[Step]) -> None:
    run(steps)


# Planted bugs -----------------------------------------------------------------------------


class Bug(NamedTuple):
    """make: what is at that place of realtime.protocol -> what a bug would make of it."""

    place: str
    make: Callable[[Any], Any]


def forgets_the_waiting_turn(_: Any) -> Any:
    return lambda state, now: []


def cancel_forgets_the_waiting_turn(original: Any) -> Any:
    def cancel(session: Session, response_id: str | None, now: float) -> list[Effect]:
        session.state.turn_waits = False
        effects: list[Effect] = original(session, response_id, now)
        return effects

    return cancel


def goes_on_after_cancel(_: Any) -> Any:
    return lambda responses, generating, reason, now: []


def takes_late_events(original: Any) -> Any:
    return lambda responses, response_id: original(responses, response_id) or responses.current


def lets_the_agent_work_on(original: Any) -> Any:
    def interrupt(state: SessionState, detection: Any, now: float) -> list[Effect]:
        return [one for one in original(state, detection, now) if not isinstance(one, do.StopGenerating)]

    return interrupt


def believes_all_was_heard(original: Any) -> Any:
    def interrupt(state: SessionState, detection: Any, now: float) -> list[Effect]:
        answers = [item for item in state.conversation if isinstance(item, AssistantItem)]
        heard_ms = [item.heard_ms for item in answers]
        effects: list[Effect] = original(state, detection, now)
        for item, before in zip(answers, heard_ms, strict=True):
            item.heard_ms = before
        return effects

    return interrupt


def cancels_before_speech_is_announced(original: Any) -> Any:
    def speech_started(state: SessionState, signal: SpeechStarted, now: float) -> list[Effect]:
        effects = original(state, signal, now)
        announced = [e for e in effects if isinstance(e, Send) and isinstance(e.event, InputSpeechStarted)]
        return [effect for effect in effects if effect not in announced] + announced

    return speech_started


def waits_for_the_agent_for_ever(original: Any) -> Any:
    def fail_overdue(responses: Responses, now: float) -> list[Effect]:
        for generating in responses.in_progress():
            generating.last_event_at, generating.started_at = now, now
        effects: list[Effect] = original(responses, now)
        return effects

    return fail_overdue


def waits_for_asides_for_ever(original: Any) -> Any:
    return lambda responses: [one for one in original(responses) if not one.response.is_out_of_band]


def allows_two_answers(original: Any) -> Any:
    def create_response(state: SessionState, patch: dict[str, Any] | None, now: float) -> list[Effect]:
        if not patch:
            state.responses.state = Idle(now)
        effects: list[Effect] = original(state, patch, now)
        return effects

    return create_response


def puts_asides_into_the_conversation(original: Any) -> Any:
    def begin(responses: Responses, *args: Any, **named: Any) -> list[Effect]:
        effects: list[Effect] = original(responses, *args, **named)
        for generating in responses.in_progress():
            generating.response._conversation = responses._conversation
        return effects

    return begin


def turns_wait_for_nobody(original: Any) -> Any:
    return lambda state, now: [] if state.responses.current else original(state, now)


def loses_the_last_delta(original: Any) -> Any:
    def write(response: Response, text: str) -> list[Effect]:
        effects: list[Effect] = original(response, text)
        return effects[:-1] if text.startswith("word7") else effects

    return write


def thinks_in_mid_sentence(_: Any) -> Any:
    return lambda response: [Send(ParlourThinking(response_id=response.id))] if response.message else []


def speaks_across_others(_: Any) -> Any:
    return lambda order, response_id: True


def keeps_the_voice_for_ever(_: Any) -> Any:
    return lambda order, response_id: None


def forgets_who_waits_to_speak(_: Any) -> Any:
    return lambda responses, now: []


def loses_the_sound_that_waited(original: Any) -> Any:
    def release(responses: Responses, generating: Generating, now: float) -> list[Effect]:
        del generating.held[:1]
        effects: list[Effect] = original(responses, generating, now)
        return effects

    return release


def speaks_on_after_silence(_: Any) -> Any:
    return lambda responses, silenced: None


def does_not_count_asides_as_heard(original: Any) -> Any:
    def take(responses: Responses, generating: Generating, event: Any, now: float) -> list[Effect]:
        playback = responses._heard.playback
        before = list(playback._playouts)
        effects: list[Effect] = original(responses, generating, event, now)
        if generating.response.is_out_of_band:
            playback._playouts = before
        return effects

    return take


def asks_while_a_tool_runs(original: Any) -> Any:
    def note_call(responses: Responses, call_id: str, now: float) -> None:
        return None

    return note_call


def asks_again_and_again(original: Any) -> Any:
    def ask(state: SessionState, now: float) -> list[Effect]:
        effects: list[Effect] = original(state, now)
        state.idle.has_asked = False
        return effects

    return ask


def takes_a_line_for_silence(_: Any) -> Any:
    return lambda state, item, now: None


def does_not_wait_for_what_is_heard(original: Any) -> Any:
    def due_at(state: SessionState) -> float | None:
        playouts, state.heard.playback._playouts = state.heard.playback._playouts, []
        due: float | None = original(state)
        state.heard.playback._playouts = playouts
        return due

    return due_at


BUGS = [
    Bug("responses.Responses._note_call", asks_while_a_tool_runs),
    Bug("idle_timeout.ask", asks_again_and_again),
    Bug("idle_timeout.item_added", takes_a_line_for_silence),
    Bug("idle_timeout.due_at", does_not_wait_for_what_is_heard),
    Bug("speaking_order.SpeakingOrder.join", speaks_across_others),
    Bug("speaking_order.SpeakingOrder.leave", keeps_the_voice_for_ever),
    Bug("responses.Responses.go_on", forgets_who_waits_to_speak),
    Bug("responses.Responses._release", loses_the_sound_that_waited),
    Bug("responses.Responses.silence", speaks_on_after_silence),
    Bug("responses.Responses._take", does_not_count_asides_as_heard),
    Bug("turn_taking.answer_waiting_turn", forgets_the_waiting_turn),
    Bug("session.Session._cancel", cancel_forgets_the_waiting_turn),
    Bug("responses.Responses.cancel", goes_on_after_cancel),
    Bug("responses.Responses.find", takes_late_events),
    Bug("barge_in.interrupt", lets_the_agent_work_on),
    Bug("barge_in.interrupt", believes_all_was_heard),
    Bug("turn_taking.speech_started", cancels_before_speech_is_announced),
    Bug("responses.Responses.fail_overdue", waits_for_the_agent_for_ever),
    Bug("responses.Responses.in_progress", waits_for_asides_for_ever),
    Bug("turn_taking.create_response", allows_two_answers),
    Bug("responses.Responses.begin", puts_asides_into_the_conversation),
    Bug("turn_taking.answer_turn", turns_wait_for_nobody),
    Bug("response.Response._text_delta", loses_the_last_delta),
    Bug("response.Response._thinking", thinks_in_mid_sentence),
]


def survives() -> bool:
    @given(STEPS)
    @settings(
        max_examples=800,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=[p for p in settings.default.phases if p.name == "generate"],
    )
    def attempt(steps: list[Step]) -> None:
        run(steps)

    try:
        attempt()
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.make.__name__)
def test_a_planted_bug_dies(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"realtime.protocol.{bug.place}"
    monkeypatch.setattr(place, bug.make(pkgutil.resolve_name(place)))
    assert not survives()


def test_without_a_planted_bug_all_survive() -> None:
    assert survives()
