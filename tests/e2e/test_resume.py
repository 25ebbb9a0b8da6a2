"""Conversations that lose their connection, their device or their server, on real sockets."""

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.scripted.agent import RECITAL
from realtime.protocol.snapshot import Snapshot
from realtime.session import connections
from tests.conftest import running_server
from tests.e2e.resuming import ResumingClient
from tests.e2e.serving import address_of, started
from tests.speech import utterances
from tests.waiting import HANGS_S, polled

SPEECH = utterances()[1].pcm24k + bytes(48_000)
ANSWER_BYTES = 10 * 48_000
AT_ONCE = {"playback_lead_s": 60.0}  # the whole answer comes as fast as it goes


def ws(server: Any) -> str:
    return f"{server.ws}/v1/realtime"


async def socket_of(server: asyncio.subprocess.Process) -> str:
    return (await address_of(server)).replace("http", "ws") + "/v1/realtime"


async def ended(*servers: asyncio.subprocess.Process | None) -> None:
    for server in servers:
        if server is not None and server.returncode is None:
            server.kill()
            await server.wait()


async def test_what_was_missed_comes_once_and_in_order() -> None:
    async with running_server() as server:
        client = await ResumingClient(ws(server)).begin()
        await client.speak(SPEECH)
        item_id = (await client.until("response.output_audio.delta"))["item_id"]
        await client.drop()
        resumed = await client.come_back()
        assert resumed["replayed"]
        await client.until("response.done")
        assert client.words(item_id) == RECITAL
        assert len(client.sound(item_id)) == ANSWER_BYTES
        assert len(client.of("response.done")) == len(client.of("response.created")) == 1
        await client.leave()


async def test_speech_that_is_cut_in_two_by_the_network_is_one_turn() -> None:
    async with running_server(**AT_ONCE) as server:
        client = await ResumingClient(ws(server)).begin()
        middle = len(SPEECH) // 2 // 4800 * 4800
        await client.speak(SPEECH[:middle])
        await client.until("input_audio_buffer.speech_started")
        await client.drop()
        await client.speak(SPEECH[middle : middle + 4800])  # into nothing: it is kept and sent again
        await client.come_back()
        await client.speak(SPEECH[middle + 4800 :])
        await client.until("response.done")
        [committed] = client.of("input_audio_buffer.committed")
        [stopped] = client.of("input_audio_buffer.speech_stopped")
        whole = await ResumingClient(ws(server)).begin()
        await whole.speak(SPEECH)
        assert (
            stopped["audio_end_ms"]
            == (await whole.until("input_audio_buffer.speech_stopped"))["audio_end_ms"]
        )
        assert committed["item_id"] == stopped["item_id"]
        await client.leave()
        await whole.leave()


async def test_a_device_that_takes_over_hears_the_answer_from_where_it_was_heard_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "CLOSE_AFTER_MOVE_S", HANGS_S)
    async with running_server() as server:
        kitchen = await ResumingClient(ws(server)).begin()
        await kitchen.speak(SPEECH)
        item_id = (await kitchen.until("response.output_audio.delta"))["item_id"]
        await kitchen.sound_of(item_id, 2 * 48_000)
        await kitchen.heard(item_id, 1250)
        await kitchen.say("parlour.hand_over")
        token = (await kitchen.until("parlour.hand_over_token"))["token"]
        phone = ResumingClient(ws(server))
        taking = asyncio.create_task(phone.come_back(token, anew=True))
        await kitchen.until("parlour.moved")
        await kitchen.heard(item_id, 1500)  # its last word
        await kitchen.leave()
        resumed = await taking
        assert resumed["playing"][0] == {
            "item_id": item_id,
            "response_id": resumed["playing"][0]["response_id"],
            "heard_ms": 1500,
        }
        await phone.until("response.done")
        assert len(phone.sound(item_id)) == ANSWER_BYTES - 1500 * 48
        assert phone.words(item_id) == RECITAL
        marks = [event["text_end"] for event in phone.of("parlour.alignment")]
        assert marks == [len(" ".join(RECITAL.split()[: n + 1])) for n in range(len(RECITAL.split()))]
        told = [event["item"]["id"] for event in phone.of("conversation.item.added")]
        assert told[0] == kitchen.of("input_audio_buffer.committed")[0]["item_id"]
        assert phone.sound(item_id)[:9600] == kitchen.sound(item_id)[72_000:81_600]
        await phone.leave()


async def test_a_token_for_another_device_outlives_a_lost_connection_but_no_move() -> None:
    async with running_server(**AT_ONCE) as server:
        kitchen = await ResumingClient(ws(server)).begin()
        tokens = []
        for n in (1, 2):
            await kitchen.say("parlour.hand_over")
            tokens.append((await kitchen.until("parlour.hand_over_token", n))["token"])
        await kitchen.drop()
        await kitchen.come_back()
        phone = ResumingClient(ws(server))
        assert (await phone.come_back(tokens[0], anew=True))["type"] == "parlour.resumed"
        await phone.say("response.create")
        await phone.until("response.done")
        late = ResumingClient(ws(server))
        for token in (tokens[1], kitchen.token):
            refused = await late.come_back(token, anew=True)
            assert refused["error"]["code"] == "invalid_resume_token"
        await phone.leave()
        await late.leave()


