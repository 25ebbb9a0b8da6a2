"""The body of a chat completion: it is read or refused, and what was read can go to an agent."""

import json

from agent import wire
from agent.api import AgentError
from realtime.errors import ClientError
from realtime.transports.chat.request import parse_chat
from tests.fuzz.mutate import json_changed
from tests.fuzz.target import Pure


def run(data: bytes) -> None:
    try:
        request = parse_chat(data)
    except ClientError:
        return
    try:
        wire.encode(request.for_agent("chat_1"))
    except AgentError:
        pass


def seeds() -> list[bytes]:
    tool = {
        "type": "function",
        "function": {"name": "f", "description": "d", "parameters": {"type": "object"}},
    }
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    clip = {"type": "input_audio", "input_audio": {"data": "UklGRgAAAABXQVZF", "format": "wav"}}
    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "x"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}, clip]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "1"},
        ],
        "tools": [tool],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "top_p": 1,
        "seed": 1,
        "stop": ["x"],
        "max_completion_tokens": 10,
        "response_format": {"type": "text"},
    }
    return [json.dumps(body).encode(), b'{"messages": [{"role": "user", "content": "hi"}]}']


TARGET = Pure(run, seeds, mutate=json_changed)
