"""Clients of OpenAI's beta: its SDK's own connection, its keys and its consoles' calls."""

import base64
import json
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect

from realtime.audio.g711 import decode_mulaw
from tests.conftest import Server
from tests.e2e.webrtc_client import Caller


def beta(server: Server) -> AsyncOpenAI:
    return AsyncOpenAI(websocket_base_url=f"{server.ws}/v1", api_key="none")


async def test_the_sdks_beta_connection_has_a_mu_law_turn_in_its_own_words(server: Server) -> None:
    async with beta(server).beta.realtime.connect(model="gpt-4o-realtime-preview") as connection:
        formats: Any = {"input_audio_format": "g711_ulaw", "output_audio_format": "g711_ulaw"}
        await connection.session.update(session={**formats, "turn_detection": None})  # type: ignore[typeddict-item]
        created, updated = await connection.recv(), await connection.recv()
        assert (created.type, updated.type) == ("session.created", "session.updated")
        assert updated.session.output_audio_format == "g711_ulaw"
        await connection.input_audio_buffer.append(audio=base64.b64encode(b"\xff" * 8000).decode())
        await connection.input_audio_buffer.commit()
        await connection.response.create(response={"modalities": ["audio", "text"]})
        sound, words, seen = b"", "", []
        async for event in connection:
            seen.append(event.type)
            if event.type == "response.audio.delta":
                sound += base64.b64decode(event.delta)
            if event.type == "response.audio_transcript.delta":
                words += event.delta
            if event.type == "response.done":
                break
        assert "conversation.item.created" in seen
        assert not any(one.startswith(("response.output_text", "response.output_audio")) for one in seen)
        assert words.startswith("This is sentence one of ten.")
        # Ten seconds of tones: as mu-law, a second's samples are 8,000 bytes.
        assert len(sound) == pytest.approx(80_000, rel=0.02)
        assert (
            max(
                abs(int.from_bytes(decode_mulaw(sound[at : at + 1]), "little", signed=True))
                for at in range(400)
            )
            < 8000
        )


async def test_a_key_of_the_betas_endpoint_opens_a_session_in_the_betas_words(server: Server) -> None:
    wanted = {"model": "gpt-4o-realtime-preview", "voice": "alloy", "modalities": ["text"]}
    async with httpx.AsyncClient(timeout=None) as http:
        made = await http.post(f"{server.http}/v1/realtime/sessions", json=wanted)
    assert made.status_code == 200
    session = made.json()
    assert (session["voice"], session["modalities"]) == ("alloy", ["text"])
    key = {"authorization": f"Bearer {session['client_secret']['value']}"}
    async with connect(f"{server.ws}/v1/realtime", additional_headers=key, open_timeout=None) as socket:
        created = json.loads(await socket.recv())
        assert created["session"]["modalities"] == ["text"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("sessions", {"input_audio_format": "opus"}, "input_audio_format"),
        ("sessions", {"voise": "alloy"}, "voise"),
        ("sessions", {"turn_detection": {"threshold": 7}}, "turn_detection.threshold"),
        ("transcription_sessions", {"voice": "alloy"}, "voice"),
    ],
)
async def test_a_key_for_what_cannot_be_is_refused_by_the_fields_own_name(
    server: Server, path: str, body: dict[str, Any], param: str
) -> None:
    async with httpx.AsyncClient(timeout=None) as http:
        refused = await http.post(f"{server.http}/v1/realtime/{path}", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


async def test_a_consoles_call_at_the_betas_address_speaks_the_beta(server: Server) -> None:
    caller = Caller()
    try:
        async with httpx.AsyncClient(timeout=None) as http:
            answer = await http.post(
                f"{server.http}/v1/realtime?model=gpt-4o-realtime-preview",
                content=await caller.offer(),
                headers={"content-type": "application/sdp"},
            )
        assert answer.status_code == 201
        await caller.take(answer.text)
        created = await caller.until("session.created")
        assert created["session"]["input_audio_format"] == "pcm16"
        await caller.say(type="session.update", session={"modalities": ["text"]})
        assert (await caller.until("session.updated"))["session"]["modalities"] == ["text"]
        await caller.say(type="response.create")
        await caller.until("response.text.delta")
    finally:
        await caller.close()


async def test_a_page_of_another_site_may_ask_there_too(server: Server) -> None:
    asked = {"origin": "https://console.example", "access-control-request-method": "POST"}
    async with httpx.AsyncClient(timeout=None) as http:
        for path in ("/v1/realtime", "/v1/realtime/calls"):
            answer = await http.options(f"{server.http}{path}", headers=asked)
            # Without keys other origins are not allowed: that is said, and not that there is no such method.
            assert answer.status_code == 400
            assert "origin" in answer.text


async def test_the_subprotocol_of_browsers_says_beta(server: Server) -> None:
    protocols: Any = ["realtime", "openai-beta.realtime-v1"]
    async with connect(f"{server.ws}/v1/realtime", subprotocols=protocols, open_timeout=None) as socket:
        assert socket.subprotocol == "realtime"
        assert json.loads(await socket.recv())["session"]["input_audio_format"] == "pcm16"
