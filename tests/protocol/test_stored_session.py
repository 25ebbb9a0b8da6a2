"""A session that an earlier Parlour has stored goes on with this one, as long as the version is the same.

The files are what that Parlour wrote (write_stored_session.py). Whoever changes what is stored raises
`snapshot.VERSION` and adds a file; a field that is new and has a default needs neither.
"""

from typing import Any

import msgspec

from agent.api import AssistantMessage, AudioPart, SystemMessage, TextPart, ToolCallMessage, ToolResultMessage
from realtime.protocol.config import PcmaFormat, PcmFormat, PcmuFormat, ServerVad, Transcription
from realtime.protocol.inputs import ClientReconnected
from realtime.protocol.items import AssistantItem, ToolCallItem, ToolResultItem, UserItem, messages
from realtime.protocol.resync import unheard_answers
from realtime.protocol.snapshot import VERSION, Snapshot, restore, unheard_audio_of
from tests.protocol.driver import Driver
from tests.protocol.write_stored_session import path_of, stored_session

STORED = path_of(VERSION).read_bytes()


def read() -> Snapshot:
    snapshot = Snapshot.decode(STORED)
    assert snapshot is not None
    return snapshot


def restored() -> Driver:
    driver = Driver(now=5000.0)
    restore(driver.session.state, read(), driver.now)
    return driver


def test_every_kind_of_item_is_there_again() -> None:
    items = list(restored().session.conversation)
    system, written, in_text, spoken, call, result, cut_off, barge_in, unfinished = items
    assert (messages([system]), messages([written])) == (
        (SystemMessage("Lamps are yellow."),),
        messages([UserItem("any", (TextPart("Is there a lamp?"),))]),
    )
    assert isinstance(in_text, AssistantItem)
    assert (in_text.modality, in_text.text, in_text.status) == ("text", "There is one lamp.", "completed")
    assert isinstance(spoken, UserItem)
    assert spoken.parts == (AudioPart(b"", "Switch it on."),)
    assert isinstance(call, ToolCallItem)
    assert messages([call]) == (ToolCallMessage("call_1", "switch_lamp", '{"on": true}'),)
    assert isinstance(result, ToolResultItem)
    assert messages([result]) == (ToolResultMessage("call_1", "done"),)
    assert isinstance(cut_off, AssistantItem)
    assert (cut_off.text, cut_off.status, cut_off.heard_ms) == ("The lamp is on now.", "incomplete", 1000.0)
    assert messages([cut_off]) == (AssistantMessage("The lamp"),)
    assert isinstance(barge_in, UserItem)
    assert barge_in.parts == (AudioPart(bytes(16_000), None),)
    assert isinstance(unfinished, AssistantItem)
    assert (unfinished.text, unfinished.status) == ("Yes, it is yellow.", "incomplete")
    assert unfinished.alignment == [(500.0, 5), (1000.0, 18)]


def test_its_settings_are_there_again() -> None:
    snapshot = read()
    config = snapshot.config
    assert (config.id, config.instructions, config.max_output_tokens) == ("sess_1", "Speak of lamps.", 200)
    assert config.tools[0]["name"] == "switch_lamp"
    assert config.audio.input.turn_detection == ServerVad(threshold=0.6, idle_timeout_ms=7000)
    assert config.audio.input.transcription == Transcription(model="whisper-1", language="en")
    assert (config.audio.input.format, config.audio.output.format) == (PcmaFormat(), PcmuFormat())
    assert config.extensions.resume
    assert snapshot.fixed == {"audio": {"output": {"voice": "amber"}}}


def test_the_answer_goes_on_to_be_heard_where_its_listener_was() -> None:
    driver = restored()
    [playing] = unheard_answers(driver.session.state, driver.now)
    assert (playing.item_id, playing.response_id, playing.heard_ms) == ("item_6", "resp_4", 400)
    [play] = unheard_audio_of(read().playouts[0])
    assert (play.item_id, play.start_ms, play.pcm, play.format) == ("item_6", 400.0, bytes(4800), PcmFormat())


def test_what_the_client_sends_again_begins_where_the_server_knew_of() -> None:
    snapshot = read()
    assert (snapshot.resend_after, snapshot.input_until) == ("event_of_client_5", 1_790_000_000.5)
    driver = restored()
    assert driver.session.audio_ms == snapshot.audio_ms == 900


def test_the_next_turn_is_answered() -> None:
    driver = restored()
    driver.feed(ClientReconnected())
    driver.write("Is it on?")
    driver.client("response.create")
    assert driver.request.messages[:1] == (SystemMessage("Lamps are yellow."),)
    assert driver.request.voice == "amber"


def test_what_is_stored_today_is_what_this_version_stores() -> None:
    """Each field has its name, its place and its value; those that have come since may be beside them."""
    written = msgspec.msgpack.decode(stored_session().encode())
    assert_within(msgspec.msgpack.decode(STORED), written)
    assert_within(msgspec.msgpack.decode(STORED), msgspec.msgpack.decode(read().encode()))


def assert_within(old: Any, new: Any, at: str = "stored") -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        for name, value in old.items():
            assert name in new, f"{at}.{name} is missing: raise VERSION"
            assert_within(value, new[name], f"{at}.{name}")
    elif isinstance(old, list) and isinstance(new, list):
        assert len(old) == len(new), f"{at}: {len(old)} are now {len(new)}"
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            assert_within(before, after, f"{at}[{index}]")
    else:
        assert old == new, f"{at} is another one: raise VERSION"
