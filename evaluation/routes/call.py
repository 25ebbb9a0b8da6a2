"""One WebRTC call to a realtime server: a microphone that says a clip, and the events of its data channel."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from fractions import Fraction
from typing import Any
from urllib.parse import quote

import av
import httpx
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from evaluation.routes.live_options import http_address
from evaluation.routes.live_session import FRAME_S, LiveError
from evaluation.routes.live_turns import Event
from evaluation.routes.lossy_path import LossyPath
from evaluation.routes.route import SAMPLE_HZ, Failure
from realtime.audio.opus import OpusEncoder

CONNECT_S = 20.0
LATE_PACKETS_MAX = 256
UNREAD_EVENTS_MAX = 10_000
_FRAME_SAMPLES = round(SAMPLE_HZ * FRAME_S)


class Microphone(MediaStreamTrack):
    """Says what it was given, at the pace of speech, and silence otherwise; in packets of Opus."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        """When each frame of what it was given was handed out, by the loop's clock."""
        self.said = asyncio.Event()
        self._now = asyncio.get_running_loop().time
        self._encoder = OpusEncoder(SAMPLE_HZ, round(FRAME_S * 1000))
        self._unsaid = bytearray()
        self._n_frames = 0
        self._due_at: float | None = None

    @property
    def n_waiting(self) -> int:
        """In frames."""
        return len(self._unsaid) // self._encoder.frame_bytes

    def say(self, pcm: bytes) -> None:
        """pcm: s16le at SAMPLE_HZ; filled up to whole frames."""
        self._unsaid += pcm + bytes(-len(pcm) % self._encoder.frame_bytes)

    async def recv(self) -> "av.Packet[Any]":
        now = self._now()
        self._due_at = now if self._due_at is None else self._due_at + FRAME_S
        await asyncio.sleep(max(0.0, self._due_at - now))
        frame = bytes(self._unsaid[: self._encoder.frame_bytes])
        if frame:
            del self._unsaid[: len(frame)]
            self.times.append(self._now())
            self.said.set()
        packet = av.Packet(self._encoder.encode(frame or bytes(self._encoder.frame_bytes)))
        packet.pts = self._n_frames * _FRAME_SAMPLES
        packet.time_base = Fraction(1, SAMPLE_HZ)
        self._n_frames += 1
        return packet


class Call:
    """A `Wire`. path: what becomes of the packets of what is said; of the silence before it all arrive."""

    def __init__(self, path: LossyPath) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._microphone = Microphone()
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.addTrack(self._microphone)
        self._channel = self._connection.createDataChannel("oai-events")
        self._events: asyncio.Queue[str | None] = asyncio.Queue(UNREAD_EVENTS_MAX)
        self._late: set[asyncio.TimerHandle] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._is_lost = False
        self._channel.on("message", self._came)
        self._channel.on("close", self._lose)
        self._connection.on("connectionstatechange", self._state_changed)

    async def connect(self, url: str, key: str, model: str) -> None:
        """Raises LiveError."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        headers = {"Content-Type": "application/sdp"} | ({"Authorization": f"Bearer {key}"} if key else {})
        address = f"{http_address(url)}/v1/realtime/calls" + (f"?model={quote(model)}" if model else "")
        try:
            async with httpx.AsyncClient(timeout=CONNECT_S) as http:
                offer = self._connection.localDescription.sdp
                response = await http.post(address, content=offer, headers=headers)
            if response.status_code != 201:
                raise LiveError(_refusal(response))
            await self._connection.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        except httpx.HTTPError as error:
            sentence = f"the server does not answer over HTTP ({type(error).__name__})"
            raise LiveError(Failure(sentence, is_transient=True)) from None
        except ValueError:
            raise LiveError(Failure("the answer to the call is no session description")) from None
        self._impair()
        [receiver] = self._connection.getReceivers()
        # aiortc's player would decode it, in a thread of its own.
        receiver._handle_rtp_packet = _not_listened  # type: ignore[method-assign]

    async def close(self) -> None:
        for timer in self._late:
            timer.cancel()
        for sending in self._sending:
            sending.cancel()
        self._microphone.stop()
        await self._connection.close()

    async def send(self, event: dict[str, Any]) -> None:
        if self._is_lost or self._channel.readyState != "open":
            raise LiveError(_LOST)
        self._channel.send(json.dumps(event))

    async def say(self, pcm: bytes, at_once: bool = False) -> Sequence[float]:
        begins = len(self._microphone.times) + self._microphone.n_waiting
        self._microphone.say(pcm)
        ends = len(self._microphone.times) + self._microphone.n_waiting
        while len(self._microphone.times) < ends:
            if self._is_lost:
                raise LiveError(_LOST)
            self._microphone.said.clear()
            await self._microphone.said.wait()
        return self._microphone.times[begins:ends]

    async def events(self) -> AsyncIterator[Event]:
        while (text := await self._events.get()) is not None:
            try:
                event = json.loads(text)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                raise LiveError(Failure("the server sent what cannot be read"))
            yield event
        raise LiveError(_LOST)

    def _came(self, message: str) -> None:
        if self._events.full():
            self._lose()
        else:
            self._events.put_nowait(message)

    def _state_changed(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self._lose()

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            if self._events.full():
                self._events.get_nowait()
            self._events.put_nowait(None)
            self._microphone.said.set()

    # The network ------------------------------------------------------------------------

    def _impair(self) -> None:
        """Put the path between the encryption and the socket."""
        assert self._connection.sctp is not None
        ice = self._connection.sctp.transport.transport  # bundled: the one of all media
        send: Callable[[bytes], Any] = ice._send

        async def impaired(packet: bytes) -> None:
            delay_s = self._path.delay_s() if _is_rtp(packet) and self._microphone.times else 0.0
            if delay_s is None:
                return
            if delay_s == 0.0 or len(self._late) >= LATE_PACKETS_MAX:
                await send(packet)
                return

            def late() -> None:
                self._late.discard(timer)
                task = self._loop.create_task(_unless_closed(send(packet)), name="late packet")
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

            timer = self._loop.call_later(delay_s, late)
            self._late.add(timer)

        ice._send = impaired  # type: ignore[assignment]


_LOST = Failure("the call was lost", is_transient=True)


def _is_rtp(packet: bytes) -> bool:
    """And neither RTCP, DTLS nor STUN (RFC 7983; RFC 5761 section 4)."""
    return len(packet) > 1 and 128 <= packet[0] <= 191 and not 192 <= packet[1] <= 223


async def _unless_closed(sent: Any) -> None:
    with contextlib.suppress(ConnectionError):
        await sent


async def _not_listened(packet: object, arrival_time_ms: int) -> None:
    """What the loudspeaker would play."""


def _refusal(response: httpx.Response) -> Failure:
    overloaded = response.status_code in (429, 503)
    retry_after = response.headers.get("retry-after", "")
    try:
        told = response.json()["error"]["message"]
    except (ValueError, LookupError, TypeError):
        told = ""
    return Failure(
        f"the call was refused with HTTP {response.status_code}" + (f": {told}" if told else ""),
        is_transient=overloaded or response.status_code >= 500,
        is_overload=overloaded,
        retry_after_s=float(retry_after) if retry_after.isdecimal() else None,
    )
