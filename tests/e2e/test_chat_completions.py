"""Chat completions over a real socket, as no stock client would ask for them."""

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest

from realtime.transports.chat import completions as chat_completions
from realtime.transports.chat.request import ChatRequest, parse_chat
from tests.conftest import Server, running_server
from tests.waiting import HANGS_S, unless_it_hangs

PATH = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello."}]}
MIB = 1 << 20


async def post(server: Server, content: Any, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.post(server.http + PATH, content=content, headers=headers)


async def test_the_stream_is_server_sent_events_to_the_letter(server: Server) -> None:
    answer = await post(server, json.dumps(HELLO | {"stream": True, "max_tokens": 2}))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    *events, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks] == ["", "This", " is", None]
    assert not any("usage" in chunk for chunk in chunks)


@pytest.mark.parametrize("told", [True, False], ids=["told its length", "in chunks"])
async def test_a_body_that_is_too_large_is_refused(told: bool) -> None:
    body = json.dumps(HELLO).encode() + b" " * (MIB + 1)

    async def pieces() -> Any:
        for at in range(0, len(body), 65_536):
            yield body[at : at + 65_536]

    async with running_server(body_mib_max=1) as server:
        refused = await post(server, body if told else pieces())
        assert refused.status_code == 413
        assert refused.json()["error"]["code"] == "request_too_large"
        assert "body_mib_max" in refused.json()["error"]["message"]
        assert (await post(server, body[:MIB])).status_code == 200


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_completions, "BODY_WITHIN_S", 0.05)
    async with running_server(completions_max=1) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{{".encode())
        async with unless_it_hangs("the server's refusal"):
            assert b" 408 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
        assert (await post(server, json.dumps(HELLO))).status_code == 200


async def test_the_event_loop_is_free_while_a_body_is_read(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, begun, may_end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def slowly(body: bytes) -> ChatRequest:
        loop.call_soon_threadsafe(begun.set)
        assert may_end.wait(HANGS_S)
        return parse_chat(body)

    monkeypatch.setattr(chat_completions, "parse_chat", slowly)
    async with httpx.AsyncClient(timeout=None) as other:
        asked = asyncio.create_task(post(server, json.dumps(HELLO)))
        await begun.wait()
        assert (await other.get(server.http + "/healthz")).status_code == 200
        may_end.set()
        assert (await asked).status_code == 200


async def test_what_is_no_json_is_told(server: Server) -> None:
    refused = await post(server, "model=x&messages=y")
    assert refused.status_code == 400
    assert refused.json()["error"] == {
        "type": "invalid_request_error",
        "code": "invalid_json",
        "message": "The body is not valid JSON: expected one JSON object.",
        "param": None,
    }


async def test_without_keys_another_sites_page_gets_403(server: Server) -> None:
    refused = await post(server, json.dumps(HELLO), origin="https://evil.example")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "forbidden"


async def test_nothing_but_post_is_understood(server: Server) -> None:
    async with httpx.AsyncClient(timeout=None) as client:
        assert (await client.get(server.http + PATH)).status_code == 405
