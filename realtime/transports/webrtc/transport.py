"""The WebRTC transport: events over the data channel, audio over RTP, both in and out.

The server plays, so it knows what was heard: what has been sent will be, since no browser can be told to
drop what it has. The core learns of it before it learns of anything new.
"""

import asyncio
import time
from collections import deque

import msgspec

from realtime.audio.resample import Resampler
from realtime.audio.wire_format import PCM_HZ, OutputEncoder
from realtime.errors import InvalidEvent
from realtime.protocol.codec import GA, EventCodec, encode
from realtime.protocol.config import PcmFormat, ShownSession
from realtime.protocol.effects import Play
from realtime.protocol.events import (
    AnyClientEvent,
    Error,
    ErrorObject,
    InputAudioBufferAppend,
    ItemRetrieved,
    ItemTruncated,
    OutputAudioDone,
    PlaybackReport,
    ResponseDone,
    Resumed,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    without_audio,
)
from realtime.session.outbox import Outbox, Outgoing
from realtime.session.transport import UNTOLD_MS_MAX, OwnIds, PeerGone
from realtime.transports.webrtc.event_channel import OPEN_WITHIN_S
from realtime.transports.webrtc.events import OutputBufferCleared, OutputBufferStarted, OutputBufferStopped
from realtime.transports.webrtc.ice import IceSettings
from realtime.transports.webrtc.offer import Offer
from realtime.transports.webrtc.peer import Peer
from realtime.transports.webrtc.playout import Position
from realtime.transports.webrtc.reorder import RTP_HZ, Gap, Packet
from realtime.transports.webrtc.track import PlayoutTrack

UNREAD_BYTES_MAX = 4 * 1024 * 1024
"""Of events that came and were not dealt with. Nothing slows an SCTP peer down: with more it is closed."""
UNREAD_PACKETS_MAX = 500
"""Ten seconds of audio, in packets. With more, what comes is dropped until some has been dealt with."""
BUFFERED_BYTES_MAX = 64 * 1024
"""Handed to SCTP and not sent; the rest waits in the outbox, whose size is known."""
CLOSE_WITHIN_S = 2.0


