"""The replay buffer: what a session has sent lately, for a client that comes back or takes over.

Everything that is sent gets its event id here, which carries its number in the order of sending. Only a
session that may be resumed is recorded.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from msgspec import structs

from agent.api import SPEAKING_HZ
from realtime.protocol.codec import encode
from realtime.protocol.effects import Play
from realtime.protocol.events import ItemRetrieved, ServerEvent, without_audio

TEXT_BYTES_MAX = 512 * 1024
"""Of events as JSON. The oldest are dropped; a client that has missed one of those gets a resync."""
AUDIO_BYTES_MAX = 120 * 2 * SPEAKING_HZ
"""Two minutes of audio (s16le mono at 24 kHz) that was not reported as heard. The oldest is dropped."""


@dataclass(frozen=True, slots=True)
class ReplayEntry:
    """One event, or one piece of audio. n_bytes: of the event as JSON, or of the audio."""

    number: int
    event: ServerEvent | Play
    n_bytes: int


class ReplayBuffer:
    """is_recording: the session may be resumed. heard_ms: a position in an item's audio, in milliseconds."""

    def __init__(self, session_id: str, n_sent_before: int = 0) -> None:
        """n_sent_before: how many events the session has sent that are not here."""
        self.is_recording = False
        self._stem = f"event_{session_id.removeprefix('sess_')}"
        self._last_number = self._dropped_through = n_sent_before
        self._n_outside = 0
        self._entries: deque[ReplayEntry] = deque()
        self._text_bytes = 0
        self._audio_bytes = 0

    @property
    def last_number(self) -> int:
        """Of the event that was sent last."""
        return self._last_number

    @property
    def is_full(self) -> bool:
        """Whoever makes more audio should wait, before audio that nobody could hear yet is dropped."""
        return self._audio_bytes >= AUDIO_BYTES_MAX * 3 // 4

    def record(self, event: ServerEvent | Play) -> None:
        """Give an event its id; it is sent now."""
        self._last_number += 1
        event.event_id = f"{self._stem}_{self._last_number:06x}"
        if not self.is_recording:
            self._dropped_through = self._last_number
        elif isinstance(event, Play):
            self._entries.append(ReplayEntry(self._last_number, event, len(event.pcm)))
            self._audio_bytes += len(event.pcm)
            if self._audio_bytes > AUDIO_BYTES_MAX:
                self._drop_oldest(of_audio=True)
        else:
            if isinstance(event, ItemRetrieved):  # its audio is larger than all that is kept
                event = structs.replace(event, item=without_audio(event.item))
            n_bytes = len(encode(event))
            self._entries.append(ReplayEntry(self._last_number, event, n_bytes))
            self._text_bytes += n_bytes
            while self._text_bytes > TEXT_BYTES_MAX:
                self._drop_oldest(of_audio=False)

    def give_id(self, event: ServerEvent) -> None:
        """For an event outside the order, which is never replayed."""
        self._n_outside += 1
        event.event_id = f"{self._stem}_x{self._n_outside:x}"

    def number_of(self, event_id: str) -> int | None:
        """None for what is no event id of this session."""
        stem, _, digits = event_id.partition(".")[0].rpartition("_")
        try:
            return int(digits, 16) if stem == self._stem else None
        except ValueError:
            return None

    def since(self, number: int) -> list[ReplayEntry] | None:
        """What was sent after that event; None where not all of it is here any more."""
        if not self._dropped_through <= number <= self._last_number:
            return None
        return [entry for entry in self._entries if entry.number > number]

    def unheard_audio(self, item_id: str, heard_ms: float) -> list[Play]:
        """The audio of an answer after heard_ms, cut at that sample."""
        return [
            _after(entry.event, heard_ms)
            for entry in self._entries
            if isinstance(entry.event, Play)
            and entry.event.item_id == item_id
            and _end_ms(entry.event) > heard_ms
        ]

    def clear(self) -> None:
        """Nothing of what was sent so far can be replayed."""
        self._entries.clear()
        self._text_bytes = self._audio_bytes = 0
        self._dropped_through = self._last_number

    def clear_audio(self) -> None:
        """The audio is about to be sent again."""
        self._drop_audio_where(lambda *_: True)

    def drop_heard(self, item_id: str, heard_ms: float) -> None:
        """Drop the audio of an answer up to heard_ms, and all audio before it."""
        through = 0
        for entry in self._entries:
            if isinstance(entry.event, Play) and entry.event.item_id == item_id:
                if _end_ms(entry.event) > heard_ms:
                    break
                through = entry.number
        if through:
            self._drop_audio_where(lambda entry, _: entry.number <= through)

    def drop_audio(self, response_id: str) -> None:
        """Of a response that was cut off."""
        self._drop_audio_where(lambda _, play: play.response_id == response_id)

    def _drop_audio_where(self, is_dropped: Callable[[ReplayEntry, Play], bool]) -> None:
        remaining: deque[ReplayEntry] = deque()
        for entry in self._entries:
            if isinstance(entry.event, Play) and is_dropped(entry, entry.event):
                self._audio_bytes -= entry.n_bytes
            else:
                remaining.append(entry)
        self._entries = remaining

    def _drop_oldest(self, of_audio: bool) -> None:
        for index, entry in enumerate(self._entries):
            if isinstance(entry.event, Play) == of_audio:
                if of_audio:
                    self._audio_bytes -= entry.n_bytes
                else:
                    self._text_bytes -= entry.n_bytes
                self._dropped_through = entry.number
                del self._entries[index]
                return


def _end_ms(play: Play) -> float:
    return play.start_ms + len(play.pcm) * 500 / SPEAKING_HZ


def _after(play: Play, heard_ms: float) -> Play:
    if heard_ms <= play.start_ms:
        return replace(play)
    n_samples = round((heard_ms - play.start_ms) * SPEAKING_HZ / 1000)
    start_ms = play.start_ms + n_samples * 1000 / SPEAKING_HZ
    return replace(play, pcm=play.pcm[2 * n_samples :], start_ms=start_ms)