async def moved(old: ResumingClient, new: ResumingClient, token: str, n: int = 1) -> str:
    """Let `new` take over with this token; the way back that `old` was given."""
    taking = asyncio.create_task(new.come_back(token, anew=True))
    way_back = str((await old.until("parlour.moved", n))["token"])
    await old.leave()
    assert (await taking)["type"] == "parlour.resumed"
    return way_back


async def test_a_session_can_be_brought_back_to_the_device_that_it_left_last() -> None:
    async with running_server(**AT_ONCE) as server:
        kitchen = await ResumingClient(ws(server)).begin()
        await kitchen.say("parlour.hand_over")
        token = (await kitchen.until("parlour.hand_over_token"))["token"]
        phone, tablet = ResumingClient(ws(server)), ResumingClient(ws(server))
        to_kitchen = await moved(kitchen, phone, token)
        to_phone = await moved(phone, kitchen, to_kitchen)
        await kitchen.say("response.create")
        await kitchen.until("response.done")
        assert (await tablet.come_back(to_kitchen, anew=True))["type"] == "error", "once"
        to_kitchen = await moved(kitchen, phone, to_phone, 2)
        await phone.say("parlour.hand_over")
        token = (await phone.until("parlour.hand_over_token"))["token"]
        await moved(phone, tablet, token, 2)
        assert (await kitchen.come_back(to_kitchen, anew=True))["type"] == "error", "not the last one"
        for client in (kitchen, tablet):
            await client.leave()


async def test_a_device_that_says_nothing_when_it_is_moved_is_closed() -> None:
    async with running_server(**AT_ONCE) as server:
        old = await ResumingClient(ws(server)).begin()
        await old.say("parlour.hand_over")
        token = (await old.until("parlour.hand_over_token"))["token"]
        new = ResumingClient(ws(server))
        await new.come_back(token, anew=True)
        assert (await old.closing())[0] == 4001
        await new.say("response.create")
        await new.until("response.done")
        await new.leave()


async def test_a_token_works_once_and_only_for_whom_it_was_given_to() -> None:
    async with running_server(keys="mine,yours", **AT_ONCE) as server:
        client = await ResumingClient(ws(server), "mine").begin()
        used = client.token
        await client.drop()
        thief = ResumingClient(ws(server), "yours")
        refused = await thief.come_back(used, anew=True)
        assert refused["error"]["code"] == "invalid_resume_token"
        await client.come_back()
        await client.say("response.create")  # it has the next token: the first is used up
        await client.until("response.created")
        again = ResumingClient(ws(server), "mine")
        refused = await again.come_back(used, anew=True)
        assert refused["error"]["code"] == "invalid_resume_token"
        await again.say("response.create")  # the new session that it has is a good one
        await again.until("response.done")
        for token in ("", "rt_", "rt_e30.AAAA", used[:-1] + "A", "x" * 5000):
            refused = await again.come_back(token or "?", anew=True)
            assert refused["error"]["code"] == "invalid_resume_token"
        await client.until("response.done")
        assert client.token != used
        await client.leave()


async def test_an_answer_to_the_token_that_is_lost_on_the_way_costs_nothing() -> None:
    async with running_server(**AT_ONCE) as server:
        client = await ResumingClient(ws(server)).begin()
        used = client.token
        await client.drop()
        await client.come_back()
        client.token = used  # as if it had never arrived
        await client.drop()
        resumed = await client.come_back()
        assert resumed["type"] == "parlour.resumed"
        await client.leave()


async def test_a_token_lets_a_device_without_a_key_in() -> None:
    async with running_server(keys="mine", **AT_ONCE) as server:
        client = await ResumingClient(ws(server), "mine").begin()
        await client.say("parlour.hand_over")
        token = (await client.until("parlour.hand_over_token"))["token"]
        phone = ResumingClient(ws(server), token)
        resumed = await phone.come_back(token, anew=True)
        assert resumed["type"] == "parlour.resumed"
        await phone.say("response.create")
        await phone.until("response.done")
        await phone.leave()


async def test_a_session_that_nobody_comes_back_to_ends() -> None:
    async with running_server(resume_grace_s=0.05) as server:
        client = await ResumingClient(ws(server)).begin()
        await client.drop()
        await server.emptied()
        refused = await client.come_back()
        assert refused["error"]["code"] == "invalid_resume_token"
        await client.leave()


async def test_one_who_says_goodbye_is_not_waited_for() -> None:
    async with running_server() as server:
        client = await ResumingClient(ws(server)).begin()
        await client.leave()
        await server.emptied()


