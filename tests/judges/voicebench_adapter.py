"""How voicebench, in its own environment, talks to a realtime server: `voicebench_adapter:Realtime`."""

import asyncio
import base64
import json
from typing import ClassVar

from voicebench import audio as au
from voicebench.adapters.base import AgentClear, Transcript
from voicebench.adapters.websocket import WebSocketAdapter

HZ = 24_000


class Realtime(WebSocketAdapter):
    """The events of OpenAI's protocol; the scenario's sample_rate must be 24000."""

    name: ClassVar[str] = "realtime"

    async def send_audio(self, pcm: au.FloatArray) -> None:
        sound = base64.b64encode(au.to_pcm16(pcm)).decode()
        assert self._ws is not None
        await self._ws.send(json.dumps({"type": "input_audio_buffer.append", "audio": sound}))

    def handle_text(self, message: str, now: float) -> None:
        event = json.loads(message)
        match event["type"]:
            case "session.created":
                update = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
                sending = self._ws.send(json.dumps({"type": "session.update", "session": update}))
                self._updating = asyncio.ensure_future(sending)
            case "response.output_audio.delta":
                self.handle_binary(base64.b64decode(event["delta"]), now, HZ)
            case "input_audio_buffer.speech_started":
                self.emit(AgentClear(now))
            case "conversation.item.input_audio_transcription.completed":
                self.emit(Transcript("user", event["transcript"], now))
            case "error":
                raise RuntimeError(event["error"]["message"])
