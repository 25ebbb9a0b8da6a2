"""The gateway under test: started as its users start it, spoken to on its own wire."""

import asyncio
import base64
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from websockets.asyncio.client import connect

from realtime.audio.wire_format import InputDecoder
from realtime.protocol.config import PcmFormat, ServerVad
from realtime.protocol.inputs import SpeechStarted, SpeechStopped
from realtime.settings import Settings
from realtime.turns.choose import Detectors
from tests.bench.frames import client_frame
from tests.bench.load import Kind, Trigger
from tests.bench.machine import children, pin
from tests.bench.tracks import Track

ROOT = Path(__file__).parent.parent.parent
GATEWAY_CORE, OTHERS_CORE = 0, 1
_START_WITHIN_S = 120.0
_STOP_WITHIN_S = 10.0
_WARM_UP_DELTAS = 20  # within the lead that an answer's audio may have: they come at once


@dataclass(frozen=True, slots=True)
class Gateway:
    """pid: of the gateway process alone; its agent is a child of it."""

    pid: int
    port: int


@asynccontextmanager
async def running_gateway(*arguments: str, pinned: bool = True) -> AsyncIterator[Gateway]:
    """`parlour serve` with these arguments on a free port; pinned: the gateway on one core, its
    agent on the other. Raises RuntimeError when it does not start."""
    command = [sys.executable, "-m", "realtime.cli", "serve", "--port", "0", "--log-level", "warning"]
    process = await asyncio.create_subprocess_exec(
        *command,
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        async with asyncio.timeout(_START_WITHIN_S):
            port = await _port(process)
        if pinned:
            pin(process.pid, GATEWAY_CORE)
            for child in children(process.pid):
                pin(child, OTHERS_CORE)
        yield Gateway(process.pid, port)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_STOP_WITHIN_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    async for line in process.stdout:
        found = re.search(rb"open https?://[^ ]*:(\d+)/", line)
        if found:
            return int(found[1])
    raise RuntimeError(f"the gateway did not start (exit code {await process.wait()})")


async def warm_up(port: int) -> None:
    """Have one answer begun, so that what the server and its agent do once only is done."""
    async with connect(f"ws://127.0.0.1:{port}{GatewayWire.path}") as socket:
        await socket.send('{"type":"response.create"}')
        deltas = 0
        async with asyncio.timeout(_START_WITHIN_S):
            while deltas < _WARM_UP_DELTAS:
                deltas += '"response.output_audio.delta"' in str(await socket.recv())


class GatewayWire:
    """The realtime protocol, as far as the load needs it (`tests.bench.load.Wire`)."""

    path = "/v1/realtime"
    ask = client_frame(b'{"type":"conversation.item.retrieve","item_id":"item_that_is_not"}')

    def audio(self, pcm: bytes) -> bytes:
        return client_frame(b'{"type":"input_audio_buffer.append","audio":"' + base64.b64encode(pcm) + b'"}')

    def read(self, payload: bytes) -> Kind | None:
        for start, kind in _STARTS:
            if payload.startswith(start):
                return kind
        return None


_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b'{"type":"error"', "answered"),
    (b'{"type":"input_audio_buffer.speech_started"', "started"),
    (b'{"type":"input_audio_buffer.speech_stopped"', "stopped"),
    (b'{"type":"session.created"', "ready"),
)


def triggers(tracks: Sequence[Track]) -> list[list[Trigger]]:
    """Which frames give which signals: the turn detector tells, heard without any server."""
    settings = Settings()
    detectors = Detectors(settings.vad, settings.utterance_s_max)
    found: list[list[Trigger]] = []
    for track in tracks:
        decoder, detector = InputDecoder(PcmFormat()), detectors.make(ServerVad(), 0)
        known: list[Trigger] = []
        for number, frame in enumerate(track.frames):
            for turn_signal in detector.push(decoder.push(frame)):
                match turn_signal:
                    case SpeechStarted():
                        known.append(Trigger(number, "started"))
                    case SpeechStopped():
                        known.append(Trigger(number, "stopped"))
                    case _:
                        pass
        found.append(known)
    return found


def event(**fields: object) -> bytes:
    """A client event as a whole frame."""
    return client_frame(json.dumps(fields).encode())
