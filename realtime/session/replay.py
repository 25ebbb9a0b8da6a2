"""What a session has told its client lately: for a client that comes back, and for one that takes over.

Everything that is told gets its event id here, which carries its number in the order of telling.
What was told is kept only of a session that may be resumed.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.api import SPEAKING_HZ
from realtime.protocol.codec import encode
from realtime.protocol.effects import Play
from realtime.protocol.events import ServerEvent

TEXT_BYTES_MAX = 512 * 1024
"""Of events. The oldest go; a client that misses one of those is told the conversation anew."""
AUDIO_BYTES_MAX = 120 * 2 * SPEAKING_HZ
"""Two minutes of sound of which nobody has said that it was heard. The oldest goes; see `is_full`."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event, or one piece of sound. n_bytes: of the event as JSON, or of the sound."""

    number: int
    event: ServerEvent | Play
    n_bytes: int


class Replay:
    """keeps: whether what is told is kept, too."""

    def __init__(self, session_id: str, told_before: int = 0) -> None:
        """told_before: how many events the session has told that cannot be told again."""
        self.keeps = False
        self._stem = f"event_{session_id.removeprefix('sess_')}"
        self._last = self._lost_through = told_before
        self._n_outside = 0
        self._told: deque[Told] = deque()
        self._text_bytes = 0
        self._audio_bytes = 0

    @property
    def last(self) -> int:
        """The number of the event that was told last."""
        return self._last

    @property
    def is_full(self) -> bool:
        """Before sound that nobody could hear yet is dropped, whoever makes more of it should wait."""
        return self._audio_bytes >= AUDIO_BYTES_MAX * 3 // 4

    def note(self, event: ServerEvent | Play) -> None:
        """Give an event its id; it is told now."""
        self._last += 1
        event.event_id = f"{self._stem}_{self._last:06x}"
        if not self.keeps:
            self._lost_through = self._last
        elif isinstance(event, Play):
            self._told.append(Told(self._last, event, len(event.pcm)))
            self._audio_bytes += len(event.pcm)
            if self._audio_bytes > AUDIO_BYTES_MAX:
                self._drop_oldest(of_sound=True)
        else:
            n_bytes = len(encode(event))
            self._told.append(Told(self._last, event, n_bytes))
            self._text_bytes += n_bytes
            while self._text_bytes > TEXT_BYTES_MAX:
                self._drop_oldest(of_sound=False)

    def give_id(self, event: ServerEvent) -> None:
        """For an event outside the order, which is never told again."""
        self._n_outside += 1
        event.event_id = f"{self._stem}_x{self._n_outside:x}"

    def number_of(self, event_id: str) -> int | None:
        """None for what is no event id of this session."""
        stem, _, digits = event_id.partition(".")[0].rpartition("_")
        try:
            return int(digits, 16) if stem == self._stem else None
        except ValueError:
            return None

    def since(self, number: int) -> list[Told] | None:
        """What came after that event; None where not all of it is known any more."""
        if not self._lost_through <= number <= self._last:
            return None
        return [told for told in self._told if told.number > number]

    def sound_of(self, item_id: str, heard_ms: float) -> list[Play]:
        """The unheard sound of an answer, cut at the sample that was heard last."""
        return [
            _from(told.event, heard_ms)
            for told in self._told
            if isinstance(told.event, Play)
            and told.event.item_id == item_id
            and _end_ms(told.event) > heard_ms
        ]

    def forget(self) -> None:
        """Nothing of what was told so far can be told again."""
        self._told.clear()
        self._text_bytes = self._audio_bytes = 0
        self._lost_through = self._last

    def forget_sound(self) -> None:
        """It is about to be told anew."""
        self._drop_sound(lambda *_: True)

    def heard(self, item_id: str, heard_ms: float) -> None:
        """What was heard has arrived: let its sound go, and all sound before it."""
        through = 0
        for told in self._told:
            if isinstance(told.event, Play) and told.event.item_id == item_id:
                if _end_ms(told.event) > heard_ms:
                    break
                through = told.number
        if through:
            self._drop_sound(lambda told, _: told.number <= through)

    def silence(self, response_id: str) -> None:
        """That answer was cut off: nobody is to hear the rest of it."""
        self._drop_sound(lambda _, play: play.response_id == response_id)

    def _drop_sound(self, is_over: Callable[[Told, Play], bool]) -> None:
        kept: deque[Told] = deque()
        for told in self._told:
            if isinstance(told.event, Play) and is_over(told, told.event):
                self._audio_bytes -= told.n_bytes
            else:
                kept.append(told)
        self._told = kept

    def _drop_oldest(self, of_sound: bool) -> None:
        for index, told in enumerate(self._told):
            if isinstance(told.event, Play) == of_sound:
                if of_sound:
                    self._audio_bytes -= told.n_bytes
                else:
                    self._text_bytes -= told.n_bytes
                self._lost_through = told.number
                del self._told[index]
                return


def _end_ms(play: Play) -> float:
    return play.start_ms + len(play.pcm) * 500 / SPEAKING_HZ


def _from(play: Play, heard_ms: float) -> Play:
    if heard_ms <= play.start_ms:
        return replace(play)
    n_samples = round((heard_ms - play.start_ms) * SPEAKING_HZ / 1000)
    start_ms = play.start_ms + n_samples * 1000 / SPEAKING_HZ
    return replace(play, pcm=play.pcm[2 * n_samples :], start_ms=start_ms)
