"""A loudspeaker that plays nothing and takes the time: what a client that gets audio events has."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from tests.peers.pace import Paced

BYTES_PER_MS = 48
PIECE_BYTES = 20 * BYTES_PER_MS
TOLD_EVERY_S = 0.2

Tell = Callable[[str, float], Awaitable[None]]
"""(an item, how far it was played in ms)"""


class Loudspeaker:
    """Answers one after another, each in its time; s16le mono at 24 kHz.

    positions: how far each item was played, in ms; the sound of an item may begin later than the item does.
    """

    def __init__(self, on_played: Callable[[str, float], None], tell: Tell, tell_cut: Tell) -> None:
        """on_played: an item and so many more ms of it. tell: every TOLD_EVERY_S and at an item's end.
        tell_cut: of an item that was silenced."""
        self.positions: dict[str, float] = {}
        self._on_played = on_played
        self._tell = tell
        self._tell_cut = tell_cut
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._changed = asyncio.Event()
        self._is_still = asyncio.Event()
        self._cut: str | None = None

    def play(self, item_id: str, pcm: bytes) -> None:
        self._waiting += [(item_id, pcm[at : at + PIECE_BYTES]) for at in range(0, len(pcm), PIECE_BYTES)]
        self._is_still.clear()
        self._changed.set()

    def goes_on_at(self, positions: dict[str, float]) -> None:
        """The sound of these items that comes from now on begins there; what waits is dropped."""
        self._waiting.clear()
        self.positions |= positions

    def silence(self) -> None:
        """Play nothing more of what it has."""
        if self._waiting:
            self._cut = self._waiting[0][0]
            self._waiting.clear()

    async def still(self) -> None:
        """Wait until nothing is played, and all is told."""
        await self._is_still.wait()

    async def run(self) -> None:
        loop, paced = asyncio.get_running_loop(), Paced(catches_up=False)
        told_at = loop.time()
        while True:
            if not self._waiting:
                if self._cut is not None:
                    item_id, self._cut = self._cut, None
                    await self._tell_cut(item_id, self.positions.get(item_id, 0.0))
                    continue
                self._changed.clear()
                self._is_still.set()
                await self._changed.wait()
                continue
            item_id, pcm = self._waiting.popleft()
            ms = len(pcm) / BYTES_PER_MS
            await paced.after(ms / 1000)
            self.positions[item_id] = self.positions.get(item_id, 0.0) + ms
            self._on_played(item_id, ms)
            is_its_end = not self._waiting or self._waiting[0][0] != item_id
            if self._cut is None and (is_its_end or loop.time() - told_at >= TOLD_EVERY_S):
                told_at = loop.time()
                await self._tell(item_id, self.positions[item_id])
