"""A client that comes back, as docs/resume.md describes it: a plain WebSocket, nothing of Parlour's own."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import websockets

from tests.peers.unconfirmed import Unconfirmed
from tests.waiting import News, unless_it_hangs

EXTENSIONS = {"playback_ack": True, "alignment": True, "resume": True}


class ResumingClient:
    """What it is told, over all its connections, as one conversation.

    events: each once, in order; a second one with the same id is an AssertionError. Its player hears nothing
    unless it is told to: `heard`. on_event: called with each event, as it comes.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.events: list[dict[str, Any]] = []
        self.token = ""
        self.closed: tuple[int, str] | None = None
        self._ids: set[str] = set()
        self.on_event: Callable[[dict[str, Any]], None] = lambda _: None
        self._last_id: str | None = None
        self._said = Unconfirmed()
        self._socket: Any = None
        self._reading: asyncio.Task[None] | None = None
        self._news = News()

    # Connections ------------------------------------------------------------------------

    async def begin(self, **session: Any) -> "ResumingClient":
        await self.open()
        await self.say("session.update", session={"type": "realtime", "parlour": EXTENSIONS, **session})
        await self.until("parlour.resume_token")
        return self

    async def come_back(self, token: str | None = None, anew: bool = False) -> dict[str, Any]:
        """Resume on a new connection; anew: as a device that knows nothing. The first answer to that."""
        start = len(self.events)
        await self.ask_back(token, anew)
        first = await self.until_any(("parlour.resumed", "error"), start)
        if first["type"] == "parlour.resumed" and not anew:
            await self._said.resumed(first["last_client_event_id"], self._send)
        else:
            self._said.connected(self._send)
        return first

    async def ask_back(self, token: str | None = None, anew: bool = False) -> None:
        """The first half of `come_back`: without waiting for the answer."""
        await self._connect()
        request: dict[str, Any] = {"type": "parlour.resume", "token": token or self.token}
        if not anew:
            request["last_event_id"] = self._last_id
        await self._send(json.dumps(request))

    async def drop(self) -> None:
        """As a network that is gone: without a word."""
        self._socket.transport.abort()
        await self._over()

    async def leave(self) -> None:
        if self._socket is None:
            return
        await self._socket.close()
        await self._over()

    async def closing(self) -> tuple[int, str]:
        """Wait until the server has closed."""
        assert self._reading is not None
        async with unless_it_hangs("the server's close"):
            await self._reading
        return self._socket.close_code, self._socket.close_reason

    async def open(self) -> None:
        """With a session that was not asked to be resumable."""
        self._take(await self._connect())
        self._said.connected(self._send)

    async def _connect(self) -> dict[str, Any]:
        """Returns the session.created of the new connection, whichever session that has in the end."""
        self._said.lost()
        self._socket = await websockets.connect(
            self.url, additional_headers=self.headers, max_size=None, ping_interval=None, open_timeout=None
        )
        created = json.loads(await self._socket.recv())
        assert created["type"] == "session.created"
        self._reading = asyncio.create_task(self._read(self._socket))
        return dict(created)

    async def _over(self) -> None:
        assert self._reading is not None
        self._said.lost()
        await self._reading

    async def _read(self, socket: Any) -> None:
        try:
            async for text in socket:
                self._take(json.loads(text))
        except websockets.ConnectionClosed:
            pass
        self._news()

    def _take(self, event: dict[str, Any]) -> None:
        assert event["event_id"] not in self._ids, f"told twice: {event['type']}"
        self._ids.add(event["event_id"])
        if event["type"] != "parlour.resumed":
            self._last_id = event["event_id"]
        if event["type"] in ("parlour.resume_token", "parlour.resumed"):
            self.token = event["token"]
        self.events.append(event)
        self.on_event(event)
        self._news()

    # What it says -----------------------------------------------------------------------

    async def say(self, kind: str, **rest: Any) -> str:
        """Kept until the server is known to have it. Returns the event's id."""
        return await self._said.say(kind, **rest)

    async def speak(self, pcm24k: bytes, frame_ms: int = 100) -> None:
        step = 48 * frame_ms
        for at in range(0, len(pcm24k), step):
            audio = base64.b64encode(pcm24k[at : at + step]).decode()
            await self.say("input_audio_buffer.append", audio=audio)

    async def heard(self, item_id: str, played_ms: float) -> None:
        await self.say("parlour.playback", item_id=item_id, played_ms=int(played_ms))

    async def _send(self, text: str) -> None:
        """A connection that breaks meanwhile is no error."""
        try:
            await self._socket.send(text)
        except websockets.ConnectionClosed:
            pass

    # What it was told -------------------------------------------------------------------

    async def until(self, kind: str, n: int = 1) -> dict[str, Any]:
        """The nth event of that type."""
        await self._wait(lambda: len(self.of(kind)) >= n, kind)
        return self.of(kind)[n - 1]

    async def until_any(self, kinds: tuple[str, ...], start: int = 0) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [event for event in self.events[start:] if event["type"] in kinds]

        await self._wait(lambda: bool(found()), " or ".join(kinds))
        return found()[0]

    async def sound_of(self, item_id: str, n_bytes: int) -> None:
        await self._wait(lambda: len(self.sound(item_id)) >= n_bytes, f"{n_bytes} bytes of sound")

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def sound(self, item_id: str, start: int = 0) -> bytes:
        return b"".join(
            base64.b64decode(event["delta"])
            for event in self.events[start:]
            if event["type"] == "response.output_audio.delta" and event["item_id"] == item_id
        )

    def words(self, item_id: str, start: int = 0) -> str:
        return "".join(
            event["delta"]
            for event in self.events[start:]
            if event["type"] == "response.output_audio_transcript.delta" and event["item_id"] == item_id
        )

    async def _wait(self, is_there: Any, what: str) -> None:
        await self._news.until(is_there, lambda: f"{what}, but {[event['type'] for event in self.events]}")
