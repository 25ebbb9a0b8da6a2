"""The audio of the user's latest items, for `conversation.item.retrieve`: as it was heard."""

from collections.abc import Mapping

from agent.api import AudioPart
from realtime.protocol.items import UserItem


class Recordings:
    """s16le mono at 16 kHz, at most limit_bytes of it: the oldest leaves first.

    The conversation itself keeps audio only for a model that hears it again.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._of: dict[str, dict[int, bytes]] = {}  # item id -> content index -> audio

    def add(self, item: UserItem) -> None:
        self.drop(item.id)
        audio = {
            index: part.pcm
            for index, part in enumerate(item.parts)
            if isinstance(part, AudioPart) and part.pcm
        }
        if not audio:
            return
        self._of[item.id] = audio
        self._held_bytes += _size(audio)
        while self._held_bytes > self._limit_bytes:
            self.drop(next(iter(self._of)))

    def drop(self, item_id: str) -> None:
        self._held_bytes -= _size(self._of.pop(item_id, {}))

    def of(self, item_id: str) -> Mapping[int, bytes]:
        """Content index -> audio; empty where it is not held."""
        return self._of.get(item_id, {})


def _size(audio: Mapping[int, bytes]) -> int:
    return sum(map(len, audio.values()))
