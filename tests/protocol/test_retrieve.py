"""`conversation.item.retrieve` gives the user's audio, in the session's input format, while it is held."""

import base64
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.api import AudioPart
from realtime.protocol.items import UserItem
from realtime.protocol.limits import Limits
from realtime.protocol.recordings import Recordings
from tests.protocol.driver import Driver


def appended(driver: Driver, pcm24k: bytes) -> str:
    """An item of this audio; its id."""
    driver.client("session.update", session={"audio": {"input": {"turn_detection": None}}})
    driver.client("input_audio_buffer.append", audio=base64.b64encode(pcm24k).decode())
    item_id: str = driver.client("input_audio_buffer.commit")[0]["item_id"]
    return item_id


def retrieved(driver: Driver, item_id: str) -> dict[str, Any]:
    (told,) = driver.client("conversation.item.retrieve", item_id=item_id)
    part: dict[str, Any] = told["item"]["content"][0]
    return part


def tone(seconds: float) -> bytes:
    at_s = np.arange(int(seconds * 24_000)) / 24_000
    return (8000 * np.sin(2 * np.pi * 440 * at_s)).astype("<i2").tobytes()


def test_the_sound_is_what_was_appended_and_stays_when_its_words_are_known() -> None:
    driver = Driver()
    item_id = appended(driver, tone(0.5))
    driver.transcribe("hum", item_id)
    part = retrieved(driver, item_id)
    assert part["transcript"] == "hum"
    sound = np.frombuffer(base64.b64decode(part["audio"]), "<i2").astype(float)
    before = np.frombuffer(tone(0.5), "<i2").astype(float)
    assert abs(len(sound) - len(before)) <= 48
    assert np.abs(sound[2000:10_000] - before[2000:10_000]).max() < 200


def test_it_comes_in_the_format_of_the_session() -> None:
    driver = Driver()
    item_id = appended(driver, tone(0.5))
    driver.client("session.update", session={"audio": {"input": {"format": {"type": "audio/pcmu"}}}})
    assert abs(len(base64.b64decode(retrieved(driver, item_id)["audio"])) - 4000) <= 8


def test_no_other_event_holds_audio() -> None:
    driver = Driver()
    item_id = appended(driver, tone(0.5))
    for event in driver.sent:
        for part in event.get("item", {}).get("content", ()):
            assert set(part) == {"type", "transcript"}, (event["type"], item_id)


def test_what_is_too_long_for_a_frame_comes_without_its_audio() -> None:
    driver = Driver(limits=Limits(retrieved_audio_bytes=16_000))
    assert "audio" not in retrieved(driver, appended(driver, tone(0.6)))
    assert "audio" in retrieved(driver, appended(driver, tone(0.4)))


def test_an_event_with_the_longest_audio_fits_a_frame_of_1_mib() -> None:
    assert Limits().retrieved_audio_bytes * 24 // 16 * 4 // 3 < 1024 * 1024 - 16 * 1024


def test_a_deleted_items_audio_is_not_given_to_one_of_the_same_id() -> None:
    driver = Driver()
    item_id = appended(driver, tone(0.5))
    driver.client("conversation.item.delete", item_id=item_id)
    content = [{"type": "input_audio", "transcript": "other"}]
    item = {"type": "message", "role": "user", "id": item_id, "content": content}
    driver.client("conversation.item.create", item=item)
    assert "audio" not in retrieved(driver, item_id)


@given(st.lists(st.tuples(st.sampled_from("ST"), st.sampled_from("abc"), st.integers(0, 60)), max_size=40))
def test_all_sessions_hold_no_more_than_the_limit_and_the_latest_stays(
    added: list[tuple[str, str, int]],
) -> None:
    recordings = Recordings(100)
    newest: dict[tuple[str, str], int] = {}
    for session, name, size in added:
        recordings.add(session, UserItem(name, (AudioPart(bytes(size)),)))
        newest[session, name] = size
        held = {one: sum(map(len, recordings.of(*one).values())) for one in newest}
        assert sum(held.values()) <= 100
        assert held[session, name] == size
        assert all(held[one] in (0, newest[one]) for one in newest)
    recordings.drop_all("S")
    assert not any(recordings.of("S", name) for name in "abc")
    for name in "abc":
        recordings.drop("T", name)
    recordings.add("U", UserItem("all", (AudioPart(bytes(100)),)))
    assert recordings.of("U", "all")
