"""The audio that the peer hears, at the pace of speech: one packet every 20 ms, and few in silence."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from realtime.audio.opus import FRAME_BYTES, FRAME_MS
from realtime.protocol.effects import Play
from realtime.session.transport import UNTOLD_MS_MAX
from realtime.transports.webrtc.audio_codec import OPUS, AudioCodec
from realtime.transports.webrtc.playout import Frame, Playout, Position

_FRAME_S = FRAME_MS / 1000
_TAIL_FRAMES = 10
"""Silence after the sound, so that the listener's decoder ends softly and invents nothing."""
_QUIET_EVERY_S = 0.4  # as Opus does itself in silence (RFC 6716 2.1.9)
_BEHIND_FRAMES_MAX = 5
"""Later than this, the frames that are due are not caught up with: sound goes on later instead."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One packet. timestamp: of its first sample, by the codec's RTP clock, from the first packet's on."""

    payload: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class _Sent:
    """An item's audio was on its way up to there. is_all: to its end. from_ms: up to where it was before."""

    at_s: float
    position: Position
    is_all: bool
    from_ms: int


class PlayoutTrack:
    """on_began, on_ended: told of a response whose first or last frame leaves. rtp_hz: of its timestamps."""

    def __init__(
        self, on_began: Callable[[str], None], on_ended: Callable[[str], None], codec: AudioCodec = OPUS
    ) -> None:
        self.rtp_hz = codec.rtp_hz
        self._playout = Playout()
        self._on_began = on_began
        self._on_ended = on_ended
        self._encoder = codec.encoder()
        self._frame_samples = codec.rtp_hz * FRAME_MS // 1000
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._tail = 0
        self._slot = 0
        self._began_at: float | None = None
        self._sent: deque[_Sent] = deque()  # and not told; a peer that is silent is soon gone
        self._told: deque[_Sent] = deque()  # lately enough to be told again
        self._noted = Position("", 0)
        self._heard_ms: dict[str, int] = {}  # of each item that is not known to be heard to its end

    def play(self, play: Play) -> None:
        self._heard_ms.setdefault(play.item_id, round(play.start_ms))
        self._playout.push(play)
        self._news.set()
        if self._playout.is_full:
            self._room.clear()

    def finish(self, response_id: str) -> bool:
        self._news.set()
        is_over = self._playout.finish(response_id)
        self._note()
        return is_over

    def stop_playing(self, response_id: str) -> list[Position] | None:
        """Forget this response's audio. Returns what `heard` told of each item; None if it is not here."""
        cut = self._playout.stop(response_id)
        self._make_room()
        if cut is None:
            return None
        items = [position.item_id for position in cut]
        self._sent = deque(sent for sent in self._sent if sent.position.item_id not in items)
        self._told = deque(sent for sent in self._told if sent.position.item_id not in items)
        return [Position(item_id, self._heard_ms.pop(item_id, 0)) for item_id in items]

    def heard(self, alive_at: float, may_wait: bool) -> Position | None:
        """What is to be told of what was sent.

        alive_at: when there was a sign of life of the peer, in monotonic seconds; what was sent since may be
        lost with the network. may_wait: leave out what will be told later anyway.
        """
        while self._sent and self._sent[0].at_s <= alive_at:
            if may_wait and not any(sent.is_all and sent.at_s <= alive_at for sent in self._sent):
                return None
            sent = self._sent.popleft()
            self._told.append(sent)
            while self._told and self._told[0].at_s < alive_at - UNTOLD_MS_MAX / 1000:
                self._told.popleft()
            position = sent.position
            if sent.is_all:
                self._heard_ms.pop(position.item_id, None)
                return position
            self._heard_ms[position.item_id] = position.played_ms
            later = self._sent[0] if self._sent else None
            if later is None or later.at_s > alive_at or later.position.item_id != position.item_id:
                return position
        return None

    def detach(self, arrived_by: float) -> list[Position]:
        """Forget all audio; how far it was heard, as far as it has not been told.

        arrived_by: what was sent until then has come to the peer. Where more was told of an item, its
        position is told again.
        """
        told = []
        while (position := self.heard(arrived_by, may_wait=False)) is not None:
            told.append(position)
        lost = [sent for sent in self._told if sent.at_s > arrived_by]
        if lost:
            item_id = lost[-1].position.item_id
            from_ms = next(sent.from_ms for sent in lost if sent.position.item_id == item_id)
            told.append(Position(item_id, from_ms))
        elif self._heard_ms:  # the item that is heard now, maybe from its beginning
            told.append(Position(*next(iter(self._heard_ms.items()))))
        self._playout.clear()
        self._told.clear()
        self._sent.clear()
        self._heard_ms.clear()
        self._make_room()
        return told

    def discard(self) -> None:
        """Nobody hears it any more: nobody waits for room."""
        self._room.set()

    async def drain(self) -> None:
        """Wait until more may be played."""
        await self._room.wait()

    async def next(self) -> Encoded:
        """The next packet, when it is due. What it returns counts as sent."""
        while True:
            await self._until_due()
            self._news.clear()
            frame = self._playout.next()
            if frame is not None:
                self._tail = _TAIL_FRAMES
                self._make_room()
                packet = self._packet(frame)
                self._note()
                return packet
            if self._tail:
                self._tail -= 1
                return self._packet(Frame(bytes(FRAME_BYTES)))
            try:
                async with asyncio.timeout(_QUIET_EVERY_S):
                    await self._news.wait()
            except TimeoutError:
                self._pass_silence()
                return self._packet(Frame(bytes(FRAME_BYTES)))
            self._pass_silence()

    def _pass_silence(self) -> None:
        """Nothing was due meanwhile. A packet with the time at which the silence began would look as late as
        the silence was long, and a browser would hold all sound back by so much."""
        assert self._began_at is not None
        now = asyncio.get_running_loop().time()
        self._slot = max(self._slot, round((now - self._began_at) / _FRAME_S))

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        if self._began_at is None:
            self._began_at = loop.time()
        ahead_s = self._began_at + self._slot * _FRAME_S - loop.time()
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        elif -ahead_s > _BEHIND_FRAMES_MAX * _FRAME_S:
            self._slot += int(-ahead_s / _FRAME_S)

    def _packet(self, frame: Frame) -> Encoded:
        packet = Encoded(self._encoder.encode(frame.pcm), self._slot * self._frame_samples)
        self._slot += 1
        if frame.began is not None:
            self._on_began(frame.began)
        if frame.ended is not None:
            self._on_ended(frame.ended)
        return packet

    def _note(self) -> None:
        now = time.monotonic()
        while (position := self._playout.ended()) is not None:
            self._sent.append(self._left(now, position, is_all=True))
        position = self._playout.progress()
        if position is not None:
            self._sent.append(self._left(now, position, is_all=False))

    def _left(self, now: float, position: Position, is_all: bool) -> _Sent:
        is_new = self._noted.item_id != position.item_id
        from_ms = self._heard_ms.get(position.item_id, 0) if is_new else self._noted.played_ms
        self._noted = position
        return _Sent(now, position, is_all, from_ms)

    def _make_room(self) -> None:
        if not self._playout.is_full:
            self._room.set()
