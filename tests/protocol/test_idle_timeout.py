"""The user's silence: when it counts, and what it does not count through. The timeout is 6 s throughout."""

from typing import Any

import pytest

from agent.api import AudioDelta, GenerationDone, TextDelta, ToolCall
from realtime.protocol.inputs import ClientReconnected
from realtime.protocol.limits import Limits
from realtime.protocol.snapshot import restore, take_snapshot
from tests.protocol.driver import Driver

TIMEOUT = "input_audio_buffer.timeout_triggered"
ASIDE = {"conversation": "none"}


def patient(limits: Limits | None = None, **detection: Any) -> Driver:
    driver = Driver(limits=limits or Limits())
    detect(driver, idle_timeout_ms=6000, **detection)
    return driver


def detect(driver: Driver, **detection: Any) -> None:
    turn_detection = {"type": "server_vad", **detection}
    driver.client("session.update", session={"audio": {"input": {"turn_detection": turn_detection}}})


def typed(driver: Driver, text: str = "hello") -> None:
    driver.write(text)
    driver.client("response.create")


def answered(driver: Driver, seconds: float = 0.0) -> None:
    driver.say("Well.", seconds)
    driver.finish()


def asks_after(driver: Driver, seconds: float) -> bool:
    """Whether the user is asked then, and not before."""
    n_asked = len(driver.of_type(TIMEOUT))
    driver.advance(seconds - 0.1)
    if len(driver.of_type(TIMEOUT)) > n_asked:
        return False
    driver.advance(0.2)
    return len(driver.of_type(TIMEOUT)) == n_asked + 1


def never_asks(driver: Driver) -> bool:
    n_asked = len(driver.of_type(TIMEOUT))
    driver.advance(60)
    return len(driver.of_type(TIMEOUT)) == n_asked


def calling(driver: Driver, call_id: str = "call_1") -> None:
    typed(driver)
    driver.agent_says(ToolCall(call_id, "weather", "{}"))
    driver.finish()


def output(driver: Driver, call_id: str = "call_1") -> None:
    item = {"type": "function_call_output", "call_id": call_id, "output": "21"}
    driver.client("conversation.item.create", item=item)


def test_each_typed_turn_arms_it_again() -> None:
    driver = patient()
    for _ in range(3):
        typed(driver)
        answered(driver)
        assert asks_after(driver, 6)
        answered(driver)
        assert never_asks(driver)


def test_an_answer_that_the_client_asks_for_arms_it_again() -> None:
    driver = patient()
    for event, fields in (("response.create", {}), ("parlour.say", {"text": "Still here."})):
        driver.client(event, **fields)
        answered(driver)
        assert asks_after(driver, 6)
        answered(driver)
        assert never_asks(driver)


def test_nobody_is_asked_while_a_tool_runs() -> None:
    driver = patient()
    calling(driver)
    driver.advance(59)
    assert not driver.of_type(TIMEOUT)
    output(driver)
    driver.advance(5.9)  # the client takes its time, too
    assert not driver.of_type(TIMEOUT)
    driver.client("response.create")
    answered(driver, 2.0)
    assert asks_after(driver, 8)


def test_nobody_is_asked_while_a_tool_runs_whose_call_another_server_told() -> None:
    driver = patient()
    typed(driver)
    driver.agent_says(ToolCall("call_1", "weather", "{}"))
    driver.agent_says(ToolCall("call_2", "time", "{}"))
    driver.finish()
    output(driver, "call_1")
    taken = take_snapshot(driver.session.state, driver.now, lambda *_: [], 0)
    other = Driver(now=5000.0)
    for _ in range(10):
        other.session.state.new_id("item")  # another server's ids are others
    restore(other.session.state, taken, other.now)
    other.feed(ClientReconnected())
    assert never_asks(other)
    output(other, "call_2")
    assert asks_after(other, 6)


def test_nobody_is_asked_while_one_of_two_tools_runs() -> None:
    driver = patient()
    typed(driver)
    for call_id in ("call_1", "call_2"):
        driver.agent_says(ToolCall(call_id, "weather", "{}"))
    driver.finish()
    output(driver, "call_2")
    driver.advance(30)
    assert not driver.of_type(TIMEOUT)
    output(driver, "call_1")
    assert asks_after(driver, 6)


def test_a_question_while_a_tool_runs_does_not_end_its_run() -> None:
    driver = patient()
    calling(driver)
    typed(driver)
    answered(driver)
    driver.advance(30)
    assert not driver.of_type(TIMEOUT)


