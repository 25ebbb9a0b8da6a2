"""A WebRTC client, made of aiortc: a microphone, a loudspeaker that records, a data channel."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import av
import httpx
import numpy as np
import numpy.typing as npt
from aiortc import MediaStreamTrack, RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from aiortc.rtp import RtpPacket

from realtime.audio.opus import OpusDecoder
from realtime.transports.webrtc.reorder import Gap, Packet
from realtime.transports.webrtc.uplink import Uplink
from tests.conftest import Server
from tests.peers.pace import Paced
from tests.speech import HZ
from tests.waiting import News

FRAME_MS = 20
_FRAME_SAMPLES = HZ * FRAME_MS // 1000
LISTENED_HZ = 48_000


class Microphone(MediaStreamTrack):
    """Says what it was given, at the pace of speech, and silence otherwise."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()
        self._is_silent = asyncio.Event()
        self._frames = 0
        self._paced: Paced | None = None

    @property
    def at_ms(self) -> int:
        """Where in its sound it is: what is said now begins there."""
        return self._frames * FRAME_MS

    def say(self, pcm16k: bytes) -> None:
        self._waiting += pcm16k
        self._is_silent.clear()

    async def said(self) -> None:
        """Wait until all of it was said."""
        if self._waiting:
            await self._is_silent.wait()

    def unsaid(self) -> bytes:
        """What it has not come to; it is not said any more."""
        rest = bytes(self._waiting)
        self._waiting.clear()
        self._is_silent.set()
        return rest

    async def recv(self) -> av.AudioFrame:
        if self._paced is None:
            self._paced = Paced()
        else:
            await self._paced.after(FRAME_MS / 1000)
        pcm = bytes(self._waiting[: 2 * _FRAME_SAMPLES]).ljust(2 * _FRAME_SAMPLES, b"\0")
        if self._waiting:
            del self._waiting[: 2 * _FRAME_SAMPLES]
            if not self._waiting:
                self._is_silent.set()
        frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), "s16", "mono")
        frame.sample_rate = HZ
        frame.time_base = Fraction(1, HZ)
        frame.pts = self._frames * _FRAME_SAMPLES
        self._frames += 1
        return frame


