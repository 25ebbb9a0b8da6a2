"""A session that is stored and goes on in another process: the same conversation, and what it owes."""

from dataclasses import asdict
from typing import Any

import pytest

from agent.api import AudioPart, ToolCall
from realtime.protocol.config import PcmFormat
from realtime.protocol.effects import Generate, Play
from realtime.protocol.inputs import ClientReconnected
from realtime.protocol.items import messages
from realtime.protocol.resync import unheard_answers
from realtime.protocol.snapshot import Snapshot, restore, take_snapshot
from tests.protocol.driver import Driver


def stored(driver: Driver, sound: dict[str, list[Play]] | None = None) -> Snapshot:
    unheard = sound or {}
    taken = take_snapshot(driver.session.state, driver.now, lambda item_id, _: unheard.get(item_id, []), 7)
    read = Snapshot.decode(taken.encode())
    assert read is not None
    return read


def restored(snapshot: Snapshot) -> Driver:
    driver = Driver(now=5000.0)
    restore(driver.session.state, snapshot, driver.now)
    driver.sent.clear()
    return driver


def requests_after_return(driver: Driver) -> int:
    driver.feed(ClientReconnected())
    return len(driver.performed(Generate))


def view(driver: Driver) -> list[Any]:
    return [asdict(message) for message in messages(driver.session.conversation)]


def test_all_kinds_of_items_and_the_settings_come_back_as_they_were() -> None:
    driver = Driver()
    driver.client(
        "session.update",
        session={
            "type": "realtime",
            "instructions": "Be brief.",
            "parlour": {"resume": True, "playback_ack": True},
            "audio": {"input": {"turn_detection": None}},
        },
    )
    driver.write("Hello.")
    driver.write("Be kind.", role="system", id="sys")
    driver.client("response.create")
    driver.agent_says(ToolCall("call_1", "look", '{"a": 1}'))
    driver.finish()
    result = {"type": "function_call_output", "call_id": "call_1", "output": "it is blue"}
    driver.client("conversation.item.create", item=result)
    driver.client("response.create")
    driver.say("It is blue.", seconds=2.0)
    driver.finish()
    driver.hear(1000)
    driver.client("input_audio_buffer.commit")
    back = restored(stored(driver))
    assert view(back) == view(driver)
    last: Any = messages(back.session.conversation)[-1]
    assert isinstance(last.parts[0], AudioPart)
    assert len(last.parts[0].pcm) == 32_000
    assert back.session.config == driver.session.config
    assert requests_after_return(back) == 0


def test_what_was_heard_of_an_answer_is_what_its_history_keeps() -> None:
    driver = Driver()
    driver.client("session.update", session={"type": "realtime", "parlour": {"playback_ack": True}})
    driver.speak()
    driver.say("One two. ", seconds=1.0)
    driver.say("Three four.", seconds=1.0)
    item_id = driver.last("response.output_item.added")["item"]["id"]
    driver.finish()
    driver.client("parlour.playback", item_id=item_id, played_ms=1000)
    rest = [Play("resp_1", item_id, 0, 0, bytes(48_000), PcmFormat(), 1000.0)]
    snapshot = stored(driver, {item_id: rest})
    assert [one.heard_ms for one in snapshot.playouts] == [1000]
    back = restored(snapshot)
    [playing] = unheard_answers(back.session.state, back.now)
    assert (playing.item_id, playing.heard_ms) == (item_id, 1000)
    back.speak()  # over it: it was heard no further
    assert back.last("parlour.heard")["transcript"] == "One two."


def test_an_answer_that_was_never_begun_is_made_when_its_client_is_back() -> None:
    driver = Driver()
    driver.speak()
    back = restored(stored(driver))
    assert requests_after_return(back) == 1
    assert view(back) == view(driver)


def test_one_that_had_been_heard_in_part_stays_so_and_is_not_made_again() -> None:
    driver = Driver()
    driver.speak()
    driver.say("One two. ", seconds=1.0)
    driver.say("Never spoken.")
    back = restored(stored(driver))
    assert requests_after_return(back) == 0
    assert view(back)[-1]["text"] == "One two."


def test_one_whose_words_were_never_spoken_is_made_again() -> None:
    driver = Driver()
    driver.speak()
    driver.say("Never spoken.")
    back = restored(stored(driver))
    assert requests_after_return(back) == 1
    assert len(view(back)) == 1


def test_the_audio_goes_on_where_the_turn_began_that_was_not_over() -> None:
    driver = Driver()
    driver.hear(5000)
    driver.begin_speech()
    driver.hear(700)
    start = driver.last("input_audio_buffer.speech_started")["audio_start_ms"]
    assert stored(driver).audio_ms == start
    back = restored(stored(driver))
    assert back.session.audio_ms == start


def test_silence_while_nobody_is_there_ends_no_turn() -> None:
    from realtime.protocol.inputs import ClientDisconnected

    driver = Driver()
    driver.begin_speech()
    driver.feed(ClientDisconnected())
    driver.advance(30)
    assert not driver.of_type("input_audio_buffer.committed")
    driver.feed(ClientReconnected())
    driver.advance(2.9)
    assert not driver.of_type("input_audio_buffer.committed")
    driver.advance(1)
    assert driver.of_type("input_audio_buffer.committed")


@pytest.mark.parametrize("data", [b"", b"\x80", b"no snapshot", bytes(1000)])
def test_what_is_no_snapshot_is_none(data: bytes) -> None:
    assert Snapshot.decode(data) is None


def test_one_of_another_version_is_none() -> None:
    snapshot = stored(Driver())
    snapshot.version = 99
    assert Snapshot.decode(snapshot.encode()) is None
