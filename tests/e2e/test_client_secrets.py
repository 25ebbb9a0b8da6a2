"""Client secrets end to end: made with a key, used by a page, over a call and a WebSocket."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realtime.access.client_secrets import ClientSecrets
from tests.conftest import Server, running_server
from tests.e2e.webrtc_client import Caller, calling, post

KEY = {"authorization": "Bearer secret"}
SESSION = {"type": "realtime", "model": "mine", "instructions": "Be brief."}


@pytest.fixture
async def keyed() -> AsyncIterator[Server]:
    async with running_server(keys="secret") as server:
        yield server


async def secret_of(server: Server, body: object, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=None) as http:
        url = f"{server.http}/v1/realtime/client_secrets"
        return await http.post(url, json=body, headers={**KEY, **headers})


async def bearer(server: Server) -> dict[str, str]:
    made = await secret_of(server, {"session": SESSION})
    return {"authorization": f"Bearer {made.json()['value']}"}


async def test_a_secret_is_made_as_openai_makes_it(keyed: Server) -> None:
    made = await secret_of(
        keyed, {"expires_after": {"anchor": "created_at", "seconds": 10}, "session": SESSION}
    )
    assert made.status_code == 200
    content = made.json()
    assert content["value"].startswith("ek_")
    assert content["session"]["object"] == "realtime.session"
    assert content["session"]["instructions"] == "Be brief."
    assert content["session"]["model"] == "mine"
    assert content["session"]["expires_at"] == content["expires_at"]


async def test_a_call_with_a_secret_begins_with_its_session_and_keeps_it(keyed: Server) -> None:
    async with calling(keyed, **await bearer(keyed)) as caller:
        await _keeps_its_session(caller)


async def test_a_call_may_say_more_beside_a_secret_and_nothing_else(keyed: Server) -> None:
    session = {"type": "realtime", "instructions": "Ramble.", "output_modalities": ["text"]}
    async with calling(keyed, session=session, **await bearer(keyed)) as caller:
        assert caller.events[0]["session"]["instructions"] == "Be brief."
        assert caller.events[0]["session"]["output_modalities"] == ["text"]


async def test_a_page_opens_a_websocket_with_a_secret_as_subprotocol(keyed: Server) -> None:
    value = (await bearer(keyed))["authorization"].removeprefix("Bearer ")
    protocols = ["realtime", f"openai-insecure-api-key.{value}"]
    async with connect(f"{keyed.ws}/v1/realtime", subprotocols=protocols, open_timeout=None) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == "realtime"
        created = json.loads(await socket.recv())
        assert created["type"] == "session.created"
        assert created["session"]["instructions"] == "Be brief."
        await socket.send(json.dumps({"type": "session.update", "session": {"instructions": "Ramble."}}))
        updated = json.loads(await socket.recv())
        assert updated["type"] == "session.updated"
        assert updated["session"]["instructions"] == "Be brief."


async def test_a_secret_opens_nothing_but_sessions(keyed: Server) -> None:
    key = await bearer(keyed)
    assert (await secret_of(keyed, {}, **key)).status_code == 401
    async with httpx.AsyncClient(headers=key, timeout=None) as http:
        assert (await http.get(f"{keyed.http}/v1/models")).status_code == 401
        assert (await http.get(f"{keyed.http}/metrics")).status_code == 401
        assert (await http.post(f"{keyed.http}/v1/chat/completions", json={})).status_code == 401


async def test_a_secret_that_names_no_type_is_for_a_session_that_answers(keyed: Server) -> None:
    secret = (await secret_of(keyed, {})).json()["value"]
    headers = {"authorization": f"Bearer {secret}"}
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{keyed.ws}/v1/realtime?intent=transcription", additional_headers=headers).__aenter__()
    assert refused.value.response.status_code == 400
    async with connect(f"{keyed.ws}/v1/realtime", additional_headers=headers) as socket:
        assert json.loads(await socket.recv())["session"]["type"] == "realtime"
        update = {"type": "session.update", "session": {"type": "transcription"}}
        await socket.send(json.dumps(update))
        assert json.loads(await socket.recv())["error"]["param"] == "session.type"


async def test_an_expired_secret_opens_nothing(keyed: Server) -> None:
    expired = ClientSecrets(["secret"], now=lambda: 0.0).issue(SESSION, 10).value
    caller = Caller()
    refused = await post(keyed, await caller.offer(), authorization=f"Bearer {expired}")
    await caller.close()
    assert refused.status_code == 401
    assert "expired" in refused.json()["error"]["message"]
    with pytest.raises(InvalidStatus):
        await connect(
            f"{keyed.ws}/v1/realtime",
            additional_headers={"authorization": f"Bearer {expired}"},
            open_timeout=None,
        ).__aenter__()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"expires_after": {"anchor": "created_at", "seconds": 9}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "created_at", "seconds": 7201}}, "expires_after.seconds"),
        ({"expires_after": {"seconds": True}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "yesterday"}}, "expires_after"),
        ({"expires_after": 60}, "expires_after"),
        ({"session": {"type": "dictation"}}, "session.type"),
        ({"session": {"output_modalities": ["smell"]}}, "session.output_modalities[0]"),
        ({"session": "mine"}, "session"),
        ([], None),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong(keyed: Server, body: Any, param: str | None) -> None:
    refused = await secret_of(keyed, body)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param


async def _keeps_its_session(caller: Caller) -> None:
    assert caller.events[0]["session"]["instructions"] == "Be brief."
    await caller.say(
        type="session.update",
        session={"type": "realtime", "instructions": "Ramble.", "output_modalities": ["text"]},
    )
    updated = (await caller.until("session.updated"))["session"]
    assert updated["instructions"] == "Be brief."
    assert updated["output_modalities"] == ["text"]
