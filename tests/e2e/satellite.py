"""A satellite as Rhasspy's services make one, on the plain client library: nothing of Parlour's."""

import asyncio
import io
import json
import math
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiomqtt

from tests.peers.pace import Paced
from tests.waiting import News

CHUNK_BYTES = 2048  # 64 ms, as rhasspy-microphone-cli-hermes sends


def wav(pcm: bytes, hz: int = 16_000, channels: int = 1) -> bytes:
    with io.BytesIO() as raw:
        with wave.open(raw, "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(hz)
            file.writeframes(pcm)
        return raw.getvalue()


def readable(payload: bytes) -> dict[str, Any]:
    """Empty for what is no message: anybody may write to these topics."""
    try:
        told = json.loads(payload)
    except ValueError:
        told = None
    return told if isinstance(told, dict) else {}


@dataclass
class Satellite:
    """Plays one WAV after another, in real time; finishes: and says when each has ended."""

    client: aiomqtt.Client
    site: str
    finishes: bool = True
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    played_ms: float = 0.0
    pieces: list[bytes] = field(default_factory=list)
    _waiting: asyncio.Queue[tuple[str, bytes]] = field(default_factory=asyncio.Queue)
    _news: News = field(default_factory=News)

    async def publish(self, topic: str, **message: Any) -> None:
        await self.client.publish(f"hermes/{topic}", json.dumps({"siteId": self.site, **message}), qos=0)

    async def wake(self) -> None:
        model = {"modelId": "porcupine", "modelVersion": "", "modelType": "personal"}
        await self.publish("hotword/porcupine/detected", currentSensitivity=0.5, **model)

    async def hear(self, pcm16k: bytes) -> None:
        """As fast as it goes."""
        for at in range(0, len(pcm16k), CHUNK_BYTES):
            chunk = wav(pcm16k[at : at + CHUNK_BYTES])
            await self.client.publish(f"hermes/audioServer/{self.site}/audioFrame", chunk)

    def of(self, topic: str) -> list[dict[str, Any]]:
        return [message for came, message in self.messages if came == topic]

    async def until(self, found: Callable[[], Any]) -> Any:
        return await self._news.until(found, lambda: f"what the site waited for, but {self.messages}")

    async def told(self, topic: str, n: int = 1) -> dict[str, Any]:
        """The nth message of that topic."""
        return dict((await self.until(lambda: self.of(topic)[n - 1 :]))[0])

    async def read(self) -> None:
        async for message in self.client.messages:
            topic = str(message.topic).removeprefix("hermes/")
            assert isinstance(message.payload, bytes)
            if "/playBytes/" in topic:
                self.pieces.append(message.payload)
                self._waiting.put_nowait((topic.rpartition("/")[2], message.payload))
            else:
                told = readable(message.payload)
                if told.get("siteId") == self.site:
                    self.messages.append((topic, told))
            self._news()

    async def play(self) -> None:
        loudspeaker = Paced(catches_up=False)
        while True:
            piece, riff = await self._waiting.get()
            with wave.open(io.BytesIO(riff)) as file:
                duration_s = file.getnframes() / file.getframerate()
            await loudspeaker.after(duration_s)
            self.played_ms += duration_s * 1000
            self._news()
            if self.finishes:
                await self.publish(f"audioServer/{self.site}/playFinished", id=piece, sessionId="")


@asynccontextmanager
async def satellite(url: str, site: str = "kitchen", finishes: bool = True) -> AsyncIterator[Satellite]:
    parts = urlsplit(url)
    client = aiomqtt.Client(parts.hostname or "", parts.port or 1883, timeout=math.inf)
    client.pending_calls_threshold = 1_000_000
    async with client:
        one = Satellite(client, site, finishes)
        await client.subscribe(
            [
                (f"hermes/audioServer/{site}/playBytes/#", 0),
                ("hermes/dialogueManager/+", 0),
                ("hermes/asr/+", 0),
                ("hermes/error/+", 0),
                ("hermes/tts/sayFinished", 0),
            ]
        )
        running = [asyncio.create_task(one.read()), asyncio.create_task(one.play())]
        try:
            yield one
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
