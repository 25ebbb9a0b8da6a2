"""The answers on their way to a device: numbered, cut into frames of its format, each frame in its time."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from realtime.audio.opus import OpusEncoder
from realtime.protocol.effects import Play
from realtime.protocol.events import PlaybackReport
from realtime.transports.mqtt.codec import DOWN_HZ, Formats, Frame, Played, write_frame
from realtime.transports.mqtt.pacing import PacedAudio

FRAME_MS = 40
FRAME_BYTES = 2 * DOWN_HZ * FRAME_MS // 1000
ANSWERS_KNOWN_MAX = 16


@dataclass(slots=True)
class Answer:
    """The sound of one item, as this device counts it."""

    number: int
    item_id: str
    response_id: str
    start_ms: float  # where in the item its sound begins here
    frame_bytes: int
    encoder: OpusEncoder | None
    sent_samples: int = 0
    rest: bytearray = field(default_factory=bytearray)  # less than a packet

    @property
    def format(self) -> Literal["pcm", "opus"]:
        return "pcm" if self.encoder is None else "opus"


class Downlink:
    """Pure: `now` is an argument. What waits is PCM; it is encoded when its time has come.

    cleared: the device is silent to the end of the answer with this number.
    """

    def __init__(self, lead_s: float) -> None:
        self.cleared = 0
        self._formats = Formats()
        self._paced = PacedAudio(lead_s)
        self._answers: deque[Answer] = deque(maxlen=ANSWERS_KNOWN_MAX)

    def set_formats(self, formats: Formats) -> None:
        """From the next answer on."""
        self._formats = formats

    @property
    def waiting_bytes(self) -> int:
        """PCM that waits for its time."""
        return self._paced.bytes

    @property
    def due_at(self) -> float | None:
        """When to `take` the next frame; None when there is none."""
        return self._paced.due_at

    def answer_of(self, play: Play) -> tuple[Answer, bool]:
        """Which answer that is of, and whether it begins with it."""
        # Nearly always the newest; an answer beside the conversation may speak at the same time.
        known = next((one for one in reversed(self._answers) if one.item_id == play.item_id), None)
        if known is not None:
            return known, False
        number = self._answers[-1].number + 1 if self._answers else 1
        encoder, frame_bytes = None, FRAME_BYTES
        if self._formats.down == "opus":
            encoder = OpusEncoder(DOWN_HZ, self._formats.down_ms)
            frame_bytes = encoder.frame_bytes
        answer = Answer(number, play.item_id, play.response_id, play.start_ms, frame_bytes, encoder)
        self._answers.append(answer)
        return answer, True

    def put(self, answer: Answer, pcm: bytes) -> None:
        if answer.encoder is not None:  # whole packets only
            answer.rest += pcm
            n_whole = len(answer.rest) - len(answer.rest) % answer.frame_bytes
            pcm = bytes(answer.rest[:n_whole])
            del answer.rest[:n_whole]
        for at in range(0, len(pcm), answer.frame_bytes):
            self._put_frame(answer, pcm[at : at + answer.frame_bytes])

    def finish(self, item_id: str) -> None:
        """No more comes of this item: what is less than a packet is sent too."""
        for answer in self._answers:
            if answer.item_id == item_id and answer.rest and answer.number > self.cleared:
                self._put_frame(answer, bytes(answer.rest))
                answer.rest.clear()

    def take(self, now: float) -> tuple[int, bytes]:
        """The next frame: the number of its answer, and its bytes on the wire."""
        frame = self._paced.take(now)
        answer = next((one for one in reversed(self._answers) if one.number == frame.answer), None)
        if answer is None or answer.encoder is None:
            return frame.answer, write_frame(frame)
        packet = answer.encoder.encode(frame.pcm.ljust(answer.frame_bytes, b"\0"))
        return frame.answer, write_frame(frame, packet)

    def played(self, event: Played, now: float) -> PlaybackReport | None:
        """The device's word for how far it is, as the session counts; None for an unknown answer."""
        answer = next((one for one in self._answers if one.number == event.answer), None)
        if answer is None:
            return None
        self._paced.played(event.answer, event.played_ms / 1000.0, now)
        # A last packet is filled up with silence, which is not of the item.
        played_ms = min(event.played_ms, round(answer.sent_samples * 1000 / DOWN_HZ))
        return PlaybackReport(
            item_id=answer.item_id,
            played_ms=round(answer.start_ms) + played_ms,
            underruns=event.underruns,
        )

    def clear(self, response_id: str) -> int | None:
        """All sound stops. Returns up to which answer; None when nothing of that response was played.

        The core never cuts an answer off and lets an earlier one go on.
        """
        numbers = [answer.number for answer in self._answers if answer.response_id == response_id]
        if not numbers or numbers[-1] <= self.cleared:
            return None
        self.cleared = numbers[-1]
        self._paced.clear()
        return self.cleared

    def forget(self) -> None:
        """Nobody hears it any more."""
        self._paced.clear()

    def _put_frame(self, answer: Answer, pcm: bytes) -> None:
        self._paced.put(Frame(answer.number, answer.sent_samples, pcm))
        answer.sent_samples += len(pcm) // 2
