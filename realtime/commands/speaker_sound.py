"""The sound of `parlour speaker`: what goes up and comes down, as docs/mqtt.md says, and what was heard."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from realtime.audio.opus import OpusEncoder
from realtime.audio.opus_stream import OpusStream
from realtime.commands.sound_devices import HZ, Playback
from realtime.transports.mqtt.codec import DOWN_HZ, UP_HZ, Packet, read_frame, read_head, write_packet

Coding = Literal["pcm", "opus"]
FRAME_MS = 40
FRAME_BYTES = 2 * UP_HZ * FRAME_MS // 1000


class UpSound:
    """A microphone's sound -> messages. It counts on through what is not sent."""

    def __init__(self, coding: Coding) -> None:
        self._encoder = OpusEncoder(UP_HZ, FRAME_MS) if coding == "opus" else None
        self._waiting = bytearray()
        self._at = 0  # samples before what waits

    def push(self, pcm: bytes) -> Iterator[bytes]:
        """pcm: s16le mono at UP_HZ, of any length; what is less than a frame waits for more."""
        self._waiting += pcm
        while len(self._waiting) >= FRAME_BYTES:
            frame = bytes(self._waiting[:FRAME_BYTES])
            del self._waiting[:FRAME_BYTES]
            at, self._at = self._at, self._at + FRAME_BYTES // 2
            yield frame if self._encoder is None else write_packet(Packet(at, self._encoder.encode(frame)))

    def skip(self, n_bytes: int) -> None:
        """So much was heard and not sent, and what waited is not sent either."""
        self._at += (len(self._waiting) + n_bytes) // 2
        self._waiting.clear()


@dataclass(slots=True)
class _Answer:
    """starts_ms: where in its item its sound begins here. skip_bytes: of its beginning, heard already."""

    number: int
    item_id: str
    starts_ms: int
    skip_bytes: int
    decoder: OpusStream | None
    taken_bytes: int = 0


class Loudspeaker:
    """What comes down, decoded and played. Of an answer that is told again, what was heard is left out."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._answers: dict[int, _Answer] = {}
        self._cleared = 0
        self._heard_ms: dict[str, int] = {}  # of the answer that a lost connection cut off

    def begins(self, number: int, item_id: str, starts_ms: int, coding: Coding) -> None:
        """parlour.answer"""
        skip_bytes = 2 * HZ * max(0, self._heard_ms.get(item_id, 0) - starts_ms) // 1000
        decoder = OpusStream(DOWN_HZ, HZ) if coding == "opus" else None
        for old in [known for known in self._answers if known < number - 4]:
            del self._answers[old]
        self._answers[number] = _Answer(number, item_id, starts_ms, skip_bytes, decoder)

    def take(self, payload: bytes) -> None:
        """A frame. Raises ValueError for what is none."""
        number, offset, sound = read_head(payload)
        answer = self._answers.get(number)
        if answer is None or number <= self._cleared:
            return
        pcm = answer.decoder.push(offset, sound) if answer.decoder else read_frame(payload).pcm
        skipped = min(len(pcm), max(0, answer.skip_bytes - answer.taken_bytes))
        answer.taken_bytes += len(pcm)
        if skipped < len(pcm):
            self._playback.play(str(number), pcm[skipped:])

    def clear(self, number: int) -> None:
        """output_audio_buffer.cleared"""
        self._cleared = max(self._cleared, number)
        self._playback.stop()

    def heard(self, latency_ms: int = 0) -> dict[str, object] | None:
        """`played` of parlour.resume: the item that was played last, and how much of it was heard."""
        self._note(latency_ms)
        return next(({"item_id": one, "played_ms": ms} for one, ms in self._heard_ms.items()), None)

    def resumed(self) -> None:
        """Answers are numbered anew. What was played since `heard` is not to come again."""
        self._note()
        self._begin_anew()

    def reset(self) -> None:
        """Another conversation."""
        self._heard_ms = {}
        self._begin_anew()

    def position(self, latency_ms: int = 0) -> tuple[int, int]:
        """The answer that was played last, 0 for none, and how many ms of it were heard."""
        number, played_ms = self._playback.position(latency_ms)
        answer = self._answers.get(int(number)) if number else None
        return (answer.number, played_ms + _ms(answer.skip_bytes)) if answer is not None else (0, 0)

    def _note(self, latency_ms: int = 0) -> None:
        number, played_ms = self.position(latency_ms)
        answer = self._answers.get(number)
        if answer is not None:
            self._heard_ms = {answer.item_id: answer.starts_ms + played_ms}

    def _begin_anew(self) -> None:
        self._answers.clear()
        self._cleared = 0
        self._playback.reset()


def _ms(n_bytes: int) -> int:
    return n_bytes * 1000 // (2 * HZ)