class Caller:
    """One call. events: all that came; recorded: what the loudspeaker played, mono at 48 kHz; missed: packets
    that came after it had vanished.

    on_event, on_sound: called with each event, and with each piece that is recorded. channel: as the options
    of `createDataChannel`.
    """

    def __init__(
        self,
        ice_servers: list[RTCIceServer] | None = None,
        relay_only: bool = False,
        channel: dict[str, Any] | None = None,
    ) -> None:
        policy = RTCIceTransportPolicy.RELAY if relay_only else RTCIceTransportPolicy.ALL
        self.connection = RTCPeerConnection(RTCConfiguration(ice_servers or [], iceTransportPolicy=policy))
        self.microphone = Microphone()
        self.events: list[dict[str, Any]] = []
        self.recorded: list[npt.NDArray[np.int16]] = []
        self.on_event: Callable[[dict[str, Any]], None] = lambda _: None
        self.on_sound: Callable[[npt.NDArray[np.int16]], None] = self.recorded.append
        self.missed = 0
        self.location = ""
        self.closed = asyncio.Event()
        self._news = News()
        self._read = 0
        self._listening: asyncio.Task[None] | None = None
        self.connection.addTrack(self.microphone)
        self.channel = self.connection.createDataChannel(**{"label": "oai-events", **(channel or {})})
        self.channel.on("message", self._came)
        self.channel.on("close", self.closed.set)
        self.connection.on("track", self._listen)

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def take(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def call(
        self,
        server: Server,
        session: dict[str, Any] | None = None,
        query: str = "",
        through: Callable[[str], str] = str,
        **headers: str,
    ) -> None:
        """through: what happens to each description on its way."""
        offer = through(await self.offer())
        response = await post(server, offer, session, query, **headers)
        assert response.status_code == 201, response.text
        self.location = response.headers["location"]
        await self.take(through(response.text))

    async def say(self, **event: Any) -> None:
        self.channel.send(json.dumps(event))

    async def until(self, event_type: str) -> dict[str, Any]:
        """The next event of this type that has not been looked at."""

        def come() -> dict[str, Any] | None:
            while self._read < len(self.events):
                event = self.events[self._read]
                self._read += 1
                if event["type"] == event_type:
                    return event
            return None

        found = await self._news.until(come, f"{event_type} over the data channel")
        assert found is not None
        return found

    async def hears_of(self, event_type: str, n: int) -> None:
        """Wait until there are so many events of this type, whether they have been looked at or not."""
        await self._news.until(lambda: len(self.of(event_type)) >= n, f"{event_type} number {n}")

    async def recorded_s(self, seconds: float) -> None:
        """Wait until the loudspeaker has played so much more."""
        wanted = sum(map(len, self.recorded)) + seconds * LISTENED_HZ
        await self._news.until(
            lambda: sum(map(len, self.recorded)) >= wanted, f"{seconds} more seconds of sound"
        )

    @property
    def sound_ms(self) -> float:
        """How much of the recording is not silent, in pieces of 10 ms."""
        return voiced_ms(np.concatenate(self.recorded) if self.recorded else np.zeros(0, np.int16))

    def of(self, event_type: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == event_type]

    async def close(self) -> None:
        await self.connection.close()
        if self._listening is not None:
            self._listening.cancel()  # a track of a call that never connected does not end
            await asyncio.gather(self._listening, return_exceptions=True)

    def vanish(self) -> None:
        """The network between is gone: nothing more is sent, and nothing is said of it."""
        ice = self.connection.sctp.transport.transport._connection
        for protocol in ice._protocols:
            protocol.transport.sendto = lambda *_: None
            protocol.datagram_received = self._miss

    async def misses(self, seconds: float) -> None:
        """Once it has vanished, wait until so much more sound has come to nobody."""
        wanted = self.missed + seconds * 1000 / FRAME_MS
        await self._news.until(lambda: self.missed >= wanted, "sound after the call has vanished")

    def _miss(self, *_: object) -> None:
        self.missed += 1
        self._news()

    def hear_at_once(self) -> None:
        """Record what arrives: aiortc's player holds 80 ms back, which a call that ends there never plays."""
        [receiver] = self.connection.getReceivers()
        decoder = OpusDecoder()

        async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
            self.on_sound(np.frombuffer(decoder.decode(packet.payload), "<i2"))
            self._news()

        receiver._handle_rtp_packet = handle

    def conceal_losses(self) -> None:
        """Listen as a browser does: aiortc's player drops what comes while it waits for a lost packet."""
        [receiver] = self.connection.getReceivers()
        decoder = OpusDecoder()

        def take(came: Packet | Gap) -> None:
            pcm = decoder.decode(came.payload) if isinstance(came, Packet) else decoder.conceal(came.samples)
            self.recorded.append(np.frombuffer(pcm, "<i2"))
            self._news()

        uplink: Uplink | None = None

        async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
            nonlocal uplink
            uplink = uplink or Uplink(packet.payload_type, take)
            uplink.packet_came(packet)

        receiver._handle_rtp_packet = handle

    def _came(self, message: str) -> None:
        event = json.loads(message)
        self.events.append(event)
        self.on_event(event)
        self._news()

    def _listen(self, track: MediaStreamTrack) -> None:
        self._listening = asyncio.create_task(self._record(track), name="loudspeaker")

    async def _record(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                pcm = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
                self.recorded.append(np.repeat(pcm, LISTENED_HZ // frame.sample_rate))
                self._news()


def voiced_ms(pcm: npt.NDArray[np.int16]) -> float:
    """How much of it is not silent, in pieces of 10 ms. pcm: mono at LISTENED_HZ."""
    pieces = pcm[: len(pcm) // 480 * 480].reshape(-1, 480).astype(np.float64)
    return float(np.sum(np.sqrt(np.mean(pieces**2, axis=1)) > 150)) * 10


async def post(
    server: Server, offer: str, session: dict[str, Any] | None = None, query: str = "", **headers: str
) -> httpx.Response:
    """The offer as raw SDP, or with a session beside it as openai-python sends them."""
    url = f"{server.http}/v1/realtime/calls{query}"
    async with httpx.AsyncClient(timeout=None) as http:
        if session is None:
            return await http.post(url, content=offer, headers={"content-type": "application/sdp", **headers})
        files = {
            "sdp": (None, offer, "application/sdp"),
            "session": (None, json.dumps(session), "application/json"),
        }
        return await http.post(url, files=files, headers=headers)


@asynccontextmanager
async def calling(server: Server, **options: Any) -> AsyncIterator[Caller]:
    """A call that is connected and has its session."""
    caller = Caller(
        options.pop("ice_servers", None), options.pop("relay_only", False), options.pop("channel", None)
    )
    try:
        await caller.call(server, **options)
        await caller.until("session.created")
        yield caller
    finally:
        await caller.close()
