"""Whether a device is listened to, and what its lights show, over time that is an argument."""

import math

from hypothesis import given
from hypothesis import strategies as st

from realtime.protocol import events as wire
from realtime.transports.mqtt.attention import LATE_S, Attention

FOLLOW_UP_S, REMEMBERED_S = 8.0, 300.0
SPEECH_STARTS = wire.InputSpeechStarted(item_id="item_1", audio_start_ms=0)
SPEECH_STOPS = wire.InputSpeechStopped(item_id="item_1", audio_end_ms=1000)


class _Response:
    """What is looked at of one."""

    id = "resp_1"


BEGINS = wire.ResponseCreated(response=_Response())  # type: ignore[arg-type]
ENDS = wire.ResponseDone(response=_Response())  # type: ignore[arg-type]


def fresh() -> Attention:
    return Attention(FOLLOW_UP_S, REMEMBERED_S, 0.0)


def test_nobody_is_heard_before_the_wake_word() -> None:
    attention = fresh()
    assert not attention.hears
    assert attention.state(0.0) == "idle"
    attention.start(0.0)
    assert attention.hears
    assert attention.state(0.0) == "listening"


def test_the_lights_follow_a_turn() -> None:
    attention = fresh()
    attention.start(0.0)
    shown = []
    for at, event in ((1.0, SPEECH_STARTS), (2.0, SPEECH_STOPS), (2.0, BEGINS)):
        attention.observe(event, at)
        shown.append(attention.state(at))
    attention.sent(1, 1000.0, 3.0)
    shown.append(attention.state(3.0))
    attention.observe(ENDS, 3.1)
    shown += [attention.state(3.9), attention.state(4.0)]
    assert shown == ["hearing", "listening", "thinking", "speaking", "speaking", "listening"]


def test_the_follow_up_window_begins_when_the_answer_has_been_heard() -> None:
    attention = fresh()
    attention.start(0.0)
    attention.sent(1, 5000.0, 1.0)
    assert attention.wake(6.0 + FOLLOW_UP_S - 0.1) is None
    assert attention.wake(6.0 + FOLLOW_UP_S) == "asleep"
    assert not attention.hears


def test_nobody_falls_asleep_while_something_goes_on() -> None:
    attention = fresh()
    attention.start(0.0)
    attention.observe(SPEECH_STARTS, 1.0)
    assert attention.deadline == math.inf
    attention.observe(SPEECH_STOPS, 2.0)
    attention.observe(BEGINS, 2.0)
    assert attention.deadline == math.inf
    attention.observe(ENDS, 60.0)
    assert attention.deadline == 60.0 + FOLLOW_UP_S


def test_a_sleeping_device_is_forgotten_after_its_time() -> None:
    attention = fresh()
    attention.start(0.0)
    assert attention.wake(FOLLOW_UP_S) == "asleep"
    assert attention.wake(FOLLOW_UP_S + REMEMBERED_S - 1) is None
    assert attention.wake(FOLLOW_UP_S + REMEMBERED_S) == "forgotten"


def test_a_button_is_heard_while_it_is_down_and_no_longer() -> None:
    attention = fresh()
    attention.press(0.0)
    assert attention.hears
    assert attention.state(0.0) == "hearing"
    attention.release(1.0)
    assert not attention.hears
    assert attention.state(1.0) == "idle"


def test_a_muted_device_is_not_heard_even_with_the_button_down() -> None:
    attention = fresh()
    attention.is_muted = True
    attention.start(0.0)
    assert not attention.hears
    assert attention.state(0.0) == "idle"
    attention.press(0.0)
    assert not attention.hears


def test_a_loudspeaker_that_is_late_is_waited_for() -> None:
    attention = fresh()
    attention.start(0.0)
    attention.sent(1, 1000.0, 0.0)
    attention.played(1, 100.0, 0.9)
    assert attention.is_speaking(1.7 + LATE_S)
    assert not attention.is_speaking(1.8 + LATE_S)


def test_the_lights_of_a_loudspeaker_that_falls_behind_do_not_flicker() -> None:
    attention = fresh()
    attention.start(0.0)
    attention.sent(1, 1000.0, 0.0)
    shown = set()
    for tenth in range(10):
        now = tenth * 0.15
        attention.played(1, tenth * 100.0, now)
        shown |= {attention.state(now), attention.state(now + 0.149)}
    assert shown == {"speaking"}
    attention.played(1, 1000.0, 1.5)
    assert attention.state(1.5) == "listening", "its word for the end counts at once"


def test_a_loudspeaker_that_repeats_itself_says_nothing_new() -> None:
    attention = fresh()
    attention.start(0.0)
    attention.sent(1, 1000.0, 0.0)
    attention.played(1, 100.0, 0.1)
    attention.played(1, 100.0, 50.0)
    assert not attention.is_speaking(50.0)


def test_silence_ends_the_speaking_at_once() -> None:
    attention = fresh()
    attention.start(0.0)
    attention.sent(1, 9000.0, 0.0)
    attention.silenced(1.0)
    assert attention.state(1.0) == "listening"
    attention.played(1, 1000.0, 1.1)
    assert attention.state(1.1) == "listening"


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["start", "press", "release", "speech", "pause", "begin", "end", "silence"]),
            st.tuples(st.just("sent"), st.integers(1, 3), st.floats(0, 5000)),
            st.tuples(st.just("played"), st.integers(1, 3), st.floats(0, 9000)),
            st.floats(0.0, 400.0),
        ),
        max_size=60,
    )
)
def test_whatever_happens_a_quiet_device_is_forgotten_in_the_end(steps: list[object]) -> None:
    attention, now = fresh(), 0.0
    for step in steps:
        match step:
            case "start":
                attention.start(now)
            case "press":
                attention.press(now)
            case "release":
                attention.release(now)
            case "speech":
                attention.observe(SPEECH_STARTS, now)
            case "pause":
                attention.observe(SPEECH_STOPS, now)
            case "begin":
                attention.observe(BEGINS, now)
            case "end":
                attention.observe(ENDS, now)
            case "silence":
                attention.silenced(now)
            case ("sent", int(answer), float(duration_ms)):
                attention.sent(answer, duration_ms, now)
            case ("played", int(answer), float(played_ms)):
                attention.played(answer, played_ms, now)
            case float(seconds):
                now += seconds
                attention.wake(now)
    # The core ends every speech and every response, and a button goes up.
    attention.release(now)
    attention.observe(SPEECH_STOPS, now)
    attention.observe(ENDS, now)
    became = []
    while "forgotten" not in became:
        assert attention.looks_again_at(now) < math.inf
        now = max(now, attention.deadline)
        became.append(attention.wake(now))
        assert len(became) <= 2
