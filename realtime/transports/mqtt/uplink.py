"""What a device sends, until its session comes to it: sound of either format, and events."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from realtime.audio.opus import OPUS_HZ, samples_of
from realtime.audio.opus_stream import OpusStream
from realtime.audio.resample import Resampler
from realtime.audio.wire_format import OutputEncoder
from realtime.errors import InvalidEvent
from realtime.protocol.config import AudioFormat, PcmFormat
from realtime.protocol.events import AnyClientEvent, InputAudioBufferAppend
from realtime.session.flood import Bucket
from realtime.session.transport import PeerGone
from realtime.transports.mqtt.codec import DOWN_HZ, UP_HZ, Formats, read_audio, read_packet

UNREAD_AUDIO_BYTES_MAX = 10 * 2 * UP_HZ
"""Ten seconds of sound that the session has not come to; what comes beyond is not heard."""
UNREAD_EVENTS_MAX = 256
AUDIO_BYTES_PER_S = 1.25 * 2 * UP_HZ
"""A microphone is no faster than time; the burst is what a network held back. Beyond, it is not heard."""


@dataclass(frozen=True, slots=True)
class _UnreadAudio:
    """n_bytes: of the same sound as PCM at UP_HZ. pcm: at the protocol's one rate."""

    pcm: bytes
    n_bytes: int


@dataclass(frozen=True, slots=True)
class _UnreadEvent:
    event: AnyClientEvent | InvalidEvent
    n_bytes: int


class Uplink:
    """Holds no more than the sizes above, and only `receive` waits. All sound is counted as PCM at UP_HZ.

    gone: why nothing more is received. heard_bytes: of all sound that was let in.
    """

    def __init__(self, now: float, on_damaged: Callable[[], None]) -> None:
        """on_damaged: called for each packet of Opus that cannot be decoded."""
        self.gone: PeerGone | None = None
        self._news = asyncio.Event()
        self.heard_bytes = 0
        self._unread: deque[_UnreadAudio | _UnreadEvent] = deque()
        self._unread_audio_bytes = 0
        self._unread_events = 0
        self._pace = Bucket(now, AUDIO_BYTES_PER_S, UNREAD_AUDIO_BYTES_MAX)
        self._resampler = Resampler(UP_HZ, DOWN_HZ)
        self._encoder = OutputEncoder(PcmFormat())
        self._opus: OpusStream | None = None
        self._on_damaged = on_damaged
        self._has_told_damage = False

    def set_formats(self, formats: Formats) -> None:
        """From the next sound on."""
        self._opus = OpusStream(UP_HZ, DOWN_HZ) if formats.up == "opus" else None

    def set_session_format(self, wire_format: AudioFormat) -> None:
        """Of a session that another client began: the format that it takes sound in."""
        self._encoder = OutputEncoder(wire_format)

    @property
    def is_empty(self) -> bool:
        return not self._unread

    def put_audio(self, payload: bytes, now: float) -> bool:
        """Take the device's sound as it came. False when it was more than is taken.

        Raises InvalidEvent for what is no sound; of damaged packets of Opus for the first only.
        """
        if self._opus is not None:
            return self._decode(self._opus, payload, now)
        n_bytes = len(read_audio(payload))
        return self._admits(n_bytes, now) and self._keep(self._resampler.push(payload), n_bytes)

    def put_event(self, event: AnyClientEvent | InvalidEvent, n_bytes: int = 0) -> bool:
        """False when there are too many already."""
        if self._unread_events >= UNREAD_EVENTS_MAX:
            return False
        self._unread_events += 1
        self._unread.append(_UnreadEvent(event, n_bytes))
        self._news.set()
        return True

    def end(self, gone: PeerGone) -> bool:
        """What was not received by now is lost. False when it had ended already: the first word counts."""
        if self.gone is not None:
            return False
        self.gone = gone
        self._news.set()
        return True

    async def receive(self) -> tuple[AnyClientEvent | InvalidEvent, int]:
        """The oldest, and its size. Raises PeerGone."""
        while self.gone is None and self.is_empty:
            self._news.clear()
            await self._news.wait()
        if self.gone is not None:
            raise self.gone
        return self.take()

    def take(self) -> tuple[AnyClientEvent | InvalidEvent, int]:
        """The oldest, and its size; there must be one."""
        match self._unread.popleft():
            case _UnreadEvent(event=event, n_bytes=n_bytes):
                self._unread_events -= 1
                return event, n_bytes
            case _UnreadAudio(pcm=pcm, n_bytes=n_bytes):
                self._unread_audio_bytes -= n_bytes
                return InputAudioBufferAppend(audio=self._encoder.push(pcm)), n_bytes

    def _admits(self, n_bytes: int, now: float) -> bool:
        if self._unread_audio_bytes + n_bytes > UNREAD_AUDIO_BYTES_MAX:
            return False
        return self._pace.spend(now, n_bytes)

    def _keep(self, pcm: bytes, n_bytes: int) -> bool:
        self.heard_bytes += n_bytes
        self._unread_audio_bytes += n_bytes
        self._unread.append(_UnreadAudio(pcm, n_bytes))
        self._news.set()
        return True

    def _decode(self, stream: OpusStream, payload: bytes, now: float) -> bool:
        n_damaged = stream.damaged
        try:
            packet = read_packet(payload)
            n_bytes = 2 * samples_of(packet.opus) * UP_HZ // OPUS_HZ
            if not self._admits(n_bytes, now):
                return False
            pcm = stream.push(packet.at, packet.opus)
        except (InvalidEvent, ValueError) as error:
            self._damaged(str(error))
            return True
        made_up = max(0, len(pcm) * UP_HZ // DOWN_HZ - n_bytes)
        if made_up and not self._admits(made_up, now):
            return False
        self._keep(pcm, n_bytes + made_up)
        if stream.damaged > n_damaged:
            self._damaged("libopus refuses it")
        return True

    def _damaged(self, why: str) -> None:
        """Raises InvalidEvent for the first only: a device that sends one may send a thousand."""
        self._on_damaged()
        if not self._has_told_damage:
            self._has_told_damage = True
            raise InvalidEvent(
                "invalid_audio", f"A packet of Opus was damaged ({why}); further ones are not told."
            )
