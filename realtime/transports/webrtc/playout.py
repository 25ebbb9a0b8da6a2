"""What is to be heard, cut into frames; and what has been sent of it. Pure: the pace is the track's."""

from collections import deque
from dataclasses import dataclass, field

from realtime.audio.opus import FRAME_BYTES
from realtime.audio.wire_format import PCM_HZ
from realtime.protocol.effects import Play

_BYTES_PER_MS = 2 * PCM_HZ / 1000
QUEUED_BYTES_MAX = int(60_000 * _BYTES_PER_MS)
"""A minute. With more, the agent waits; it paces itself to a few seconds, so that is many answers."""
_REPORT_EVERY_MS = 40.0


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms for the wire. began, ended: the response whose first or last frame this is."""

    pcm: bytes
    began: str | None = None
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """So much of an item's audio has been sent."""

    item_id: str
    played_ms: int


@dataclass(slots=True)
class _Voice:
    """One item's audio. start_ms: where in the item it begins. waiting: what has not been sent of it."""

    response_id: str
    item_id: str
    start_ms: float
    waiting: bytearray = field(default_factory=bytearray)
    sent_bytes: int = 0
    reported_ms: float = -1.0

    @property
    def position(self) -> Position:
        return Position(self.item_id, round(self.start_ms + self.sent_bytes / _BYTES_PER_MS))


class Playout:
    """Answers one after another, each in whole frames, its last one filled up with silence."""

    def __init__(self) -> None:
        self._voices: deque[_Voice] = deque()
        self._begun: str | None = None  # the response that is being heard
        self._complete: set[str] = set()  # responses of which no more comes, while they are queued
        self._finals: deque[Position] = deque(maxlen=64)  # more items do not end between two reads
        self._queued_bytes = 0

    @property
    def is_full(self) -> bool:
        return self._queued_bytes >= QUEUED_BYTES_MAX

    def push(self, play: Play) -> None:
        if not self._voices or self._voices[-1].item_id != play.item_id:
            self._voices.append(_Voice(play.response_id, play.item_id, play.start_ms))
        self._voices[-1].waiting += play.pcm
        self._queued_bytes += len(play.pcm)

    def finish(self, response_id: str) -> bool:
        """No more comes of this response. True: its last audio has already been sent."""
        if any(voice.response_id == response_id and voice.waiting for voice in self._voices):
            self._complete.add(response_id)
            return False
        for voice in [voice for voice in self._voices if voice.response_id == response_id]:
            self._leave(voice)
        if self._begun != response_id:
            return False  # it has no audio
        self._begun = None
        return True

    def next(self) -> Frame | None:
        """The next frame to send; None when there is nothing, or not yet a whole one."""
        while self._voices:
            voice = self._voices[0]
            is_whole = voice.response_id in self._complete or len(self._voices) > 1
            if not voice.waiting and is_whole:
                self._leave(voice)
            elif len(voice.waiting) >= FRAME_BYTES or is_whole:
                return self._take(voice, is_whole)
            else:
                break
        return None

    def stop(self, response_id: str) -> list[Position] | None:
        """Forget this response's audio.

        Returns what was last reported of each of its items; None if it is not here.
        """
        cut = [voice for voice in self._voices if voice.response_id == response_id]
        if not cut and self._begun != response_id:
            return None
        for voice in cut:
            self._voices.remove(voice)
            self._queued_bytes -= len(voice.waiting)
        self._complete.discard(response_id)
        if self._begun == response_id:
            self._begun = None
        return [Position(voice.item_id, max(0, round(voice.reported_ms))) for voice in cut]

    def clear(self) -> None:
        """Forget all audio."""
        self._voices.clear()
        self._complete.clear()
        self._finals.clear()
        self._begun, self._queued_bytes = None, 0

    def ended(self) -> Position | None:
        """The end of an item that has been heard whole, each once."""
        return self._finals.popleft() if self._finals else None

    def progress(self) -> Position | None:
        """How far the item is that plays, where that is news."""
        voice = self._voices[0] if self._voices else None
        if voice is None or not voice.sent_bytes:
            return None
        position = voice.position
        if position.played_ms < voice.reported_ms + _REPORT_EVERY_MS:
            return None
        voice.reported_ms = position.played_ms
        return position

    def _take(self, voice: _Voice, is_whole: bool) -> Frame:
        pcm = bytes(voice.waiting[:FRAME_BYTES])
        del voice.waiting[:FRAME_BYTES]
        self._queued_bytes -= len(pcm)
        voice.sent_bytes += len(pcm)
        response_id = voice.response_id
        began = response_id if self._begun != response_id else None
        self._begun = response_id
        ended = None
        if is_whole and not voice.waiting:
            self._leave(voice)
            is_over = all(other.response_id != response_id for other in self._voices)
            if is_over and response_id in self._complete:
                self._complete.discard(response_id)
                self._begun, ended = None, response_id
        return Frame(pcm.ljust(FRAME_BYTES, b"\0"), began, ended)

    def _leave(self, voice: _Voice) -> None:
        self._voices.remove(voice)
        self._finals.append(voice.position)
