"""A smart speaker: what was heard is what its loudspeaker played."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from tests.e2e.device import FRAME_BYTES, Device, device
from tests.peers.base import SILENCE_S, Event, Peer, Refused
from tests.peers.pace import Paced
from tests.speech import HZ, Utterance


class MqttPeer(Peer):
    """When its network is lost, it plays on what it has; when it is back, it falls silent and says how far it
    came."""

    is_played_for = True  # by the server's word: sound that came before is dropped

    def __init__(self, broker_url: str, name: str) -> None:
        super().__init__()
        self._url, self._name = broker_url, name
        self._device: Device | None = None
        self._connection = AsyncExitStack()
        self._items: dict[
            int, tuple[str, float]
        ] = {}  # of each answer of this connection: item, its start in ms
        self._counted: dict[int, float] = {}  # of each answer, what `heard_ms` holds of it
        self._n_taken = self._n_sent = 0
        self._last_event_id: str | None = None
        self._played: dict[str, Any] | None = None  # the item that was played last, and how far
        self._playing_on: asyncio.Task[None] | None = None
        self._is_back = True  # else what comes is of the time before
        self._is_listened_to = False
        self._sounding: asyncio.Task[None] | None = None  # the piece of sound that is on its way

    async def begin(self, **session: Any) -> None:
        await self._connect()
        await self.send("parlour.start", session={"type": "realtime", **session})
        await self.wait(lambda: self.of("parlour.resume_token") or self.of("parlour.closed"), "session")
        if self.of("parlour.closed"):
            assert self.of("parlour.closed")[0]["code"] == 1013
            raise Refused(self.of("error")[0]["error"]["code"])
        self._is_listened_to = True

    async def send(self, kind: str, **rest: Any) -> str:
        assert self._device is not None
        self._n_sent += 1
        event_id = f"c{self._n_sent}"
        await self._device.say(kind, event_id=event_id, **rest)
        return event_id

    async def speak(self, utterance: Utterance) -> None:
        pcm = utterance.pcm16k + bytes(int(2 * HZ * SILENCE_S))
        paced = Paced(catches_up=False)
        for at in range(0, len(pcm), FRAME_BYTES):
            await self._sound(pcm[at : at + FRAME_BYTES])
            await paced.after(FRAME_BYTES / 32_000)

    async def _sound(self, pcm: bytes) -> None:
        """On whichever connection takes it."""
        while True:
            await self.wait(lambda: self._device is not None and self._is_listened_to, "connection")
            assert self._device is not None
            self._sounding = asyncio.create_task(self._device.sound(pcm), name="microphone")
            try:
                await asyncio.wait({self._sounding})
            finally:
                self._sounding.cancel()
            if not self._sounding.cancelled() and self._sounding.exception() is None:
                return

    async def press(self) -> None:
        await self.send("parlour.start", push_to_talk=True)

    async def release(self) -> None:
        await self.send("parlour.release")

    async def hush(self) -> None:
        n_cleared = len(self.of("output_audio_buffer.cleared"))
        await self.send("parlour.start")
        await self.until("output_audio_buffer.cleared", n_cleared + 1)

    async def falls_silent(self) -> None:
        await self.wait(lambda: self._device is not None and not self._device.is_playing, "silence")

    async def kill(self) -> None:
        assert self._device is not None
        crashed, self._device, self._is_listened_to = self._device, None, False
        crashed.crash()
        if self._sounding is not None:
            self._sounding.cancel()  # the library would wait for ever to hear that it has left
        await self._connection.aclose()
        left = [(self._items[number], pcm) for number, pcm in crashed._waiting if number in self._items]
        self._playing_on = asyncio.create_task(self._play_on(left), name="loudspeaker")

    async def _play_on(self, left: list[tuple[tuple[str, float], bytes]]) -> None:
        paced = Paced(catches_up=False)
        for (item_id, _), pcm in left:
            await paced.after(len(pcm) / 48_000)
            before_ms = (
                self._played["played_ms"] if self._played and self._played["item_id"] == item_id else 0
            )
            self._heard(item_id, len(pcm) / 48, before_ms + len(pcm) / 48)

    async def resume(self) -> Event:
        n_told = len(self.of("parlour.resumed"))
        await self._connect(self._where_it_was())
        return await self._resumed(n_told + 1)

    async def knock(self) -> None:
        await self._connect(self._where_it_was())
        await self.kill()

    def _where_it_was(self) -> dict[str, Any]:
        self._fall_silent()
        played = self._played and {**self._played, "played_ms": round(self._played["played_ms"])}
        return {"token": self.token, "last_event_id": self._last_event_id, "played": played}

    def _fall_silent(self) -> None:
        if self._playing_on is not None:
            self._playing_on.cancel()

    def _heard(self, item_id: str, more_ms: float, position_ms: float) -> None:
        self.heard_ms[item_id] += more_ms
        self._played = {"item_id": item_id, "played_ms": position_ms}
        self._news()

    async def take_over(self, token: str) -> Event:
        await self._connect()
        await self.send("parlour.resume", token=token)
        return await self._resumed(1)

    async def close(self) -> None:
        self._fall_silent()
        if self._device is None:
            return
        await self.send("parlour.stop")
        leaving, self._device = self._device, None
        await leaving.state("idle")
        await self._connection.aclose()

    async def _resumed(self, n: int) -> Event:
        """Sound that a device sends before that is not heard."""
        resumed = await self.until("parlour.resumed", n)
        self._is_listened_to = True
        self._news()
        return resumed

    async def _connect(self, resume: dict[str, Any] | None = None) -> None:
        self._items, self._counted, self._n_taken = {}, {}, 0
        self._is_back = resume is None
        connection = AsyncExitStack()
        opened = device(self._url, self._name, on_begin=self._listen_to, resume=resume)
        connected = await connection.enter_async_context(opened)
        self._device, self._connection = connected, connection
        self._news()

    def _listen_to(self, connected: Device) -> None:
        connected.on_news = lambda: self._look(connected)

    def _look(self, connected: Device) -> None:
        for event in connected.events[self._n_taken :]:
            self._n_taken += 1
            self._is_back = self._is_back or event["type"] == "parlour.resumed"
            if not self._is_back:
                continue
            if event["type"] == "parlour.answer":
                self._items[event["answer"]] = event["item_id"], event["start_ms"]
            elif event["type"] == "parlour.moved":
                connected.silence()
            if event.get("event_id") and event["type"] != "parlour.resumed":
                self._last_event_id = event["event_id"]
            self._took(event)
        for number, ms in connected.played.items():
            more_ms = ms - self._counted.get(number, 0.0)
            if number in self._items and more_ms:
                item_id, start_ms = self._items[number]
                self._heard(item_id, more_ms, start_ms + ms)
                self._counted[number] = ms
        self._news()
