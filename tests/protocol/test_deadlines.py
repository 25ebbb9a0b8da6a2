"""Every state ends: an agent that hangs, a user who falls silent, a session whose time is up."""

from agent.api import KeepAlive, StageDone, TextDelta
from realtime.protocol import effects as do
from realtime.protocol.limits import Limits
from tests.protocol.driver import Driver, types


def test_an_agent_that_never_begins_fails_the_response_at_its_deadline() -> None:
    driver = Driver(limits=Limits(first_event_s=30))
    driver.client("response.create")
    assert driver.advance(29.9) == []
    told = driver.advance(0.2)
    assert types(told) == ["response.done"]
    assert told[0]["response"]["status_details"]["error"]["code"] == "agent_timeout"
    assert driver.performed(do.StopGenerating) == [do.StopGenerating(driver.request.response_id)]
    assert driver.session.state.responses.current is None


def test_an_agent_that_stalls_in_mid_answer_fails_it_at_its_deadline() -> None:
    driver = Driver(limits=Limits(next_event_s=15))
    driver.client("response.create")
    driver.advance(20)
    driver.agent_says(TextDelta("Well"))
    assert driver.advance(14.9) == []
    assert driver.advance(0.2)[-1]["response"]["status"] == "failed"


def test_an_answer_that_never_stops_is_stopped() -> None:
    driver = Driver(limits=Limits(response_s=100, next_event_s=15))
    driver.client("response.create")
    for _ in range(9):
        driver.agent_says(TextDelta("and "))
        driver.advance(10)
    assert driver.of_type("response.done") == []
    driver.agent_says(TextDelta("and "))
    driver.advance(11)
    assert len(driver.of_type("response.done")) == 1


def test_an_out_of_band_response_has_a_deadline_too() -> None:
    driver = Driver()
    driver.client("response.create", response={"conversation": "none"})
    assert driver.advance(31)[-1]["response"]["status"] == "failed"


def test_a_turn_that_waits_is_answered_after_a_timeout() -> None:
    driver = Driver()
    quiet = {"type": "server_vad", "interrupt_response": False}
    driver.client("session.update", session={"audio": {"input": {"turn_detection": quiet}}})
    driver.speak()
    driver.speak()
    driver.advance(31)
    assert len(driver.requests) == 2


def test_audio_that_stops_in_mid_utterance_ends_it() -> None:
    driver = Driver(limits=Limits(input_stall_s=3))
    driver.begin_speech()
    driver.advance(2.9)
    assert driver.performed(do.FlushTurnDetector) == []
    driver.advance(0.2)
    assert len(driver.performed(do.FlushTurnDetector)) == 1


def test_a_server_that_stood_still_does_not_take_that_for_silence_of_the_user() -> None:
    driver = Driver(limits=Limits(input_stall_s=3))
    driver.begin_speech()
    driver.now += 5.0
    assert driver.session.wake(driver.now) == [], "what was said meanwhile may not have been read"
    assert driver.session.deadline == driver.now + 3.0
    driver.advance(3.1)
    assert len(driver.performed(do.FlushTurnDetector)) == 1


def test_the_session_ends_when_its_time_is_up_and_says_so() -> None:
    driver = Driver(limits=Limits(session_s=600, response_s=2000, next_event_s=2000, first_event_s=2000))
    driver.client("response.create")
    told = driver.advance(601)
    assert told[-1]["error"]["code"] == "session_expired"
    assert driver.effects[-1] == do.Close(1000, "session expired")
    assert do.StopGenerating(driver.request.response_id) in driver.effects
    assert driver.write("anyone?") == []


def test_a_silent_user_is_asked_once_whether_they_are_there() -> None:
    driver = Driver()
    patient = {"type": "server_vad", "idle_timeout_ms": 6000}
    driver.client("session.update", session={"audio": {"input": {"turn_detection": patient}}})
    assert driver.advance(60) == []  # nothing was said yet: nobody to miss
    driver.speak()
    driver.say("How can I help?", 2.0)
    driver.finish()
    assert driver.advance(7.9) == []  # the answer lasts 2 s, then 6 s
    told = driver.advance(0.2)
    assert types(told)[0] == "input_audio_buffer.timeout_triggered"
    assert "silent" in driver.request.instructions
    driver.say("Still there?", 1.0)
    driver.finish()
    assert driver.advance(60) == []
    driver.speak()
    driver.finish()
    assert types(driver.advance(7))[0] == "input_audio_buffer.timeout_triggered"


def test_there_is_a_deadline_in_every_state() -> None:
    driver = Driver()
    limits = Limits()
    assert driver.session.deadline <= driver.now + limits.session_s
    driver.begin_speech()
    assert driver.session.deadline <= driver.now + limits.input_stall_s
    driver.end_speech()
    assert driver.session.deadline <= driver.now + limits.first_event_s
    driver.agent_says(TextDelta("x"))
    assert driver.session.deadline <= driver.now + limits.next_event_s


def test_a_stage_on_the_way_is_not_yet_the_first_event() -> None:
    driver = Driver(limits=Limits(first_event_s=30, next_event_s=15))
    driver.client("response.create")
    driver.advance(1)
    driver.agent_says(StageDone("recognition", 100.0))
    assert driver.advance(20) == []
    assert driver.advance(10)[-1]["response"]["status"] == "failed"


def test_signs_of_life_let_an_answer_wait_for_its_first_word() -> None:
    driver = Driver(limits=Limits(first_event_s=30, next_event_s=15))
    driver.client("response.create")
    for _ in range(4):
        driver.advance(29)
        driver.agent_says(KeepAlive())
    assert driver.of_type("response.done") == []
    assert driver.advance(31)[-1]["response"]["status"] == "failed"


def test_signs_of_life_let_an_answer_wait_in_the_middle() -> None:
    driver = Driver(limits=Limits(next_event_s=15))
    driver.client("response.create")
    driver.agent_says(TextDelta("Well"))
    for _ in range(4):
        driver.advance(14)
        driver.agent_says(KeepAlive())
    assert driver.of_type("response.done") == []
    assert driver.advance(16)[-1]["response"]["status"] == "failed"


def test_signs_of_life_alone_do_not_last_for_ever() -> None:
    driver = Driver(limits=Limits(first_event_s=30, response_s=100))
    driver.client("response.create")
    for _ in range(9):
        driver.advance(11)
        driver.agent_says(KeepAlive())
    assert driver.of_type("response.done") == []
    assert driver.advance(2)[-1]["response"]["status"] == "failed"
