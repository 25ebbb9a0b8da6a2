"""Dictation: by the intent of the address, by an update, by a client secret; never answered."""

import base64
import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.conftest import Server
from tests.speech import utterance

COMPLETED = "conversation.item.input_audio_transcription.completed"


async def send(socket: ClientConnection, event_type: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": event_type, **fields}))


async def until(socket: ClientConnection, event_type: str) -> list[dict[str, Any]]:
    """What comes, up to the first of this type."""
    events = []
    async for text in socket:
        events.append(json.loads(text))
        if events[-1]["type"] == event_type:
            break
    return events


async def dictate(socket: ClientConnection) -> list[dict[str, Any]]:
    """Two utterances; all that comes until the second one has its words."""
    audio = base64.b64encode(utterance("something").pcm24k + bytes(48_000)).decode()
    events = []
    for _ in range(2):
        await send(socket, "input_audio_buffer.append", audio=audio)
        events += await until(socket, COMPLETED)
    return events


@pytest.mark.parametrize("query", ["?intent=transcription", ""])
async def test_dictation_gets_its_words_and_no_answer(server: Server, query: str) -> None:
    async with connect(f"{server.ws}/v1/realtime{query}", open_timeout=None) as socket:
        created = json.loads(await socket.recv())["session"]
        assert created["type"] == ("transcription" if query else "realtime")
        update = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
        await send(socket, "session.update", session=update)
        assert json.loads(await socket.recv())["session"]["type"] == "transcription"
        events = await dictate(socket)
        assert [event["type"] for event in events].count("input_audio_buffer.committed") == 2
        assert not any(event["type"].startswith("response.") for event in events)


async def test_a_client_secret_can_be_for_it(server: Server) -> None:
    wanted = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
    async with httpx.AsyncClient(timeout=None) as http:
        made = await http.post(f"{server.http}/v1/realtime/client_secrets", json={"session": wanted})
    assert made.json()["session"]["type"] == "transcription"
    key = {"authorization": f"Bearer {made.json()['value']}"}
    async with connect(f"{server.ws}/v1/realtime", additional_headers=key, open_timeout=None) as socket:
        assert json.loads(await socket.recv())["session"]["type"] == "transcription"
        await send(socket, "session.update", session={"type": "realtime", "instructions": "Answer me."})
        (refused,) = await until(socket, "error")
        assert refused["error"]["param"] == "session.type"
        audio = base64.b64encode(bytes(48_000)).decode()
        await send(socket, "input_audio_buffer.append", audio=audio)
        await send(socket, "input_audio_buffer.commit")
        assert (await until(socket, COMPLETED))[-1]["transcript"]


@pytest.mark.parametrize("intent", ["dictation", "Transcription"])
async def test_an_unknown_intent_is_refused(server: Server, intent: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{server.ws}/v1/realtime?intent={intent}", open_timeout=None).__aenter__()
    assert refused.value.response.status_code == 400
    assert b'"intent"' in (refused.value.response.body or b"")
