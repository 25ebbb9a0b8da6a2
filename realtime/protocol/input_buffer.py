"""The input audio buffer: what the user has said since the last commit."""

from dataclasses import dataclass

from agent.api import LISTENING_HZ
from realtime.errors import ClientError

COMMIT_MS_MIN = 100  # the wire's: a shorter commit is input_audio_buffer_commit_empty
_BYTES_PER_MS = LISTENING_HZ * 2 // 1000
_DETECTION_LAG_MS = 1_000  # the longest that a turn detector takes to notice speech
_BEFORE_SPEECH_MS = 5_000 + _DETECTION_LAG_MS  # the longest prefix that a client can ask for, and the lag


@dataclass(slots=True)
class Utterance:
    """Speech that has begun and not ended. last_audio_at: when audio last came (`now`)."""

    item_id: str
    start_ms: int
    last_audio_at: float


class InputBuffer:
    """s16le mono at 16 kHz. Positions are milliseconds from the session's first sample.

    utterance: the one that is open. sent_ms: what the client has sent since the last commit or clear.
    """

    def __init__(self, held_ms_max: int) -> None:
        self._held_ms_max = held_ms_max
        self.utterance: Utterance | None = None
        self.sent_ms = 0.0
        self._pcm = bytearray()
        self._start_bytes = 0  # position of the first byte that is held

    @property
    def start_ms(self) -> int:
        return self._start_bytes // _BYTES_PER_MS

    @property
    def end_ms(self) -> int:
        return (self._start_bytes + len(self._pcm)) // _BYTES_PER_MS

    @property
    def held_ms(self) -> int:
        return len(self._pcm) // _BYTES_PER_MS

    def start_at(self, position_ms: int) -> None:
        """Nothing is held, and the next sample follows that position."""
        self.clear()
        self._start_bytes = position_ms * _BYTES_PER_MS

    def uncommitted_from_ms(self, keep_all: bool) -> int:
        """Where the audio begins that has not become a turn, and may yet be one."""
        if self.utterance is not None:
            return self.utterance.start_ms
        return self.start_ms if keep_all else max(self.start_ms, self.end_ms - _DETECTION_LAG_MS)

    def append(self, pcm: bytes, sent_ms: float, now: float, keep_all: bool) -> None:
        """Add audio. keep_all: hold it until a commit; else only what coming speech may need.

        Raises ClientError when the buffer is full.
        """
        if self.held_ms > self._held_ms_max:
            raise ClientError(
                "input_audio_buffer_overflow",
                f"The input audio buffer is full at {self._held_ms_max} ms: commit or clear it.",
                "audio",
            )
        self.sent_ms += sent_ms
        if self.utterance is not None:
            self.utterance.last_audio_at = now
        elif not keep_all:
            self._drop_before(self.end_ms - _BEFORE_SPEECH_MS)
        self._pcm += pcm

    def restart_stall(self, now: float) -> None:
        """Count the time without audio from now on."""
        if self.utterance is not None:
            self.utterance.last_audio_at = now

    def begin_utterance(self, item_id: str, audio_ms: int, prefix_ms: int, now: float) -> Utterance:
        """Speech begins at audio_ms; the utterance takes prefix_ms of what was before along."""
        self.utterance = Utterance(item_id, max(self.start_ms, audio_ms - prefix_ms), now)
        return self.utterance

    def utterance_audio(self, end_ms: int) -> bytes:
        """The open utterance up to a position, s16le mono at 16 kHz."""
        assert self.utterance is not None
        return self._between(self.utterance.start_ms, end_ms)

    def end_utterance(self, end_ms: int) -> tuple[str, bytes]:
        """Close the open utterance at a position: its item id and audio. The rest stays."""
        assert self.utterance is not None
        item_id, pcm = self.utterance.item_id, self.utterance_audio(end_ms)
        self.utterance = None
        self._drop_before(end_ms)
        self.sent_ms = float(self.held_ms)
        return item_id, pcm

    def take(self) -> tuple[Utterance | None, bytes]:
        """All of it, from the open utterance's start if there is one; nothing stays.

        Raises ClientError when the client has sent too little.
        """
        if self.sent_ms < COMMIT_MS_MIN:
            raise ClientError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{COMMIT_MS_MIN}ms of audio, but buffer only has {self.sent_ms:.2f}ms of audio.",
            )
        utterance = self.utterance
        pcm = self._between(utterance.start_ms if utterance else self.start_ms, self.end_ms)
        self.clear()
        return utterance, pcm

    def clear(self) -> None:
        self.utterance = None
        self.sent_ms = 0.0
        self._start_bytes += len(self._pcm)
        self._pcm.clear()

    def _between(self, start_ms: int, end_ms: int) -> bytes:
        first = max(0, start_ms * _BYTES_PER_MS - self._start_bytes)
        last = max(0, end_ms * _BYTES_PER_MS - self._start_bytes)
        return bytes(self._pcm[first:last])

    def _drop_before(self, position_ms: int) -> None:
        count = min(len(self._pcm), position_ms * _BYTES_PER_MS - self._start_bytes)
        if count > 0:
            del self._pcm[:count]
            self._start_bytes += count
