"""The WebSocket transport: OpenAI Realtime events as JSON text frames."""

import asyncio
import re
import time
from contextlib import suppress

from starlette.types import Receive, Send

from realtime.audio.wire_format import OutputEncoder
from realtime.errors import InvalidEvent
from realtime.protocol.codec import GA, EventCodec
from realtime.protocol.effects import Play
from realtime.protocol.events import (
    AnyClientEvent,
    InputAudioBufferAppend,
    ItemCreate,
    OutputAudioDelta,
    PlaybackReport,
    ResponseDone,
    ServerEvent,
)
from realtime.session.outbox import Outbox, Outgoing
from realtime.session.transport import PeerGone

CLOSE_REASON_BYTES_MAX = 123  # RFC 6455 5.5: a control frame holds 125 bytes, two are the code
CLOSE_WITHIN_S = 2.0
_HEAD_CHARS = 1024
_AUDIO = re.compile(r'"audio"\s*:\s*"')
_EVENT_ID = re.compile(r'"event_id"\s*:\s*"([^"\\]{1,256})"')
UNNOTICED_S = 12.0
"""A TCP connection is as silent when its network has died as when its client has nothing to say; a client
that sends all the time has noticed by then."""


class WebSocketTransport:
    """The client plays the audio, and tells what was heard of it."""

    def __init__(
        self,
        receive: Receive,
        send: Send,
        slow_peer_s: float,
        codec: EventCodec = GA,
        event_bytes_max: int = 1024 * 1024,
    ) -> None:
        """receive, send: of an ASGI WebSocket that has been accepted.

        event_bytes_max: of one that is read, without its audio, which may be as long as the socket takes it.
        """
        self._event_bytes_max = event_bytes_max
        self._codec = codec
        self._receive = receive
        self._send = send
        self._slow_peer_s = slow_peer_s
        self._outbox = Outbox()
        self._encoders: dict[str, OutputEncoder] = {}  # of the responses that speak now
        self._now = time.monotonic
        self._sending_since: float | None = None
        self._heard_at = self._now()
        self.received_bytes = 0
        self.paces_playback = False

    async def receive(self) -> AnyClientEvent | InvalidEvent:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            # uvicorn says 1005 also when the connection was lost, but then without a reason.
            code = message.get("code", 1006) if "reason" in message else 1006
            raise PeerGone(code, message.get("reason") or "")
        self._heard_at = self._now()
        text = message.get("text")
        self.received_bytes = len(text or "")
        if text is None:
            return InvalidEvent("invalid_json", "Binary frames are not understood: expected JSON as text.")
        try:
            if len(text) > self._event_bytes_max:
                return self._large_audio(text)
            return self._codec.decode(text)
        except InvalidEvent as error:
            return error

    def _large_audio(self, text: str) -> AnyClientEvent:
        """An append, or an item of up to twice the limit, whose audio begins near the event's own beginning.

        All but that audio must be as small as any event: to read much JSON takes all sessions' time. So does
        an item's audio, which is resampled in one piece: 30 s of it, which models hear at once, are let in.
        Raises InvalidEvent for any other event.
        """
        audio = _AUDIO.search(text, 0, _HEAD_CHARS)
        end = text.find('"', audio.end()) if audio is not None else -1
        if audio is not None and end > 0 and len(text) - (end - audio.end()) <= self._event_bytes_max:
            event = self._codec.decode(text)
            is_item = isinstance(event, ItemCreate) and len(text) <= 2 * self._event_bytes_max
            if is_item or isinstance(event, InputAudioBufferAppend):
                return event
        event_id = _EVENT_ID.search(text, 0, _HEAD_CHARS) or _EVENT_ID.search(text, len(text) - _HEAD_CHARS)
        message = (
            f"The event has {len(text)} characters, and at most {self._event_bytes_max} are read. "
            "Only audio may be longer: in input_audio_buffer.append, and to twice that as an item's first."
        )
        raise InvalidEvent("event_too_large", message, None, event_id[1] if event_id is not None else None)

    def send(self, event: ServerEvent) -> None:
        self._put(event)
        if isinstance(event, ResponseDone):
            self._encoders.pop(event.response.id, None)

    def play(self, play: Play) -> None:
        encoder = self._encoders.get(play.response_id)
        if encoder is None:
            encoder = self._encoders[play.response_id] = OutputEncoder(play.format)
        delta = OutputAudioDelta(
            event_id=play.event_id,
            response_id=play.response_id,
            item_id=play.item_id,
            output_index=play.output_index,
            content_index=play.content_index,
            delta=encoder.push(play.pcm),
        )
        self._put(delta, play.response_id)

    def _put(self, event: ServerEvent, response_id: str | None = None) -> None:
        text = self._codec.encode(event)
        if text is not None:
            self._outbox.put(Outgoing(text, response_id))

    def stop_playback(self, response_id: str, is_in_conversation: bool) -> None:
        self._outbox.drop_audio(response_id)

    async def drain(self) -> None:
        await self._outbox.drain()

    def is_alive(self, since: float) -> bool:
        return self._heard_at > since or self._now() > since + UNNOTICED_S

    async def run(self) -> None:
        self._sending_since = None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._carry(), name="carrier")
            tasks.create_task(self._watch(), name="slow peer watch")

    async def _carry(self) -> None:
        while True:
            message = await self._outbox.take()
            self._sending_since = self._now()
            await self._send_text(message.text)
            self._sending_since = None

    async def _watch(self) -> None:
        """One look now and then: a timeout on each message would cost more than the message."""
        while True:
            await asyncio.sleep(self._slow_peer_s / 4)
            since = self._sending_since
            if since is not None and self._now() - since >= self._slow_peer_s:
                self._outbox.clear()  # so that what it reads next, if it does, is why it was closed
                raise PeerGone(1008, f"the peer has not read for {self._slow_peer_s:g} s")

    def detach(self, is_lost: bool) -> list[PlaybackReport]:
        return []

    def discard(self) -> None:
        self._outbox.clear()

    async def close(self, code: int, reason: str) -> None:
        short = reason.encode()[:CLOSE_REASON_BYTES_MAX].decode(errors="ignore")
        with suppress(PeerGone, TimeoutError, OSError, RuntimeError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                while not self._outbox.is_empty:
                    await self._send_text((await self._outbox.take()).text)
                await self._send({"type": "websocket.close", "code": code, "reason": short})

    async def _send_text(self, text: str) -> None:
        try:
            await self._send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError):
            # ASGI 2.4: send raises OSError once the peer is gone, and RuntimeError after a close.
            raise PeerGone(1006, "the connection was lost") from None
