"""The stock pipecat `OpenAIRealtimeLLMService`: a spoken turn, a barge-in, a tool call.

Runs in pipecat's own environment: python pipecat_client.py ws://HOST:PORT QUESTION.pcm SECONDS. The PCM
is s16le mono at 24 kHz; who waits longer than so many seconds hangs.
Prints one JSON object of what the client saw; who runs it judges.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime.events import (
    AudioConfiguration,
    AudioInput,
    InputAudioTranscription,
    SessionProperties,
)
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

GATEWAY, QUESTION, HANGS_S = sys.argv[1], Path(sys.argv[2]).read_bytes(), float(sys.argv[3])
CHUNK_BYTES = 960  # 20 ms
SILENCE = bytes(48_000)


class Watch(FrameProcessor):
    """Behind the service: notes what comes out of it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Any] = {
            "audio_bytes": 0,
            "words": "",
            "responses": 0,
            "interrupted": 0,
            "errors": [],
            "tools": [],
        }
        self._changed = asyncio.Condition()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case TTSAudioRawFrame():
                self.seen["audio_bytes"] += len(frame.audio)
            case TTSTextFrame():
                self.seen["words"] += frame.text
            case LLMFullResponseEndFrame():
                self.seen["responses"] += 1
            case InterruptionFrame():
                self.seen["interrupted"] += 1
        await self.changed()
        await self.push_frame(frame, direction)

    async def changed(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, fits: Callable[[dict[str, Any]], bool]) -> None:
        async with asyncio.timeout(HANGS_S), self._changed:
            await self._changed.wait_for(lambda: fits(self.seen))


async def converse(
    act: Callable[[PipelineWorker, Watch], Awaitable[None]], tools: bool = False
) -> dict[str, Any]:
    watch = Watch()
    heard = AudioConfiguration(input=AudioInput(transcription=InputAudioTranscription()))
    service = OpenAIRealtimeLLMService(
        api_key="none",
        base_url=f"{GATEWAY}/v1/realtime",
        settings=OpenAIRealtimeLLMService.Settings(
            model="scripted", session_properties=SessionProperties(audio=heard)
        ),
    )

    async def weather(call: FunctionCallParams) -> None:
        watch.seen["tools"].append([call.function_name, sorted(call.arguments)])
        await call.result_callback("rain all day")

    service.register_function("weather", weather)
    properties = {"place": {"type": "string"}, "days": {"type": "integer"}}
    schema = FunctionSchema("weather", "The weather of a place.", properties, ["place", "days"])
    context = LLMContext(tools=ToolsSchema(standard_tools=[schema])) if tools else LLMContext()
    if tools:
        context.add_message({"role": "user", "content": "Will it rain?"})
    aggregators = LLMContextAggregatorPair(context)
    worker = PipelineWorker(
        Pipeline([aggregators.user(), service, watch, aggregators.assistant()]),
        params=PipelineParams(audio_in_sample_rate=24_000, audio_out_sample_rate=24_000),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def _started(_worker: PipelineWorker, _frame: Frame) -> None:
        started.set()

    @worker.event_handler("on_pipeline_error")
    async def _error(_worker: PipelineWorker, frame: ErrorFrame) -> None:
        watch.seen["errors"].append(frame.error)
        await watch.changed()

    @service.event_handler("on_conversation_item_created")
    async def _item(_service: Any, _item_id: str, _item: Any) -> None:
        await watch.changed()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await started.wait()
    try:
        await act(worker, watch)
    except TimeoutError:
        watch.seen["errors"].append("timed out")
    watch.seen["context"] = [
        [message.get("role"), message.get("content")]
        for message in context.get_messages()
        if isinstance(message, dict)
    ]
    await worker.cancel()
    await running
    return watch.seen


async def say(worker: PipelineWorker, pcm: bytes) -> None:
    for at in range(0, len(pcm), CHUNK_BYTES):
        frame = InputAudioRawFrame(audio=pcm[at : at + CHUNK_BYTES], sample_rate=24_000, num_channels=1)
        await worker.queue_frame(frame)


async def spoken(worker: PipelineWorker, watch: Watch) -> None:
    await say(worker, QUESTION + SILENCE)
    await watch.until(lambda seen: seen["responses"] == 1 and seen["audio_bytes"] > 0)


async def barge_in(worker: PipelineWorker, watch: Watch) -> None:
    await worker.queue_frame(LLMRunFrame())
    # Some words have to be there before they can be cut off: two sentences, and their sound.
    await watch.until(lambda seen: seen["audio_bytes"] > 48_000 * 2 and seen["words"].count(".") >= 2)
    await say(worker, QUESTION[: 48 * 1_500])
    await watch.until(lambda seen: seen["interrupted"] > 0)
    await say(worker, QUESTION[48 * 1_500 :] + SILENCE)
    await watch.until(lambda seen: seen["words"].endswith("ten of ten."))


async def tool_call(worker: PipelineWorker, watch: Watch) -> None:
    await worker.queue_frame(LLMRunFrame())
    await watch.until(lambda seen: bool(seen["tools"]) and "rain all day" in seen["words"])


async def main() -> None:
    seen = {
        "spoken": await converse(spoken),
        "barge_in": await converse(barge_in),
        "tool_call": await converse(tool_call, tools=True),
    }
    sys.stdout.write(json.dumps(seen) + "\n")


asyncio.run(main())
