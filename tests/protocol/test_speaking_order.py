"""One voice at a time: answers beside the conversation, and how they are silenced."""

from agent.api import AudioDelta, GenerationDone, TextDelta
from realtime.protocol import effects as do
from realtime.protocol.limits import Limits
from tests.protocol.driver import Driver, types

SECOND = AudioDelta(bytes(48_000), 0)
ASIDE = {"conversation": "none"}


def asked(driver: Driver, response: dict[str, object] | None = None) -> str:
    driver.client("response.create", **({"response": response} if response else {}))
    return driver.request.response_id


def heard_in_order(driver: Driver) -> list[str]:
    """The response of each second that was played."""
    return [play.response_id for play in driver.performed(do.Play)]


def both(driver: Driver) -> tuple[str, str]:
    """An answer that speaks, and one beside it that has sound and waits."""
    main, aside = asked(driver), asked(driver, ASIDE)
    driver.agent_says(SECOND, main)
    driver.agent_says(TextDelta("aside"), aside)
    driver.agent_says(SECOND, aside)
    return main, aside


def test_who_has_sound_first_speaks_to_the_end() -> None:
    driver = Driver()
    main, aside = both(driver)
    driver.agent_says(SECOND, main)
    assert heard_in_order(driver) == [main, main]
    driver.agent_says(GenerationDone(), main)
    driver.agent_says(SECOND, aside)
    assert heard_in_order(driver) == [main, main, aside, aside]


def test_an_answer_of_the_conversation_waits_for_one_beside_it_too() -> None:
    driver = Driver()
    aside, main = asked(driver, ASIDE), asked(driver)
    driver.agent_says(SECOND, aside)
    driver.agent_says(SECOND, main)
    driver.agent_says(GenerationDone(), aside)
    assert heard_in_order(driver) == [aside, main]


def test_text_that_is_not_spoken_waits_for_nobody() -> None:
    driver = Driver()
    asked(driver)
    driver.agent_says(SECOND)
    aside = asked(driver, {**ASIDE, "output_modalities": ["text"]})
    told = driver.agent_says(TextDelta("aside"), aside) + driver.agent_says(GenerationDone(), aside)
    assert types(told)[-1] == "response.done"


def test_the_agent_of_an_answer_that_waits_is_asked_for_no_more_meanwhile() -> None:
    driver = Driver()
    main, aside = both(driver)
    assert driver.effects[-1] == do.PauseGenerating(aside)
    driver.agent_says(GenerationDone(), main)
    assert do.ResumeGenerating(aside) in driver.effects


def test_an_answer_that_waits_ends_after_its_sound() -> None:
    driver = Driver()
    main, aside = both(driver)
    for event in (TextDelta("!"), GenerationDone()):
        assert driver.agent_says(event, aside) == []
    done = [
        e["response"]["id"] for e in driver.agent_says(GenerationDone(), main) if e["type"] == "response.done"
    ]
    assert done == [main, aside]
    assert heard_in_order(driver) == [main, aside]


def test_an_answer_that_waits_is_not_overdue() -> None:
    driver = Driver(limits=Limits(next_event_s=15, response_s=60))
    main, aside = both(driver)
    for _ in range(5):
        driver.advance(10)
        driver.agent_says(SECOND, main)
    driver.agent_says(GenerationDone(), main)
    driver.advance(14)
    assert types(driver.agent_says(GenerationDone(), aside))[-1] == "response.done"
    assert {e["response"]["status"] for e in driver.of_type("response.done")} == {"completed"}


def test_one_that_hangs_does_not_keep_the_others_waiting() -> None:
    driver = Driver(limits=Limits(next_event_s=15))
    _, aside = both(driver)
    driver.advance(15.1)
    assert heard_in_order(driver)[-1] == aside