class WebRtcTransport:
    """One call. answer() and connected() come first, then a runner takes it; close() whatever happened.

    begun: a session serves it, or has served it, or there will be none.
    """

    def __init__(
        self, offer: Offer, settings: IceSettings, slow_peer_s: float, codec: EventCodec = GA
    ) -> None:
        self._codec = codec
        self.begun = asyncio.Event()
        self.received_bytes = 0
        self.paces_playback = offer.hears
        self._own_ids = OwnIds()
        self._slow_peer_s = slow_peer_s
        self._message_bytes_max = offer.message_bytes_max
        self._plays = offer.hears
        self._has_parted = False
        self._outbox = Outbox()
        self._inbox: deque[Packet | Gap | str | bytes] = deque()
        self._unread_bytes = 0
        self._unread_packets = 0
        self._news = asyncio.Event()
        self._resumed: set[str] = set()  # responses that began on another connection
        self._cut: dict[str, list[ItemTruncated]] = {}  # responses that were cut off before they were done
        self._waiting_since: float | None = None
        self._decoder = offer.codec.decoder()
        self._decoded_hz = offer.codec.decoded_hz
        self._resampler = Resampler(self._decoded_hz, PCM_HZ)
        self._input = OutputEncoder(PcmFormat())
        self._input_format: object = PcmFormat()
        self._open_responses: set[str] = set()
        self._track = PlayoutTrack(self._began, self._ended, offer.codec)
        self._peer = Peer(
            offer,
            settings,
            self._track,
            self._audio_came,
            self._message_came,
            self._news.set,
            self._complaint,
        )

    async def answer(self) -> str:
        """The SDP answer."""
        return await self._peer.answer()

    async def connected(self) -> None:
        """Wait until media can flow. Raises PeerGone when it does not come to that."""
        await self._peer.connect()

    def hang_up(self) -> None:
        self._peer.leave(PeerGone(1000, "hung up"))

    # realtime.session.transport.Transport ---------------------------------------------------

    async def receive(self) -> AnyClientEvent | InvalidEvent:
        while True:
            if self._peer.gone is not None:
                raise self._peer.gone
            position = self._track.heard(self._peer.heard_at, may_wait=not self._inbox)
            if position is not None:
                self.received_bytes = 0
                return _report(position)
            if self._inbox:
                event = self._read(self._inbox.popleft())
                if event is not None:
                    return event
                continue
            self._news.clear()
            await self._news.wait()

    def send(self, event: ServerEvent) -> None:
        self._post(event)
        match event:
            case SessionCreated(session=session) | SessionUpdated(session=session):
                self._take_format(session)
            case Resumed(session=session, playing=playing):
                self._has_parted = False
                self._take_format(session)
                self._resumed = {one.response_id for one in playing}
            case OutputAudioDone(response_id=response_id) if response_id in self._resumed:
                # Its response.done may have been told on the other connection.
                self._open_responses.discard(response_id)
                if self._track.finish(response_id):
                    self._ended(response_id)
            case ResponseDone(response=response):
                self._open_responses.discard(response.id)
                for truncated in self._cut.pop(response.id, []):
                    self._post(truncated)
                if self._track.finish(response.id):
                    self._ended(response.id)

    def play(self, play: Play) -> None:
        if self._plays and not self._has_parted:
            self._own_ids.played(play)
            self._open_responses.add(play.response_id)
            self._track.play(play)

    def stop_playback(self, response_id: str, is_in_conversation: bool) -> None:
        """The peer tells nothing of it: what its history keeps is told here, once the response is done."""
        cut = self._track.stop_playing(response_id)
        if cut is None:
            return
        self._post(OutputBufferCleared(response_id=response_id))
        if not is_in_conversation:
            return
        truncated = [
            ItemTruncated(item_id=one.item_id, content_index=0, audio_end_ms=one.played_ms) for one in cut
        ]
        if response_id in self._open_responses:
            self._cut[response_id] = truncated
            return
        for event in truncated:
            self._post(event)

    async def drain(self) -> None:
        await self._outbox.drain()
        await self._track.drain()

    def is_alive(self, since: float) -> bool:
        return self._peer.heard_at > since

    async def run(self) -> None:
        self.begun.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._carry(), name="carrier")
            tasks.create_task(self._peer.play(), name="downlink")
            tasks.create_task(self._peer.watch(), name="peer watch")
            tasks.create_task(self._watch(), name="slow peer watch")

    def detach(self, is_lost: bool) -> list[PlaybackReport]:
        self._has_parted = True
        on_its_way_s = min(self._peer.round_trip_s, UNTOLD_MS_MAX / 1000) if is_lost else 0.0
        arrived_by = self._peer.heard_at - on_its_way_s
        return [_report(position) for position in self._track.detach(arrived_by)]

    def discard(self) -> None:
        self._outbox.clear()
        self._track.discard()

    async def close(self, code: int, reason: str) -> None:
        """WebRTC has no code or reason to give: what is to be told, an event has told."""
        self.begun.set()
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                while not self._outbox.is_empty and self._is_open:
                    self._send_text((await self._outbox.take()).text)
                await self._peer.flushed()
        except (TimeoutError, PeerGone):
            pass
        await self._peer.close()

    # What comes ---------------------------------------------------------------------------

    def _audio_came(self, came: Packet | Gap) -> None:
        if self._unread_packets < UNREAD_PACKETS_MAX:
            self._unread_packets += 1
            self._inbox.append(came)
            self._news.set()

    def _message_came(self, message: str | bytes) -> None:
        self._unread_bytes += len(message)
        if self._unread_bytes > UNREAD_BYTES_MAX:
            self._peer.leave(PeerGone(1008, "events came faster than they could be dealt with"))
            return
        self._inbox.append(message)
        self._news.set()

    def _read(self, came: Packet | Gap | str | bytes) -> AnyClientEvent | InvalidEvent | None:
        if isinstance(came, Packet | Gap):
            self._unread_packets -= 1
            audio = self._heard(came)
            self.received_bytes = len(audio)
            return InputAudioBufferAppend(audio=audio) if audio else None
        self._unread_bytes -= len(came)
        self.received_bytes = len(came)
        if isinstance(came, bytes):
            return InvalidEvent("invalid_json", "Binary messages are not understood: expected JSON as text.")
        try:
            event = self._codec.decode(came)
        except InvalidEvent as error:
            return error
        return None if isinstance(event, PlaybackReport) else event  # here the server knows

    def _heard(self, came: Packet | Gap) -> bytes:
        """In the session's input format."""
        match came:
            case Packet(payload=payload):
                try:
                    pcm = self._decoder.decode(payload)
                except ValueError:
                    return b""
            case Gap(samples=samples, lost=True):
                pcm = self._decoder.conceal(samples)
            case Gap(samples=samples):
                pcm = bytes(2 * (samples * self._decoded_hz // RTP_HZ))
        return self._input.push(self._resampler.push(pcm))

    def _take_format(self, session: ShownSession) -> None:
        if session.audio.input.format != self._input_format:
            self._input_format = session.audio.input.format
            self._input = OutputEncoder(session.audio.input.format)

    # What goes ----------------------------------------------------------------------------

    def _post(self, event: ServerEvent) -> None:
        self._own_ids.give(event)
        text = self._codec.encode(event)
        if text is None:
            return
        if isinstance(event, ItemRetrieved) and len(text) > self._message_bytes_max:
            text = self._codec.encode(msgspec.structs.replace(event, item=without_audio(event.item))) or ""
        if len(text) * 4 > self._message_bytes_max and len(text.encode()) > self._message_bytes_max:
            kind, size = type(event).__struct_config__.tag, len(text.encode())
            message = (
                f"An event of type {kind} has {size} bytes, and this peer's data channel takes "
                f"{self._message_bytes_max}: it was not sent."
            )
            shown = ErrorObject("server_error", "event_too_large", message, None, None)
            text = encode(Error(event_id=event.event_id, error=shown))
        self._outbox.put(Outgoing(text))

    def _began(self, response_id: str) -> None:
        self._post(OutputBufferStarted(response_id=response_id))

    def _ended(self, response_id: str) -> None:
        self._post(OutputBufferStopped(response_id=response_id))
        self._news.set()

    async def _carry(self) -> None:
        """Cancelled at any moment it loses nothing: between taking and sending nothing is waited for."""
        while True:
            self._waiting_since = None if self._outbox.is_empty else time.monotonic()
            await self._ready()
            self._waiting_since = None
            message = await self._outbox.take()
            if self._peer.events is not None:  # one who asked for none hears, and reads nothing
                self._send_text(message.text)

    async def _ready(self) -> None:
        """Wait until the data channel takes more."""
        if self._peer.events is not None:
            await self._peer.events.has_sent_up_to(BUFFERED_BYTES_MAX)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._slow_peer_s / 4)
            since = self._waiting_since
            if since is not None and time.monotonic() - since >= self._slow_peer_s:
                self._outbox.clear()
                did = "read" if self._is_open else "opened a data channel"
                raise PeerGone(1008, f"the peer has not {did} for {self._slow_peer_s:g} s")

    @property
    def _is_open(self) -> bool:
        events = self._peer.events
        return self._peer.gone is None and events is not None and events.is_open

    def _send_text(self, text: str) -> None:
        if not self._is_open or self._peer.events is None:
            raise self._peer.gone or PeerGone(1001, "the peer closed the data channel")
        self._peer.events.send(text)

    def _complaint(self) -> str:
        """For a peer that has offered a data channel and opened none."""
        message = (
            f"No data channel was opened within {OPEN_WITHIN_S:g} s. Open one, of any label; one that is "
            "negotiated, with an id other than 0 and 1, carries events once you have sent one over it."
        )
        event = Error(error=ErrorObject("invalid_request_error", "no_data_channel", message, None, None))
        self._own_ids.give(event)
        return encode(event)


def _report(position: Position) -> PlaybackReport:
    return PlaybackReport(item_id=position.item_id, played_ms=position.played_ms)
