"""What was heard, when the listener's connection is lost and another one comes."""

from realtime.protocol.inputs import ClientDisconnected, ClientReconnected
from realtime.protocol.resync import unheard_answers
from tests.protocol.driver import Driver

ACKNOWLEDGES = {"parlour": {"playback_ack": True, "resume": True}}
RESUMES = {"parlour": {"resume": True}}


def playing(driver: Driver) -> list[int]:
    return [one.heard_ms for one in unheard_answers(driver.session.state, driver.now)]


def away(driver: Driver, seconds: float) -> None:
    driver.feed(ClientDisconnected())
    driver.now += seconds


def asked(session: dict[str, object]) -> Driver:
    driver = Driver()
    driver.client("session.update", session={"type": "realtime", **session})
    driver.speak()
    return driver


def test_nothing_is_heard_while_nobody_is_there() -> None:
    driver = asked(RESUMES)
    driver.say("One two three four. ", 4.0)
    driver.now += 1.0
    away(driver, 20.0)
    assert playing(driver) == [1_000]
    driver.feed(ClientReconnected())
    assert playing(driver) == [1_000]
    driver.now += 0.5
    assert playing(driver) == [1_500]


def test_what_is_said_while_nobody_is_there_is_heard_from_its_beginning() -> None:
    for session in (RESUMES, ACKNOWLEDGES):
        driver = asked(session)
        away(driver, 1.0)
        driver.say("One two three four. ", 4.0)
        driver.now += 3.0
        assert playing(driver) == [0]
        driver.feed(ClientReconnected())
        assert playing(driver) == [0]
        driver.now += 0.5
        assert playing(driver) == [500]


def test_two_losses_in_a_row_are_one_absence() -> None:
    driver = asked(RESUMES)
    driver.say("One two three four. ", 4.0)
    driver.now += 1.0
    away(driver, 1.0)
    away(driver, 1.0)
    driver.feed(ClientReconnected())
    assert playing(driver) == [1_000]


def test_a_listener_who_reports_has_heard_nothing_of_what_it_did_not_report() -> None:
    """Its network may have been gone for long when that is noticed."""
    driver = asked(ACKNOWLEDGES)
    driver.say("One two three four. ", 4.0)
    driver.now += 3.0
    away(driver, 1.0)
    assert playing(driver) == [0]


def test_a_barge_in_after_the_return_keeps_what_was_heard_by_then() -> None:
    driver = asked(RESUMES)
    driver.say("Word one here. Word two here. ", 2.0)
    driver.now += 0.5
    away(driver, 10.0)
    driver.feed(ClientReconnected())
    driver.now += 0.5
    driver.begin_speech()
    item_id = driver.last("response.output_item.done")["item"]["id"]
    [found] = driver.client("conversation.item.retrieve", item_id=item_id)
    assert found["item"]["content"][0]["transcript"] == "Word one here."


def test_what_was_on_its_way_when_the_connection_was_lost_is_not_heard() -> None:
    driver = asked(ACKNOWLEDGES)
    driver.say("One two three four. ", 4.0)
    item_id = unheard_answers(driver.session.state, driver.now)[0].item_id
    driver.client("parlour.playback", item_id=item_id, played_ms=3_990)
    assert playing(driver) == [], "to its end, as exactly as a player can say"
    driver.feed(ClientDisconnected({item_id: 3_800}))
    assert playing(driver) == [3_800]
    driver.feed(ClientReconnected())
    driver.client("parlour.playback", item_id=item_id, played_ms=3_990)
    assert playing(driver) == []


def test_of_an_answer_that_the_server_plays_the_last_bit_comes_again_too() -> None:
    for heard_ms, still in ((3_980, [3_980]), (4_000, [])):
        driver = asked(ACKNOWLEDGES)
        driver.say("One two three four. ", 4.0)
        driver.feed(
            ClientDisconnected({unheard_answers(driver.session.state, driver.now)[0].item_id: heard_ms})
        )
        assert playing(driver) == still
