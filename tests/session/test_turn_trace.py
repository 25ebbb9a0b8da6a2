"""One record per turn, its times counted from the user's end of speech."""

import pytest

from agent.api import (
    AgentRequest,
    AudioDelta,
    AudioPart,
    GenerationDone,
    GenerationFailed,
    StageDone,
    TextDelta,
    TextPart,
    Usage,
    UserMessage,
)
from realtime.audio.endpointer import Endpointing
from realtime.protocol.effects import Generate, Send
from realtime.protocol.events import OutputItemAdded, PlaybackReport
from realtime.protocol.inputs import FromAgent, SpeechStarted, SpeechStopped
from realtime.session.turn_trace import TurnTrace
from tests.protocol.driver import Driver

PAD_MS = Endpointing().pad_ms
GENERATE = Generate(AgentRequest("s", "r1", "", (UserMessage((AudioPart(bytes(3200)),)),)))
TYPED = Generate(AgentRequest("s", "r1", "", (UserMessage((TextPart("Hello"),)),)))


def done_event(status: str = "completed") -> Send:
    """A real response.done of the core, for response r1."""
    driver = Driver()
    driver.client("response.create")
    response = driver.session.state.responses.current.response  # type: ignore[union-attr]
    response.id = "r1"
    response.feed(TextDelta("x"))
    effects = response.finish(GenerationDone()) if status == "completed" else response.cancel("turn_detected")
    return effects[-1]  # type: ignore[return-value]


def item_event() -> Send:
    """The real response.output_item.added of the item that done_event is about."""
    driver = Driver()
    driver.client("response.create")
    response = driver.session.state.responses.current.response  # type: ignore[union-attr]
    response.id = "r1"
    [added] = [one for one in response.feed(TextDelta("x")) if is_item_added(one)]
    return added  # type: ignore[return-value]


def is_item_added(effect: object) -> bool:
    return isinstance(effect, Send) and isinstance(effect.event, OutputItemAdded)


def spoken(trace: TurnTrace) -> None:
    """1,000 ms of speech, 600 ms of silence."""
    trace.observe(SpeechStarted(0), [], 10.0, 100)
    trace.observe(SpeechStopped(1000 + PAD_MS), [GENERATE], 11.6, 1600)


def test_times_count_from_the_end_of_speech_by_the_audios_clock() -> None:
    trace = TurnTrace()
    spoken(trace)
    trace.observe(FromAgent("r1", StageDone("recognition", 70.0)), [], 11.65, 1600)
    trace.observe(FromAgent("r1", TextDelta("x")), [], 11.7, 1600)
    trace.observe(FromAgent("r1", AudioDelta(bytes(4800), 1)), [], 11.9, 1600)
    done = GenerationDone(usage=Usage(10, 5, 4, 3, 2))
    (record,) = trace.observe(FromAgent("r1", done), [done_event()], 12.0, 1600)
    assert record.decision_ms == pytest.approx(600)
    assert record.first_token_ms == pytest.approx(700)
    assert record.first_audio_ms == pytest.approx(900)
    assert record.done_ms == pytest.approx(1000)
    assert record.stages == {"recognition": 70.0}
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == (15, 4, 5)
    assert record.outcome == "completed"
    assert record.output_audio_ms == pytest.approx(100)


def test_the_first_heard_sample_is_told_once_when_the_listener_reports_it() -> None:
    trace = TurnTrace()
    spoken(trace)
    trace.observe(FromAgent("r1", TextDelta("x")), [], 11.7, 1600)
    trace.observe(FromAgent("r1", AudioDelta(bytes(4800), 1)), [], 11.9, 1600)
    (record,) = trace.observe(FromAgent("r1", GenerationDone()), [done_event()], 12.0, 1600)
    assert record.item_id is not None
    report = PlaybackReport(item_id=record.item_id, played_ms=100, underruns=2)
    (again,) = trace.observe(report, [], 12.2, 1600)
    assert again.first_heard_ms == pytest.approx(1100)
    assert again.is_update
    assert again.shown_heard()["underruns"] == 2
    assert again.underruns == 2
    assert trace.observe(report, [], 12.4, 1600) == []


def test_an_answer_that_is_heard_while_it_is_made_is_told_once_with_all_its_times() -> None:
    trace = TurnTrace()
    spoken(trace)
    trace.observe(FromAgent("r1", AudioDelta(bytes(4800), 1)), [item_event()], 11.9, 1600)
    item_id = item_event().event.item.id  # type: ignore[attr-defined]
    assert trace.observe(PlaybackReport(item_id=item_id, played_ms=50, underruns=1), [], 12.0, 1600) == []
    (record,) = trace.observe(FromAgent("r1", GenerationDone()), [done_event()], 13.0, 1600)
    assert (record.first_heard_ms, record.underruns, record.is_update) == (pytest.approx(950), 1, False)
    assert trace.observe(PlaybackReport(item_id=item_id, played_ms=300, underruns=1), [], 13.1, 1600) == []


def test_nothing_is_heard_before_it_is_made() -> None:
    trace = TurnTrace()
    spoken(trace)
    trace.observe(FromAgent("r1", AudioDelta(bytes(4800), 1)), [item_event()], 11.9, 1600)
    item_id = item_event().event.item.id  # type: ignore[attr-defined]
    trace.observe(PlaybackReport(item_id=item_id, played_ms=50, underruns=0), [], 11.93, 1600)
    (record,) = trace.observe(FromAgent("r1", GenerationDone()), [done_event()], 13.0, 1600)
    assert record.first_heard_ms == record.first_audio_ms


def test_a_typed_turn_counts_from_its_request() -> None:
    trace = TurnTrace()
    trace.observe(None, [GENERATE], 50.0, 1600)
    trace.observe(FromAgent("r1", TextDelta("x")), [], 50.2, 1600)
    (record,) = trace.observe(FromAgent("r1", GenerationDone()), [done_event()], 50.5, 1600)
    assert (record.spoken, record.decision_ms) == (False, 0.0)
    assert record.first_token_ms == pytest.approx(200)


def test_a_turn_that_was_cut_off_says_so() -> None:
    trace = TurnTrace()
    spoken(trace)
    (record,) = trace.observe(SpeechStarted(2000), [done_event("cancelled")], 12.0, 1600)
    assert record.outcome == "cancelled"


def test_a_failure_keeps_its_code() -> None:
    trace = TurnTrace()
    spoken(trace)
    failed = FromAgent("r1", GenerationFailed("agent_timeout", "late"))
    (record,) = trace.observe(failed, [done_event()], 12.0, 1600)
    assert record.failure == "agent_timeout"


def test_a_record_holds_numbers_and_ids_and_no_words() -> None:
    trace = TurnTrace()
    spoken(trace)
    trace.observe(FromAgent("r1", TextDelta("secret words")), [], 11.7, 1600)
    (record,) = trace.observe(FromAgent("r1", GenerationDone()), [done_event()], 12.0, 1600)
    assert "secret" not in str(record.shown())


def test_a_typed_turn_does_not_count_from_speech_that_was_never_answered() -> None:
    trace = TurnTrace()
    trace.observe(SpeechStarted(0), [], 10.0, 100)
    trace.observe(SpeechStopped(1000 + PAD_MS), [], 11.6, 1600)  # create_response is off
    trace.observe(object(), [TYPED], 71.0, 1600)
    (record,) = trace.observe(FromAgent("r1", GenerationDone()), [done_event()], 71.5, 1600)
    assert not record.spoken
    assert record.done_ms == pytest.approx(500)
