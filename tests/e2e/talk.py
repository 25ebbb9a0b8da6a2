"""One session over a real socket, as a client sees it."""

import base64
import json
from typing import Any

import websockets

from tests.conftest import Server
from tests.waiting import unless_it_hangs

PIECE_BYTES = 9_600  # 200 ms


class Talk:
    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self.events: list[dict[str, Any]] = []

    @classmethod
    async def with_server(cls, server: Server) -> "Talk":
        return await cls.at(server.ws)

    @classmethod
    async def at(cls, address: str) -> "Talk":
        """address: ws://HOST:PORT."""
        talk = cls(await websockets.connect(address + "/v1/realtime", max_size=None, open_timeout=None))
        await talk.until("session.created")
        return talk

    async def say(self, **event: Any) -> None:
        await self._socket.send(json.dumps(event))

    async def until(self, event_type: str) -> dict[str, Any]:
        async with unless_it_hangs(f"{event_type}, but {[event['type'] for event in self.events]}"):
            while True:
                event = json.loads(await self._socket.recv())
                self.events.append(event)
                if event["type"] == event_type:
                    return event

    async def speak(self, pcm24k: bytes) -> None:
        """Speech and a second of silence, as fast as it is taken."""
        sound = pcm24k + bytes(48_000)
        for start in range(0, len(sound), PIECE_BYTES):
            audio = base64.b64encode(sound[start : start + PIECE_BYTES]).decode()
            await self.say(type="input_audio_buffer.append", audio=audio)

    async def answer(self) -> dict[str, Any]:
        await self.say(type="response.create")
        return dict((await self.until("response.done"))["response"])

    async def ask(self, text: str) -> str:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.say(type="conversation.item.create", item=item)
        done = await self.answer()
        assert done["status"] == "completed"
        return str(done["output"][0]["content"][0]["transcript"])

    def spoken(self) -> bytes:
        """All audio so far, s16le mono at 24 kHz."""
        deltas = [event["delta"] for event in self.events if event["type"] == "response.output_audio.delta"]
        return b"".join(base64.b64decode(delta) for delta in deltas)
