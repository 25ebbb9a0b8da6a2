"""A client with a WebSocket and a loudspeaker of its own."""

import asyncio
import base64
import json
from typing import Any

import websockets

from tests.conftest import Server
from tests.e2e.resuming import EXTENSIONS, ResumingClient
from tests.peers.base import SILENCE_S, Event, Peer, Refused
from tests.peers.loudspeaker import Loudspeaker
from tests.peers.pace import Paced
from tests.speech import Utterance

FRAME_MS = 40
PUSH_TO_TALK = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


class WebSocketPeer(Peer):
    """acknowledges: it tells all the while what was heard (parlour.playback); else it truncates what it cuts
    off (conversation.item.truncate), as OpenAI's clients do."""

    def __init__(self, server: Server, acknowledges: bool = True) -> None:
        super().__init__()
        self._acknowledges = acknowledges
        self._client = ResumingClient(f"{server.ws}/v1/realtime")
        self._client.on_event = self._came
        self._loudspeaker = Loudspeaker(self._played, self._tell, self._tell_cut)
        self._is_silent = False  # since it was told that the conversation goes on elsewhere
        self._tasks = [asyncio.create_task(self._loudspeaker.run(), name="loudspeaker")]

    async def begin(self, **session: Any) -> None:
        extensions = {**EXTENSIONS, "playback_ack": self._acknowledges}
        try:
            await self._client.begin(parlour=extensions, **session)
        except websockets.InvalidStatus as refused:
            assert refused.response.status_code == 503
            assert int(refused.response.headers["retry-after"]) > 0
            raise Refused(json.loads(refused.response.body)["error"]["code"]) from None

    async def send(self, kind: str, **rest: Any) -> str:
        return await self._client.say(kind, **rest)

    async def speak(self, utterance: Utterance) -> None:
        pcm = utterance.pcm24k + bytes(int(48_000 * SILENCE_S))
        paced, step = Paced(), 48 * FRAME_MS
        for at in range(0, len(pcm), step):
            await self._client.speak(pcm[at : at + step], FRAME_MS)
            await paced.after(FRAME_MS / 1000)

    async def press(self) -> None:
        await self.send("session.update", session=PUSH_TO_TALK)
        await self.send("input_audio_buffer.clear")

    async def release(self) -> None:
        await self.send("input_audio_buffer.commit")
        await self.send("response.create")

    async def hush(self) -> None:
        self._loudspeaker.silence()
        await self.send("response.cancel")
        await self.send("output_audio_buffer.clear")

    async def falls_silent(self) -> None:
        await self._loudspeaker.still()

    async def kill(self) -> None:
        await self._client.drop()

    async def resume(self) -> Event:
        return await self._client.come_back()

    async def knock(self) -> None:
        await self._client.ask_back()
        await self._client.drop()

    async def take_over(self, token: str) -> Event:
        return await self._client.come_back(token, anew=True)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.leave()

    def _came(self, event: Event) -> None:
        match event["type"]:
            case "response.output_audio.delta" if self._is_silent:
                pass  # it was sent before the server knew that this connection is left
            case "response.output_audio.delta":
                self._loudspeaker.play(event["item_id"], base64.b64decode(event["delta"]))
            case "input_audio_buffer.speech_started":
                self._loudspeaker.silence()
            case "parlour.moved":
                self._is_silent = True
                self._tasks.append(asyncio.create_task(self._make_way(), name="parting"))
            case "parlour.resumed":
                self._is_silent = False
                if not event["replayed"]:
                    places = {one["item_id"]: one["heard_ms"] for one in event["playing"]}
                    self._loudspeaker.goes_on_at(places)
        self._took(event)

    def _played(self, item_id: str, more_ms: float) -> None:
        self.heard_ms[item_id] += more_ms
        self._news()

    async def _tell(self, item_id: str, position_ms: float) -> None:
        if self._acknowledges:
            await self._client.heard(item_id, position_ms)

    async def _tell_cut(self, item_id: str, position_ms: float) -> None:
        if self._acknowledges:
            await self._client.heard(item_id, position_ms)
        else:
            heard = {"item_id": item_id, "content_index": 0, "audio_end_ms": round(position_ms)}
            await self.send("conversation.item.truncate", **heard)

    async def _make_way(self) -> None:
        """The conversation goes on elsewhere: say what was heard here, and go."""
        self._loudspeaker.silence()
        await self._loudspeaker.still()
        await self._client.leave()
