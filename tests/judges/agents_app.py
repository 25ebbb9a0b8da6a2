"""Runs the web app of openai-agents' examples: PORT URL, from its folder. Only whom it calls changes."""

import sys
from typing import Any

import uvicorn
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel

port, url = int(sys.argv[1]), sys.argv[2]
sys.path.insert(0, "")
connect = OpenAIRealtimeWebSocketModel.connect


async def connect_to_parlour(model: OpenAIRealtimeWebSocketModel, options: Any) -> None:
    await connect(model, {**options, "url": url})


OpenAIRealtimeWebSocketModel.connect = connect_to_parlour  # type: ignore[method-assign]
uvicorn.run("server:app", host="127.0.0.1", port=port, log_level="warning")