async def test_a_client_that_never_asked_for_it_gets_nothing_of_it() -> None:
    async with running_server(**AT_ONCE) as server:
        client = ResumingClient(ws(server))
        await client.open()
        await client.say("response.create")
        await client.until("response.done")
        assert not [event for event in client.events if event["type"].startswith("parlour.")]
        await client.drop()
        await server.emptied()


STEPS = (
    "session.updated",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "parlour.alignment",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
)


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_no_word_is_lost_or_repeated(step: str) -> None:
    chance = random.Random(step)
    async with running_server(**AT_ONCE) as server:
        client = await ResumingClient(ws(server)).begin()
        speaking = asyncio.create_task(client.speak(SPEECH))
        await client.until(step)
        for _ in range(3):
            await client.drop()
            resumed = await client.come_back()
            assert resumed["type"] == "parlour.resumed", resumed
            for _ in range(chance.randrange(30)):
                await asyncio.sleep(0)
        await speaking
        await client.until("response.done")
        [item_id] = {event["item_id"] for event in client.of("response.output_audio.delta")}
        assert client.words(item_id) == RECITAL
        assert len(client.sound(item_id)) == ANSWER_BYTES
        assert len(client.of("input_audio_buffer.committed")) == 1
        assert len(client.of("response.created")) == len(client.of("response.done")) == 1
        await client.leave()


async def test_a_server_that_stops_says_so_lets_the_answer_finish_and_another_goes_on(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path}/sessions.sqlite3"
    first = await started("--model", "scripted", "--port", "0", "--store", store, "--drain-s", "0.5")
    second = None
    try:
        client = await ResumingClient(await socket_of(first)).begin()
        await client.say(
            "conversation.item.create",
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
        )
        await client.say("response.create")
        item_id = (await client.until("response.output_audio.delta"))["item_id"]
        await client.sound_of(item_id, 2 * 48_000)
        await client.heard(item_id, 1000)
        first.terminate()
        going = await client.until("parlour.going_away")
        assert going["deadline_s"] == 0.5
        assert (await client.closing())[0] == 1012
        assert await first.wait() == 0
        had = len(client.sound(item_id))
        second = await started("--model", "scripted", "--port", "0", "--store", store)
        client.url = await socket_of(second)
        start = len(client.events)
        resumed = await client.come_back()
        assert not resumed["replayed"]
        assert resumed["playing"][0]["heard_ms"] == 1000
        await client.until_any(("response.output_audio.delta",), start)
        texts = [
            event["item"]["content"][0]
            for event in client.events[start:]
            if event["type"] == "conversation.item.added"
        ]
        assert texts[0]["text"] == "Hello."
        assert texts[1]["transcript"].startswith("This is sentence one of ten.")
        await client.until("response.output_audio.done", len(client.of("response.output_audio.done")) or 1)
        assert client.sound(item_id, start)[:48_000] == client.sound(item_id)[48_000:96_000]
        assert len(client.sound(item_id, start)) >= had - 48_000
        await client.say("response.create")
        await client.until("response.done", len(client.of("response.done")) + 1)
        await client.leave()
    finally:
        await ended(first, second)


def stored_words(database: Path) -> str:
    """Of the last item of the one conversation in the file."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reading:
        [(data,)] = reading.execute("SELECT data FROM sessions").fetchall()
    snapshot = Snapshot.decode(data)
    assert snapshot is not None
    return snapshot.items[-1].text if len(snapshot.items) == 3 else ""


async def test_a_server_that_is_killed_has_stored_what_was_said(tmp_path: Path) -> None:
    database = tmp_path / "sessions.sqlite3"
    store = f"sqlite:{database}"
    first = await started("--model", "scripted", "--port", "0", "--store", store)
    second = None
    try:
        client = await ResumingClient(await socket_of(first)).begin()
        await client.speak(SPEECH)
        item_id = (await client.until("response.output_audio.delta"))["item_id"]
        await client.until("response.done")
        await client.heard(item_id, 9000)
        await client.say("response.create")
        await client.until("response.created", 2)
        await client.sound_of(client.of("response.output_item.added")[-1]["item"]["id"], 2 * 48_000)
        await polled(
            lambda: "This is sentence one" in stored_words(database), "the second answer in the file"
        )
        first.kill()
        await first.wait()
        second = await started("--model", "scripted", "--port", "0", "--store", store)
        client.url = await socket_of(second)
        start = len(client.events)
        resumed = await client.come_back()
        assert not resumed["replayed"]
        await client.until_any(("response.output_audio.delta",), start)
        added = [
            event["item"] for event in client.events[start:] if event["type"] == "conversation.item.added"
        ]
        assert [item["role"] for item in added] == ["user", "assistant", "assistant"]
        assert added[1]["content"][0]["transcript"] == RECITAL
        assert added[2]["content"][0]["transcript"].startswith("This is sentence one of ten.")
        await client.say("response.create")
        await client.until("response.done", len(client.of("response.done")) + 1)
        await client.leave()
    finally:
        await ended(first, second)
