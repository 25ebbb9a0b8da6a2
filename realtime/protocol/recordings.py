"""The audio of users' latest items, for `conversation.item.retrieve`: as it was heard.

All sessions of a server share it: a home keeps minutes of each, a thousand sessions the latest turns.
"""

from collections.abc import Mapping

from agent.api import AudioPart
from realtime.protocol.items import UserItem

LIMIT_BYTES = 4 * 1024 * 1024
"""Two minutes of speech."""


class Recordings:
    """s16le mono at 16 kHz, at most limit_bytes of it: the oldest leaves first.

    A conversation itself keeps audio only for a model that hears it again.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._of: dict[tuple[str, str], dict[int, bytes]] = {}  # session, item -> content index -> audio

    def add(self, session_id: str, item: UserItem) -> None:
        self.drop(session_id, item.id)
        audio = {
            index: part.pcm
            for index, part in enumerate(item.parts)
            if isinstance(part, AudioPart) and part.pcm
        }
        if not audio:
            return
        self._of[session_id, item.id] = audio
        self._held_bytes += _size(audio)
        while self._held_bytes > self._limit_bytes:
            self.drop(*next(iter(self._of)))

    def drop(self, session_id: str, item_id: str) -> None:
        self._held_bytes -= _size(self._of.pop((session_id, item_id), {}))

    def drop_all(self, session_id: str) -> None:
        """The session has ended."""
        for owner, item_id in [place for place in self._of if place[0] == session_id]:
            self.drop(owner, item_id)

    def of(self, session_id: str, item_id: str) -> Mapping[int, bytes]:
        """Content index -> audio; empty where it is not held."""
        return self._of.get((session_id, item_id), {})


def _size(audio: Mapping[int, bytes]) -> int:
    return sum(map(len, audio.values()))
