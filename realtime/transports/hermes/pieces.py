"""An answer's sound as Hermes can play it: whole WAV files, each when the one before it has been heard.

A site cannot be told to stop, so pieces are short; and between two there is a gap, so they end where it is
quiet. Pure: `now` is an argument.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from realtime.transports.hermes.codec import DOWN_HZ

PIECE_S_MIN, PIECE_S_MAX = 1.0, 2.5
"""Of a piece that is not the end of its item. What a barge-in cannot stop is at most the second."""
LATE_S = 2.0
"""A site that says nothing so long after a piece's end is taken to have played it."""
_SLOT = DOWN_HZ // 50


def _bytes(seconds: float) -> int:
    return 2 * round(seconds * DOWN_HZ)


@dataclass(slots=True)
class _Item:
    item_id: str
    start_ms: float
    waiting: bytearray = field(default_factory=bytearray)
    sent_bytes: int = 0
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    number: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """ms: a position in the item."""

    item_id: str
    ms: int


@dataclass(slots=True)
class _Playing:
    number: int
    item: _Item
    from_ms: float
    duration_ms: float
    sent_at: float

    def position(self, now: float) -> Heard:
        """By the clock."""
        return self.at((now - self.sent_at) * 1000.0)

    def at(self, ms: float) -> Heard:
        return Heard(self.item.item_id, round(self.from_ms + min(max(0.0, ms), self.duration_ms)))

    @property
    def end(self) -> Heard:
        return self.at(self.duration_ms)

    @property
    def overdue_at(self) -> float:
        return self.sent_at + self.duration_ms / 1000.0 + LATE_S


class Pieces:
    """The sound of one site's session, item after item."""

    def __init__(self) -> None:
        self._items: deque[_Item] = deque()
        self._playing: _Playing | None = None
        self._count = 0

    @property
    def waiting_bytes(self) -> int:
        return sum(len(item.waiting) for item in self._items)

    @property
    def is_playing(self) -> bool:
        """A piece is being heard."""
        return self._playing is not None

    @property
    def playing(self) -> int | None:
        """The number of the piece that is being heard."""
        return self._playing.number if self._playing is not None else None

    @property
    def overdue_at(self) -> float | None:
        """When the piece that is being heard is taken to have been heard."""
        return self._playing.overdue_at if self._playing is not None else None

    def put(self, item_id: str, start_ms: float, pcm: bytes) -> None:
        """start_ms: where in the item this sound begins."""
        if not self._items or self._items[-1].item_id != item_id:
            if self._items:
                self._items[-1].is_whole = True
            self._items.append(_Item(item_id, start_ms))
        self._items[-1].waiting += pcm

    def finish(self, item_id: str) -> None:
        """No more comes of this item."""
        for item in self._items:
            if item.item_id == item_id:
                item.is_whole = True

    def next(self, now: float) -> Piece | None:
        """What is to be sent now; None while something is heard, or too little waits."""
        if self._playing is not None:
            return None
        while self._items and self._items[0].is_whole and not self._items[0].waiting:
            self._items.popleft()
        if not self._items:
            return None
        item = self._items[0]
        n_bytes = _cut_at(item.waiting, item.is_whole)
        if not n_bytes:
            return None
        pcm = bytes(item.waiting[:n_bytes])
        del item.waiting[:n_bytes]
        self._count += 1
        from_ms = item.start_ms + item.sent_bytes * 500.0 / DOWN_HZ
        item.sent_bytes += n_bytes
        self._playing = _Playing(self._count, item, from_ms, n_bytes * 500.0 / DOWN_HZ, now)
        return Piece(self._count, pcm)

    def heard(self, now: float) -> Heard | None:
        """How far the piece is that is being heard; None when none is."""
        return self._playing.position(now) if self._playing is not None else None

    def finished(self, number: int) -> Heard | None:
        """A site's word for the end of a piece; None for one that is not being heard."""
        if self._playing is None or self._playing.number != number:
            return None
        playing, self._playing = self._playing, None
        return playing.end

    def give_up(self, now: float) -> Heard | None:
        """What is overdue was heard, or never will be: go on."""
        if self._playing is None or now < self._playing.overdue_at:
            return None
        return self.finished(self._playing.number)

    def clear(self) -> Heard | None:
        """Send no more. Returns how far what was sent will be heard: it cannot be stopped."""
        self._items.clear()
        return self._playing.end if self._playing is not None else None


def _cut_at(waiting: bytearray, is_whole: bool) -> int:
    """How many bytes of it make the next piece; 0 for none yet."""
    longest, shortest = _bytes(PIECE_S_MAX), _bytes(PIECE_S_MIN)
    if is_whole and len(waiting) <= longest:
        return len(waiting)
    if len(waiting) < longest:
        return 0
    samples = np.frombuffer(bytes(waiting[shortest:longest]), "<i2").astype(np.float32)
    slots = samples[: len(samples) - len(samples) % _SLOT].reshape(-1, _SLOT)
    quietest = int(np.argmin(np.mean(slots * slots, axis=1)))
    return shortest + 2 * _SLOT * quietest + _SLOT