def test_a_tool_that_never_gives_anything_back_does_not_switch_it_off() -> None:
    driver = patient(Limits(tool_s=100))
    calling(driver)
    assert asks_after(driver, 106)


def test_a_call_that_is_deleted_runs_no_more() -> None:
    driver = patient()
    calling(driver)
    item_id = driver.last("response.output_item.done")["item"]["id"]
    driver.client("conversation.item.delete", item_id=item_id)
    assert asks_after(driver, 6)


def test_what_the_tool_of_the_asking_answer_gave_does_not_let_it_ask_again() -> None:
    driver = patient()
    typed(driver)
    answered(driver)
    driver.advance(6.1)
    driver.agent_says(ToolCall("call_1", "weather", "{}"))
    driver.finish()
    output(driver)
    driver.client("response.create")
    answered(driver)
    assert never_asks(driver)


def test_an_answer_beside_the_conversation_is_heard_to_its_end_first() -> None:
    driver = patient()
    typed(driver)
    answered(driver)
    driver.advance(5)
    driver.client("response.create", response=ASIDE)
    aside = driver.request.response_id
    driver.advance(10)  # it is made
    driver.agent_says(AudioDelta(bytes(4 * 48_000), 0), aside)
    driver.agent_says(GenerationDone(), aside)
    assert asks_after(driver, 10)


def test_what_is_written_beside_the_conversation_does_not_matter() -> None:
    driver = patient()
    typed(driver)
    answered(driver)
    driver.advance(5)
    driver.client("response.create", response={**ASIDE, "output_modalities": ["text"]})
    driver.agent_says(TextDelta("a summary"))
    assert asks_after(driver, 1)


def test_a_cancelled_answer_counts_from_its_end() -> None:
    driver = patient()
    typed(driver)
    driver.advance(5)
    driver.client("response.cancel")
    assert asks_after(driver, 6)


def test_an_answer_that_is_silenced_counts_from_then() -> None:
    driver = patient()
    typed(driver)
    answered(driver, 20.0)
    driver.advance(10)
    driver.client("output_audio_buffer.clear")
    assert asks_after(driver, 6)


def test_a_line_that_nobody_answers_yet_leaves_the_silence_to_the_client() -> None:
    driver = patient()
    typed(driver)
    answered(driver)
    driver.advance(5)
    driver.write("and")
    driver.advance(30)
    assert not driver.of_type(TIMEOUT)
    driver.client("response.create")
    answered(driver)
    assert asks_after(driver, 6)


def test_speech_that_the_client_answers_itself_leaves_it_to_the_client() -> None:
    driver = patient(create_response=False)
    typed(driver)
    answered(driver)
    driver.advance(5)
    driver.speak(4000)
    driver.advance(30)
    assert not driver.of_type(TIMEOUT)
    driver.client("response.create")
    answered(driver)
    assert asks_after(driver, 6)


def test_an_earlier_conversation_that_the_client_brings_counts_from_its_end() -> None:
    driver = patient()
    driver.write("hello")
    content = [{"type": "output_text", "text": "Hello."}]
    item = {"type": "message", "role": "assistant", "content": content}
    driver.advance(10)
    driver.client("conversation.item.create", item=item)
    assert asks_after(driver, 6)


def test_a_timeout_set_later_counts_from_then() -> None:
    driver = Driver()
    typed(driver)
    answered(driver)
    driver.advance(60)
    detect(driver, idle_timeout_ms=6000)
    assert asks_after(driver, 6)


def test_a_timeout_that_changes_counts_anew_and_any_other_setting_does_not_matter() -> None:
    driver = patient()
    typed(driver)
    answered(driver)
    driver.advance(5)
    detect(driver, idle_timeout_ms=20_000)
    driver.advance(5)
    driver.client("session.update", session={"instructions": "Be brief."})
    assert asks_after(driver, 15)


@pytest.mark.parametrize("detection", [None, {"type": "semantic_vad"}])
def test_without_it_nobody_is_asked(detection: dict[str, Any] | None) -> None:
    driver = patient()
    typed(driver)
    answered(driver)
    driver.client("session.update", session={"audio": {"input": {"turn_detection": detection}}})
    assert never_asks(driver)
    detect(driver, idle_timeout_ms=6000)
    assert asks_after(driver, 6)