def test_barge_in_silences_what_is_said_beside_the_conversation() -> None:
    driver = Driver()
    aside = asked(driver, ASIDE)
    driver.agent_says(SECOND, aside)
    driver.begin_speech()
    assert do.StopPlayback(aside, is_in_conversation=False) in driver.effects
    driver.agent_says(SECOND, aside)
    assert heard_in_order(driver) == [aside]
    done = driver.agent_says(GenerationDone(), aside)[-1]["response"]
    assert done["status"] == "completed"  # it was not the user's to end


def test_barge_in_reaches_an_answer_that_waits_or_has_not_begun() -> None:
    driver = Driver()
    main, aside = both(driver)
    late = asked(driver, ASIDE)
    driver.begin_speech()
    for response_id in (aside, late):
        driver.agent_says(SECOND, response_id)
        assert types(driver.agent_says(GenerationDone(), response_id))[-1] == "response.done"
    assert heard_in_order(driver) == [main]


def test_an_answer_of_the_conversation_that_waited_was_not_heard_at_all() -> None:
    driver = Driver()
    aside, main = asked(driver, ASIDE), asked(driver)
    driver.agent_says(SECOND, aside)
    for event in (TextDelta("Never."), AudioDelta(bytes(48_000), 6)):
        driver.agent_says(event, main)
    driver.begin_speech()
    driver.end_speech()
    assert "Never." not in str(driver.request.messages)


def test_clear_silences_all_that_is_spoken_to_its_end() -> None:
    driver = Driver()
    main, aside = both(driver)
    driver.client("output_audio_buffer.clear")
    for response_id in (main, aside):
        driver.agent_says(SECOND, response_id)
        driver.agent_says(GenerationDone(), response_id)
    assert heard_in_order(driver) == [main]
    assert do.StopPlayback(main) in driver.effects


def test_after_clear_the_history_holds_no_later_words() -> None:
    driver = Driver()
    driver.client("response.create")
    driver.say("Heard. ", 1.0)
    driver.now += 1.5  # all that was sent is heard
    driver.client("output_audio_buffer.clear")
    driver.say("Unheard. ", 1.0)
    driver.finish()
    driver.write("And?")
    driver.client("response.create")
    assert "Heard." in str(driver.request.messages)
    assert "Unheard." not in str(driver.request.messages)


def test_an_answer_that_makes_no_sound_yet_is_not_part_of_the_buffer() -> None:
    driver = Driver()
    main = asked(driver)
    driver.client("output_audio_buffer.clear")
    driver.agent_says(SECOND, main)
    assert heard_in_order(driver) == [main]


def test_cancel_by_id_ends_it_and_the_next_one_speaks() -> None:
    driver = Driver()
    main, aside = both(driver)
    driver.client("response.cancel", response_id=main)
    assert heard_in_order(driver) == [main, aside]
    driver.client("response.cancel", response_id=aside)
    assert {e["response"]["status"] for e in driver.of_type("response.done")} == {"cancelled"}


def test_cancel_without_an_id_ends_what_is_spoken_beside_the_conversation() -> None:
    driver = Driver()
    written = asked(driver, {**ASIDE, "output_modalities": ["text"]})
    spoken, waiting = asked(driver, ASIDE), asked(driver, ASIDE)
    driver.agent_says(TextDelta("x"), written)
    driver.agent_says(SECOND, spoken)
    driver.agent_says(SECOND, waiting)
    told = driver.client("response.cancel")
    ended = {e["response"]["id"] for e in told if e["type"] == "response.done"}
    assert ended == {spoken, waiting}
    (refused,) = driver.client("response.cancel")  # what is only written is the client's own business
    assert refused["error"]["code"] == "response_cancel_not_active"


def test_cancel_without_an_id_prefers_the_conversations_own() -> None:
    driver = Driver()
    main, aside = both(driver)
    told = driver.client("response.cancel")
    assert [e["response"]["id"] for e in told if e["type"] == "response.done"] == [main]
    assert heard_in_order(driver) == [main, aside]
