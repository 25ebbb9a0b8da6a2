"""A client's server joins its user's call: it sees and does what the user's page can, and hears nothing."""

import base64
import contextlib
import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from realtime.session.flood import COUNTED_BYTES, EVENTS_BURST
from tests.conftest import Server, running_server
from tests.e2e.webrtc_client import Caller, calling, post
from tests.waiting import unless_it_hangs

KEY = {"authorization": "Bearer secret"}


def joining(server: Server, caller: Caller, **headers: str) -> Any:
    call_id = caller.location.rpartition("/")[2]
    url = f"{server.ws}/v1/realtime?call_id={call_id}"
    return connect(url, open_timeout=None, additional_headers=headers)


async def until(socket: ClientConnection, event_type: str) -> list[dict[str, Any]]:
    events = []
    async with unless_it_hangs(event_type):
        async for text in socket:
            events.append(json.loads(text))
            if events[-1]["type"] == event_type:
                break
    return events


async def test_it_sets_the_session_and_sees_the_answer_without_its_sound(server: Server) -> None:
    async with calling(server) as caller, joining(server, caller) as sideband:
        assert (await until(sideband, "session.created"))[0]["session"]["id"] == caller.events[0]["session"][
            "id"
        ]
        update = {"type": "realtime", "instructions": "Be brief."}
        await sideband.send(json.dumps({"type": "session.update", "session": update}))
        assert (await caller.until("session.updated"))["session"]["instructions"] == "Be brief."
        await caller.say(type="response.create")
        seen = await until(sideband, "response.done")
        assert {"session.updated", "response.created", "response.output_audio_transcript.delta"} <= {
            event["type"] for event in seen
        }
        assert not any(event["type"] == "response.output_audio.delta" for event in seen)


async def test_what_is_answered_to_it_alone_is_not_seen_by_the_caller(server: Server) -> None:
    async with calling(server) as caller, joining(server, caller) as sideband:
        audio = base64.b64encode(bytes(4800)).decode()
        for event in (
            {"type": "input_audio_buffer.append", "audio": audio},
            {"type": "conversation.item.retrieve", "item_id": "none"},
        ):
            await sideband.send(json.dumps({**event, "event_id": "mine"}))
            assert (await until(sideband, "error"))[-1]["error"]["event_id"] == "mine"
        await sideband.send(json.dumps({"type": "input_audio_buffer.clear"}))
        await caller.until("input_audio_buffer.cleared")
        assert caller.of("error") == []


async def test_it_joins_as_soon_as_the_call_has_an_id(server: Server) -> None:
    caller = Caller()
    offered = await post(server, await caller.offer())
    caller.location = offered.headers["location"]
    try:
        async with joining(server, caller) as sideband:
            await sideband.send(json.dumps({"type": "input_audio_buffer.clear"}))
            await caller.take(offered.text)
            seen = await until(sideband, "input_audio_buffer.cleared")
            assert [event["type"] for event in seen].count("session.created") == 1
            await caller.until("input_audio_buffer.cleared")
    finally:
        await caller.close()


async def test_it_does_not_get_what_the_call_can_be_taken_over_with(server: Server) -> None:
    async with calling(server) as caller, joining(server, caller) as sideband:
        await caller.say(type="session.update", session={"type": "realtime", "parlour": {"resume": True}})
        await caller.until("parlour.resume_token")
        await caller.say(type="parlour.hand_over")
        await caller.until("parlour.hand_over_token")
        await caller.say(type="input_audio_buffer.clear")
        seen = await until(sideband, "input_audio_buffer.cleared")
        assert [event for event in seen if "token" in event] == []


