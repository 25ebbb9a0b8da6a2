"""The peer: Pipecat as a WebSocket server with Silero VAD and nothing else.

Runs in an environment of its own, which has Pipecat and not Parlour:

    python pipecat_server.py serve            one pipeline per connection, prints its port
    python pipecat_server.py triggers FILE…   which 20 ms frames of 24 kHz PCM give which signals

Audio comes as binary frames of PCM, the least that a wire can cost; Pipecat's own stream resampler
brings it to 16 kHz, as its serialisers do. Signals leave by the shortest way, not through the output
transport.
"""

import asyncio
import json
import socket
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.utils import create_stream_resampler
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADState
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputTransportMessageFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

WIRE_HZ, VAD_HZ = 24_000, 16_000
FRAME_BYTES = WIRE_HZ // 50 * 2

app = FastAPI()


class RawPcm(FrameSerializer):
    """Binary messages are audio, text messages are questions."""

    def __init__(self) -> None:
        super().__init__()
        self._resampler = create_stream_resampler()

    async def serialize(self, frame):
        return None

    async def deserialize(self, message):
        if isinstance(message, str):
            return InputTransportMessageFrame(message={"ask": message})
        audio = await self._resampler.resample(message, WIRE_HZ, VAD_HZ)
        return InputAudioRawFrame(audio=audio, sample_rate=VAD_HZ, num_channels=1) if audio else None


class Reporter(FrameProcessor):
    """Tells the client what arrives at the end of the pipeline."""

    def __init__(self, websocket: WebSocket) -> None:
        super().__init__()
        self._websocket = websocket

    async def process_frame(self, frame, direction: FrameDirection):
        await super().process_frame(frame, direction)
        match frame:
            case VADUserStartedSpeakingFrame():
                await self._websocket.send_text("started")
            case VADUserStoppedSpeakingFrame():
                await self._websocket.send_text("stopped")
            case InputTransportMessageFrame():
                await self._websocket.send_text("answered")
        await self.push_frame(frame, direction)


@app.websocket("/")
async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    transport = FastAPIWebsocketTransport(
        websocket,
        FastAPIWebsocketParams(audio_in_enabled=True, audio_in_sample_rate=VAD_HZ, serializer=RawPcm()),
    )
    pipeline = Pipeline(
        [transport.input(), VADProcessor(vad_analyzer=SileroVADAnalyzer()), Reporter(websocket)]
    )
    worker = PipelineWorker(
        pipeline,
        params=PipelineParams(audio_in_sample_rate=VAD_HZ),
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
    )

    @transport.event_handler("on_client_connected")
    async def on_client_connected(_transport, _client):
        await websocket.send_text("ready")

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(_transport, _client):
        await worker.cancel()

    await WorkerRunner(handle_sigint=False).run(worker)


def serve() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws_per_message_deflate=False)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


async def triggers(pcm: bytes) -> list[tuple[int, str]]:
    resampler, analyzer = create_stream_resampler(), SileroVADAnalyzer()
    analyzer.set_sample_rate(VAD_HZ)
    found, speaks = [], False
    for number in range(len(pcm) // FRAME_BYTES):
        frame = pcm[number * FRAME_BYTES : (number + 1) * FRAME_BYTES]
        audio = await resampler.resample(frame, WIRE_HZ, VAD_HZ)
        state = await analyzer.analyze_audio(audio) if audio else None
        if state in (VADState.SPEAKING, VADState.QUIET) and speaks != (state is VADState.SPEAKING):
            speaks = not speaks
            found.append((number, "started" if speaks else "stopped"))
    return found


def main() -> None:
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["triggers", *files]:
            print(json.dumps([asyncio.run(triggers(Path(file).read_bytes())) for file in files]))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
