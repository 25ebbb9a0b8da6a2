"""A conversation moves from a speaker to another way in, and back, in the middle of an answer."""

import json
from pathlib import Path

import pytest
import websockets

from tests.conftest import Server, running_server
from tests.e2e.device import Device, device
from tests.e2e.mosquitto import running_broker
from tests.peers.recital import SENTENCE_MS, sentences
from tests.speech import utterances
from tests.waiting import Lateness, unless_it_hangs

SPEECH = utterances()[1].pcm16k
N_SENTENCES = 10


class Page:
    """As much of a page as a hand-over needs."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket

    async def say(self, **event: object) -> None:
        await self._socket.send(json.dumps(event))

    async def until(self, kind: str) -> dict[str, object]:
        async with unless_it_hangs(f"{kind} for the page"):
            while True:
                event = json.loads(await self._socket.recv())
                assert event["type"] != "error", event
                if event["type"] == kind:
                    return dict(event)


def page(server: Server, key: str = "") -> websockets.connect:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return websockets.connect(
        server.ws + "/v1/realtime", additional_headers=headers, max_size=None, open_timeout=None
    )


async def heard_of_an_answer(speaker: Device) -> None:
    await speaker.say("parlour.start", push_to_talk=True, session=sentences(N_SENTENCES))
    await speaker.sound(SPEECH)
    await speaker.say("parlour.release")
    await speaker.until(lambda: speaker.played.get(1, 0) > 1500)


@pytest.mark.parametrize("keys", ["", "mine"])
async def test_from_a_speaker_to_a_page_and_back(tmp_path: Path, keys: str, lateness: Lateness) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url, keys=keys, playback_lead_s=60.0) as server,
        device(broker.url) as speaker,
    ):
        await heard_of_an_answer(speaker)
        await speaker.say("parlour.hand_over")
        token = (await speaker.event("parlour.hand_over_token"))["token"]
        async with page(server, token if keys else "") as socket:
            there = Page(socket)
            await there.until("session.created")
            await there.say(type="parlour.resume", token=token)
            await speaker.event("parlour.moved")
            resumed = await there.until("parlour.resumed")
            [playing] = resumed["playing"]  # type: ignore[misc]
            late_ms = lateness.allowed_ms(0)
            assert speaker.told_ms - 250 - late_ms <= playing["heard_ms"] <= speaker.played[1] + 50 + late_ms
            assert (await speaker.event("parlour.closed"))["code"] == 4001
            speaker.cleared, speaker._waiting[:] = 1, []
            heard_ms = playing["heard_ms"] + 1000
            await there.say(type="parlour.playback", item_id=playing["item_id"], played_ms=heard_ms)
            await there.say(type="parlour.hand_over")
            back = (await there.until("parlour.hand_over_token"))["token"]
            speaker.cleared, speaker.played[1] = 0, 0.0  # numbered anew
            await speaker.say("parlour.resume", token=back)
            [again] = (await speaker.event("parlour.resumed"))["playing"]
            assert (again["item_id"], again["heard_ms"]) == (playing["item_id"], heard_ms)
            await speaker.until(lambda: speaker.played[1] >= N_SENTENCES * SENTENCE_MS - heard_ms)
            assert not speaker.of("error")


async def test_a_speaker_with_a_conversation_of_its_own_takes_another_one_over(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url, keys="mine") as server,
        device(broker.url, "kitchen") as kitchen,
        device(broker.url, "bath") as bath,
    ):
        await heard_of_an_answer(kitchen)
        await bath.say("parlour.start")
        await bath.state("listening")
        await kitchen.say("parlour.hand_over")
        token = (await kitchen.event("parlour.hand_over_token"))["token"]
        await bath.say("parlour.resume", token=token)
        closed = await bath.event("parlour.closed")
        assert (closed["code"], "takes another" in closed["reason"]) == (1000, True)
        resumed = await bath.event("parlour.resumed")
        assert resumed["session"]["id"] == kitchen.of("session.created")[0]["session"]["id"]
        await kitchen.event("parlour.moved")
        await bath.until(lambda: bath.played.get(1, 0) > 500)
        assert server.sessions.running_count == 1


async def test_a_token_that_was_used_already_costs_a_speaker_nothing(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url) as server,
        device(broker.url, "kitchen") as kitchen,
        device(broker.url, "bath") as bath,
    ):
        await kitchen.say("parlour.start")
        await kitchen.say("parlour.hand_over")
        token = (await kitchen.event("parlour.hand_over_token"))["token"]
        async with page(server) as socket:
            there = Page(socket)
            await there.until("session.created")
            await there.say(type="parlour.resume", token=token)
            await there.until("parlour.resumed")
            await there.say(type="input_audio_buffer.clear")  # with its first word, the token is used up
            await there.until("input_audio_buffer.cleared")
            await heard_of_an_answer(bath)
            await bath.say("parlour.resume", token=token, event_id="mine")
            error = (await bath.event("error"))["error"]
            assert (error["code"], error["event_id"]) == ("invalid_resume_token", "mine")
            played_ms = bath.played[1]
            await bath.until(lambda: bath.played[1] > played_ms + 500)  # the own answer goes on
            assert not bath.of("parlour.closed")


async def test_a_wake_word_while_a_token_is_looked_up_is_of_the_conversation_that_follows(
    tmp_path: Path,
) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url),
        device(broker.url, "kitchen") as kitchen,
        device(broker.url, "bath") as bath,
    ):
        await heard_of_an_answer(kitchen)
        await bath.say("parlour.start")
        await bath.state("listening")
        await kitchen.say("parlour.hand_over")
        token = (await kitchen.event("parlour.hand_over_token"))["token"]
        for message in ("parlour.resume", "parlour.start"):
            await bath.say(message, **({"token": token} if message == "parlour.resume" else {}))
        resumed = await bath.event("parlour.resumed")
        assert resumed["session"]["id"] == kitchen.of("session.created")[0]["session"]["id"]
        await bath.state("listening")  # the answer was stopped by it
        assert not bath.played


async def test_a_token_that_is_none_ends_nothing(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url) as server,
        device(broker.url) as speaker,
    ):
        await speaker.say("parlour.start")
        await speaker.state("listening")
        own = (await speaker.event("parlour.resume_token"))["token"]
        await speaker.say("parlour.resume", token=own)  # QoS 1 may bring it late
        await speaker.say("parlour.resume", token="rt_guessed")
        assert (await speaker.event("error"))["error"]["code"] == "invalid_resume_token"
        assert not speaker.of("parlour.closed")
        assert server.sessions.open_count == 1
