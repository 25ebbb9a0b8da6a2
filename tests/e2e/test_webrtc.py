"""Whole conversations over WebRTC: aiortc calls the real server on loopback, the scripted agent answers."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from agent.scripted.agent import RECITAL
from realtime.protocol.events import ItemDeleted, ResponseCancel
from realtime.session.registry import Sessions
from realtime.session.transport import Transport
from realtime.transports.webrtc import peer
from tests.conftest import Server, running_server
from tests.e2e.webrtc_client import Caller, calling, post
from tests.peers.recital import WORDS, BriefAgent, words_heard
from tests.speech import HZ, utterance
from tests.waiting import Lateness

TAIL_S = 0.15  # of silence that the server sends after sound: with it, all sound has come


def question(name: str) -> bytes:
    """With the silence that ends the turn."""
    return utterance(name).pcm16k + bytes(2 * HZ)


async def ask(caller: Caller, text: str = "Please recite.") -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await caller.say(type="conversation.item.create", item=item)
    await caller.say(type="response.create")


async def test_a_call_begins_with_the_session(server: Server) -> None:
    async with calling(server) as caller:
        created = caller.events[0]
        assert created["type"] == "session.created"
        assert created["session"]["type"] == "realtime"
        assert caller.location.startswith("/v1/realtime/calls/rtc_")


async def test_a_spoken_turn_is_heard_and_answered_aloud() -> None:
    async with running_server(BriefAgent(3)) as server, calling(server) as caller:
        caller.hear_at_once()
        said_at_ms = caller.microphone.at_ms
        caller.microphone.say(question("cards_001"))
        started = await caller.until("input_audio_buffer.speech_started")
        await caller.until("input_audio_buffer.committed")
        done = await caller.until("response.done")
        assert done["response"]["status"] == "completed"
        assert started["audio_start_ms"] - said_at_ms < 1_500
        response_id = done["response"]["id"]
        await caller.hears_of("output_audio_buffer.started", 1)  # made, maybe, before any of it was sent
        assert caller.of("output_audio_buffer.started")[0]["response_id"] == response_id
        stopped = await caller.until("output_audio_buffer.stopped")
        assert stopped["response_id"] == response_id
        await caller.recorded_s(TAIL_S)
        assert 2_700 < caller.sound_ms < 3_200
        assert caller.of("response.output_audio.delta") == []
        ids = [event["event_id"] for event in caller.events]
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("lead_s", [1.0, 30.0], ids=["while it is generated", "after it was generated"])
async def test_barge_in_clears_the_playout_and_keeps_what_was_heard(
    lead_s: float, lateness: Lateness
) -> None:
    async with running_server(playback_lead_s=lead_s) as server, calling(server) as caller:
        caller.hear_at_once()
        await ask(caller)
        await caller.until("output_audio_buffer.started")
        await caller.recorded_s(1.5)
        if lead_s == 30.0:
            await caller.hears_of("response.done", 1)
        caller.microphone.say(question("something"))
        await caller.until("input_audio_buffer.speech_started")
        cleared = await caller.until("output_audio_buffer.cleared")
        truncated = (await caller.until("conversation.item.truncated"))["audio_end_ms"]
        first = caller.of("response.done")[0]["response"]
        assert cleared["response_id"] == first["id"]
        assert first["status"] == ("cancelled" if lead_s == 1.0 else "completed")
        await caller.recorded_s(TAIL_S)
        assert abs(caller.sound_ms - truncated) < lateness.allowed_ms(200)
        await caller.say(type="conversation.item.retrieve", item_id=first["output"][0]["id"])
        kept = (await caller.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
        assert kept == " ".join(WORDS[: words_heard(truncated)])
        assert 0 < len(kept) < len(RECITAL)


async def test_a_client_can_clear_the_playout_itself(server: Server, lateness: Lateness) -> None:
    async with calling(server) as caller:
        caller.hear_at_once()
        await ask(caller)
        await caller.until("output_audio_buffer.started")
        await caller.recorded_s(0.5)
        await caller.say(type="response.cancel")
        await caller.say(type="output_audio_buffer.clear")
        await caller.until("output_audio_buffer.cleared")
        truncated = (await caller.until("conversation.item.truncated"))["audio_end_ms"]
        assert caller.of("response.done")[0]["response"]["status"] == "cancelled"
        await caller.recorded_s(TAIL_S)
        assert abs(caller.sound_ms - truncated) < lateness.allowed_ms(200)


async def test_two_answers_are_played_one_after_the_other(server: Server) -> None:
    async with calling(server, session={"type": "realtime", "max_output_tokens": 6}) as caller:
        for _ in range(2):
            await ask(caller)
            await caller.until("response.done")
        await caller.hears_of("output_audio_buffer.stopped", 2)
        kinds = [event["type"] for event in caller.events if event["type"].startswith("output_audio_buffer")]
        assert kinds == ["output_audio_buffer.started", "output_audio_buffer.stopped"] * 2


async def test_g711_as_input_format_changes_nothing_on_the_wire(server: Server) -> None:
    session = {
        "type": "realtime",
        "audio": {"input": {"format": {"type": "audio/pcmu"}}},
        "max_output_tokens": 2,
    }
    async with calling(server, session=session) as caller:
        caller.microphone.say(question("cards_001"))
        await caller.until("input_audio_buffer.speech_started")
        assert (await caller.until("response.done"))["response"]["status"] == "incomplete"


@pytest.mark.parametrize("message", ["{", '{"type": "no.such.event"}', b"\x00\x01"])
async def test_a_bad_event_gets_an_error_and_the_call_goes_on(server: Server, message: str | bytes) -> None:
    async with calling(server) as caller:
        caller.channel.send(message)
        assert (await caller.until("error"))["error"]["type"] == "invalid_request_error"
        await caller.say(type="conversation.item.retrieve", item_id="none", event_id="still here")
        assert (await caller.until("error"))["error"]["event_id"] == "still here"


async def test_the_clients_own_word_on_playback_counts_for_nothing_here(
    server: Server, lateness: Lateness
) -> None:
    async with calling(server) as caller:
        caller.hear_at_once()
        await ask(caller)
        item_id = (await caller.until("response.output_item.added"))["item"]["id"]
        await caller.until("output_audio_buffer.started")
        await caller.say(type="parlour.playback", item_id=item_id, played_ms=9_000)
        await caller.recorded_s(0.3)
        await caller.say(type="output_audio_buffer.clear")
        await caller.say(type="response.cancel")
        truncated = (await caller.until("conversation.item.truncated"))["audio_end_ms"]
        await caller.recorded_s(TAIL_S)
        assert abs(caller.sound_ms - truncated) < lateness.allowed_ms(200)


# How a call begins --------------------------------------------------------------------------


async def test_the_session_beside_the_offer_is_what_it_begins_with(server: Server) -> None:
    session = {"type": "realtime", "model": "mine", "instructions": "Be brief."}
    async with calling(server, session=session) as caller:
        assert [event["type"] for event in caller.events] == ["session.created"]
        assert caller.events[0]["session"]["instructions"] == "Be brief."
        assert caller.events[0]["session"]["model"] == "mine"


async def test_the_model_may_be_named_in_the_url(server: Server) -> None:
    async with calling(server, query="?model=named") as caller:
        assert caller.events[0]["session"]["model"] == "named"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Bearer ek_forged.forged"}, 401),
    ],
)
async def test_without_a_key_no_call_begins(headers: dict[str, str], status: int) -> None:
    async with running_server(keys="secret") as server:
        refused = await post(server, await offered(), **headers)
        assert refused.status_code == status
        assert refused.json()["error"]["message"]
        assert server.sessions.open_count == 0


async def test_another_sites_page_is_refused_and_a_friends_is_let_in() -> None:
    async with running_server(allowed_origins="https://friend.example") as server:
        assert (await post(server, await offered(), origin="https://evil.example")).status_code == 403
        async with calling(server, origin="https://friend.example"), httpx.AsyncClient(timeout=None) as http:
            asked = {
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type,x-openai-agents-sdk",
            }
            for origin, status in (("https://friend.example", 200), ("https://evil.example", 400)):
                url = f"{server.http}/v1/realtime/calls"
                preflight = await http.options(url, headers={"origin": origin, **asked})
                assert preflight.status_code == status
            allowed = await http.options(url, headers={"origin": "https://friend.example", **asked})
            assert allowed.headers["access-control-allow-origin"] == "https://friend.example"
            assert "x-openai-agents-sdk" in allowed.headers["access-control-allow-headers"]
            gone = await http.post(f"{url}/rtc_none/hangup", headers={"origin": "https://friend.example"})
            assert gone.status_code == 404
            assert gone.headers["access-control-expose-headers"] == "location"


# How it ends --------------------------------------------------------------------------------


async def test_hanging_up_over_http_ends_the_call(server: Server) -> None:
    async with calling(server) as caller, httpx.AsyncClient(timeout=None) as http:
        assert (await http.post(f"{server.http}{caller.location}/hangup")).status_code == 200
        await caller.closed.wait()
        await server.left()
        assert (await http.post(f"{server.http}{caller.location}/hangup")).status_code == 404


async def test_an_expired_session_tells_and_ends() -> None:
    async with running_server(session_minutes=0.02) as server, calling(server) as caller:
        assert (await caller.until("error"))["error"]["code"] == "session_expired"
        await caller.closed.wait()


async def test_closing_the_data_channel_ends_the_call(server: Server) -> None:
    async with calling(server) as caller:
        caller.channel.close()
        await server.left()


async def test_a_peer_that_falls_silent_is_gone_within_seconds(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with calling(server) as caller:
        monkeypatch.setattr(peer, "SILENT_S_MAX", 1.5)
        caller.vanish()
        await server.left()


async def test_an_offer_that_nobody_follows_up_gives_its_place_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    admitted, places = Sessions.admitted, []

    @contextmanager
    def noted(self: Sessions, name: str) -> Iterator[None]:
        with admitted(self, name):
            places.append(self.open_count)
            yield

    monkeypatch.setattr(Sessions, "admitted", noted)
    monkeypatch.setattr(peer, "CONNECT_WITHIN_S", 0.5)
    assert (await post(server, await offered())).status_code == 201
    assert places == [1]
    await server.left()


async def test_a_peer_with_another_certificate_is_not_let_in(server: Server) -> None:
    caller = Caller()
    wrong = re.sub(r"(a=fingerprint:sha-\d+ )..", r"\g<1>00", await caller.offer())
    response = await post(server, wrong)
    assert response.status_code == 201
    await caller.take(response.text)
    await server.left()
    assert caller.events == []
    await caller.close()


async def offered() -> str:
    caller = Caller()
    offer = await caller.offer()
    await caller.close()
    return offer


async def test_a_call_handed_from_runner_to_runner_loses_and_repeats_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hand_about(_: Sessions, transport: Transport, *__: object) -> None:
        for number in range(60):
            transport.send(ItemDeleted(item_id=f"item {number}"))
            running = asyncio.create_task(transport.run(), name="a runner's sender")
            receiving = asyncio.create_task(transport.receive(), name="a runner's reader")
            for _ in range(number % 4):
                await asyncio.sleep(0)
            for task in (running, receiving):
                task.cancel()
            await asyncio.gather(running, receiving, return_exceptions=True)
        async with asyncio.TaskGroup() as tasks:
            sender = tasks.create_task(transport.run(), name="the last runner's sender")
            while not isinstance(await transport.receive(), ResponseCancel):
                pass
            sender.cancel()
        await transport.close(1000, "")

    monkeypatch.setattr(Sessions, "run", hand_about)
    caller = Caller()
    await caller.call(server)
    for number in range(60):
        assert (await caller.until("conversation.item.deleted"))["item_id"] == f"item {number}"
    await caller.say(type="response.cancel")
    await caller.closed.wait()
    assert len(caller.events) == 60
    await caller.close()
