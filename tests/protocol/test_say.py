"""A text that the assistant is given to say."""

from agent.api import AssistantMessage, AudioDelta, TextDelta
from tests.protocol.driver import Driver

WORDS = "The light is off."


def test_a_given_text_is_an_answer_like_any_other_and_stays_in_the_history() -> None:
    driver = Driver()
    driver.client("session.update", session={"max_output_tokens": 2})
    driver.client("parlour.say", text=WORDS)
    assert (driver.request.verbatim, driver.request.max_output_tokens) == (WORDS, None)
    driver.agent_says(TextDelta(WORDS))
    driver.agent_says(AudioDelta(bytes(48_000), len(WORDS)))
    driver.finish()
    assert driver.last("response.done")["response"]["status"] == "completed"
    driver.now += 10
    driver.client("response.create")
    assert driver.request.messages == (AssistantMessage(WORDS),)
    assert driver.request.verbatim == ""


def test_a_text_is_refused_while_an_answer_is_made() -> None:
    driver = Driver()
    driver.client("response.create")
    driver.client("parlour.say", text=WORDS, event_id="mine")
    error = driver.last("error")["error"]
    assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", "mine")


def test_an_empty_text_is_refused() -> None:
    driver = Driver()
    driver.client("parlour.say", text="")
    assert driver.last("error")["error"]["param"] == "text"
