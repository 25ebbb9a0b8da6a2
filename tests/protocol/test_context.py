"""The model's context, as a client meets it: what it sets, what is refused, and what it is told."""

from typing import Any

import pytest

from agent.api import AUTO_TRUNCATION, GenerationDone, Health, KeepAlive, TextDelta, Truncation
from tests.protocol.driver import Driver, types


def updated(driver: Driver, **session: Any) -> dict[str, Any]:
    [event] = driver.client("session.update", session={"type": "realtime", **session})
    return event


@pytest.mark.parametrize(
    ("truncation", "asked"),
    [
        ("auto", AUTO_TRUNCATION),
        ("disabled", Truncation(None)),
        ({"type": "retention_ratio", "retention_ratio": 0.8}, Truncation(0.8)),
        (
            {
                "type": "retention_ratio",
                "retention_ratio": 1,
                "token_limits": {"post_instructions": 500},
            },
            Truncation(1.0, 500),
        ),
    ],
)
def test_truncation_reaches_the_agent_and_is_told_back(truncation: Any, asked: Truncation) -> None:
    driver = Driver()
    told = updated(driver, truncation=truncation)["session"]["truncation"]
    assert told == truncation or {**told, "token_limits": None} == {**truncation, "token_limits": None}
    driver.write("Hi")
    driver.client("response.create")
    assert driver.request.truncation == asked


@pytest.mark.parametrize(
    ("truncation", "param"),
    [
        ("never", "session.truncation"),
        (3, "session.truncation"),
        ({"type": "nonsense"}, "session.truncation.type"),
        ({"type": "retention_ratio"}, "session.truncation.retention_ratio"),
        ({"type": "retention_ratio", "retention_ratio": 1.1}, "session.truncation"),
        ({"type": "retention_ratio", "retention_ratio": "0.8"}, "session.truncation.retention_ratio"),
        (
            {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 0}},
            "session.truncation.token_limits",
        ),
    ],
)
def test_what_is_no_truncation_is_refused_by_name(truncation: Any, param: str) -> None:
    driver = Driver()
    error = updated(driver, truncation=truncation)["error"]
    assert error["param"].startswith(param)
    assert updated(driver)["session"]["truncation"] == "auto"


def test_instructions_that_leave_no_room_are_refused_and_the_old_ones_stay() -> None:
    driver = Driver(agent=Health("ready", "m", instructions_bytes_max=100))
    updated(driver, instructions="Be kind.")
    error = updated(driver, instructions="é" * 51)["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "session.instructions")
    assert "102 bytes" in error["message"]
    assert "100 at most" in error["message"]
    assert updated(driver)["session"]["instructions"] == "Be kind."
    assert updated(driver, instructions="é" * 50)["type"] == "session.updated"
    [event] = driver.client("response.create", response={"instructions": "x" * 101})
    assert event["error"]["param"] == "response.instructions"
    assert driver.requests == []


def test_where_nobody_knows_the_context_instructions_may_be_long() -> None:
    assert updated(Driver(), instructions="x" * 100_000)["type"] == "session.updated"


@pytest.mark.parametrize(("reason", "status"), [("stop", "completed"), ("max_tokens", "incomplete")])
def test_a_text_that_was_shortened_is_told_with_the_answer(reason: Any, status: str) -> None:
    driver = Driver()
    driver.write("word " * 10_000)
    driver.client("response.create")
    driver.say("Yes.")
    driver.finish(GenerationDone(reason, input_was_cut=True))
    response = driver.last("response.done")["response"]
    assert response["status"] == response["status_details"]["type"] == status
    assert response["status_details"]["error"]["code"] == "input_truncated"
    driver.write("Hi")
    driver.client("response.create")
    driver.say("Yes.")
    driver.finish()
    assert driver.last("response.done")["response"]["status_details"] is None


def test_that_the_model_thinks_is_told_once_to_who_asked_for_it() -> None:
    driver = Driver()
    driver.write("Hi")
    driver.client("response.create")
    assert driver.agent_says(KeepAlive()) == []
    driver.finish()
    driver.client("session.update", session={"parlour": {"thinking": True}})
    driver.client("response.create")
    [event] = driver.agent_says(KeepAlive())
    assert (event["type"], event["response_id"]) == ("parlour.thinking", driver.request.response_id)
    assert driver.agent_says(KeepAlive()) == []
    driver.finish()
    driver.client("response.create")
    assert "parlour.thinking" not in types(driver.agent_says(TextDelta("Well")))
    assert driver.agent_says(KeepAlive()) == []
