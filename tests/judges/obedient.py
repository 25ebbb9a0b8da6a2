"""A stand-in for a model that follows instructions, for judges whose questions assume one."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from realtime.server.serve import listen
from realtime.settings import Settings
from tests.waiting import polled

RULES = (
    (r"Say exactly: (\w+)", "{}"),
    (r"[Yy]our name is (\w+)", "My name is {}."),
    (r"(?s)My favorite number is (\w+).*favorite number\?", "{}"),
    (r"(?s).*color is (\w+).*What color did", "The user mentioned {}."),
    (r"What is 2 \+ 2\?", "2 + 2 is 4."),
    (r"capital of (?:Germany|France)|capital.*Paris", "It is Paris."),
    (r"very long essay", "Computing is older than its machines. " * 200),
)
"""What the whole conversation says -> what is answered; the first that is found counts."""
OTHERWISE = "Hello there. What can I do for you today?"
WORD_EVERY_S = 0.01


def answer_of(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str | dict[str, Any]:
    """Words, or a call as the chat protocol writes it. messages, tools: of a chat request."""
    if messages and messages[-1]["role"] == "tool":
        return f"The tool says: {messages[-1]['content']}"
    written = "\n".join(_text(message) for message in messages)
    functions = [tool["function"] for tool in tools]
    about_weather = [
        one for one in functions if "weather" in one["name"] and "weather" in _text(messages[-1])
    ]
    if tools and (about_weather or "Use the tool" in written):
        function = (about_weather or functions)[0]
        place = "Paris" if "city" in function["parameters"]["properties"] else "France"
        arguments = dict.fromkeys(function["parameters"]["properties"], place)
        return {"name": function["name"], "arguments": json.dumps(arguments)}
    # Instructions come first in a request, but ask about what comes after them.
    turned = "\n".join(_text(message) for message in sorted(messages, key=_is_instruction))
    for pattern, answer in RULES:
        if found := re.search(pattern, turned):
            return answer.format(*found.groups())
    return OTHERWISE


def _is_instruction(message: dict[str, Any]) -> bool:
    return message["role"] in ("system", "developer")


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


async def _complete(request: Request) -> Response:
    asked = await request.json()
    answer = answer_of(asked["messages"], asked.get("tools") or [])
    return StreamingResponse(_chunks(answer), media_type="text/event-stream")


async def _chunks(answer: str | dict[str, Any]) -> AsyncIterator[str]:
    if isinstance(answer, str):
        for word in re.findall(r"\S+\s*", answer):
            yield _chunk({"content": word})
            await asyncio.sleep(WORD_EVERY_S)
        yield _chunk({}, "stop")
    else:
        call = {"index": 0, "id": "call_1", "type": "function", "function": answer}
        yield _chunk({"tool_calls": [call]})
        yield _chunk({}, "tool_calls")
    yield "data: [DONE]\n\n"


def _chunk(delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"


async def _models(_: Request) -> Response:
    return JSONResponse({"object": "list", "data": [{"id": "obedient", "object": "model"}]})


@asynccontextmanager
async def obedient_chat_server() -> AsyncIterator[str]:
    """It listens meanwhile; the address that `--llm-url` takes."""
    routes = [
        Route("/v1/chat/completions", _complete, methods=["POST"]),
        Route("/v1/models", _models),
    ]
    listener = listen(Settings(port=0))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="obedient chat server")
    await polled(lambda: server.started, "the chat server")
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        await serving
        listener.close()