async def test_what_a_client_is_told_again_that_comes_back_it_is_not(server: Server) -> None:
    async with calling(server) as caller, joining(server, caller) as sideband:
        resumable = {"type": "realtime", "parlour": {"resume": True}}
        await caller.say(type="session.update", session=resumable)
        token = (await caller.until("parlour.resume_token"))["token"]
        part = {"type": "input_text", "text": "Hello."}
        item = {"type": "message", "role": "user", "content": [part]}
        await caller.say(type="conversation.item.create", item=item)
        await caller.until("conversation.item.done")
        async with calling(server) as again:
            await again.say(type="parlour.resume", token=token)
            await again.until("conversation.item.done")
            await again.say(type="input_audio_buffer.clear")
            seen = await until(sideband, "input_audio_buffer.cleared")
        assert [event["type"] for event in seen].count("conversation.item.done") == 1


async def test_audio_that_it_retrieves_counts_as_large_events(server: Server) -> None:
    seconds = 14
    audio = base64.b64encode(bytes(2 * 24_000 * seconds)).decode()
    part = {"type": "input_audio", "audio": audio}
    item = {"id": "said", "type": "message", "role": "user", "content": [part]}
    retrieving = json.dumps({"type": "conversation.item.retrieve", "item_id": "said"})
    n_most = EVENTS_BURST / (2 * 2 * 16_000 * seconds / COUNTED_BYTES)
    async with calling(server) as caller, joining(server, caller) as sideband:
        await sideband.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await until(sideband, "conversation.item.done")
        n_retrieved = 0
        with contextlib.suppress(ConnectionClosedError):
            while n_retrieved < 2 * n_most:
                await sideband.send(retrieving)
                await until(sideband, "conversation.item.retrieved")
                n_retrieved += 1
        assert sideband.close_code == 1008
        await caller.say(type="input_audio_buffer.clear")
        await caller.until("input_audio_buffer.cleared")
        assert caller.of("conversation.item.retrieved") == []


async def test_no_client_secret_joins_a_call() -> None:
    async with running_server(keys="secret") as server, httpx.AsyncClient() as http:
        url = f"{server.http}/v1/realtime/client_secrets"
        one, other = [(await http.post(url, json={}, headers=KEY)).json()["value"] for _ in range(2)]
        async with calling(server, authorization=f"Bearer {one}") as caller:
            for secret in (one, other):
                with pytest.raises(InvalidStatus) as refused:
                    await joining(server, caller, authorization=f"Bearer {secret}").__aenter__()
                assert refused.value.response.status_code == 401
            async with joining(server, caller, **KEY) as sideband:
                await until(sideband, "session.created")


async def test_it_ends_with_the_call_and_not_the_call_with_it(server: Server) -> None:
    async with calling(server) as caller:
        async with joining(server, caller) as sideband:
            await until(sideband, "session.created")
        await caller.say(type="input_audio_buffer.clear")
        await caller.until("input_audio_buffer.cleared")
        async with joining(server, caller) as sideband:
            await until(sideband, "session.created")
            caller.channel.close()
            await caller.connection.close()
            async with unless_it_hangs("the sideband's end"):
                await sideband.wait_closed()
            assert sideband.close_code == 1000


async def test_no_call_is_404_and_so_is_somebody_elses() -> None:
    async with running_server(keys="secret,other") as server, calling(server, **KEY) as caller:
        for url, key in (
            (f"{server.ws}/v1/realtime?call_id=rtc_none", KEY),
            (f"{server.ws}/v1/realtime?call_id=", KEY),
            (
                f"{server.ws}/v1/realtime?call_id={caller.location.rpartition('/')[2]}",
                {"authorization": "Bearer other"},
            ),
        ):
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, additional_headers=key, open_timeout=None).__aenter__()
            assert refused.value.response.status_code == 404
        async with joining(server, caller, **KEY) as sideband:
            await until(sideband, "session.created")


async def test_nobody_hangs_up_somebody_elses_call() -> None:
    other = {"authorization": "Bearer other"}
    async with (
        running_server(keys="secret,other") as server,
        httpx.AsyncClient() as http,
        calling(server, **KEY) as caller,
    ):
        url = f"{server.http}{caller.location}/hangup"
        assert (await http.post(url, headers=other)).status_code == 404
        await caller.say(type="input_audio_buffer.clear")
        await caller.until("input_audio_buffer.cleared")
        assert (await http.post(url, headers=KEY)).status_code == 200
