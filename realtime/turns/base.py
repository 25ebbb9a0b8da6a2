"""What a turn detector is: audio in, turn signals out, nothing else."""

from typing import Protocol

from realtime.protocol.inputs import TurnSignal


class TurnDetector(Protocol):
    """Detects the turns in one session's input audio. Synchronous, counts samples, reads no clock."""

    def push(self, pcm: bytes) -> list[TurnSignal]:
        """Add audio and return the turn signals that it completes.

        pcm: any whole number of samples, s16le mono at 16 kHz; the rest of a frame waits for
        the next call. Raises ValueError for half a sample.
        """
        ...

    def flush(self) -> list[TurnSignal]:
        """No more audio comes: end the utterance that is open."""
        ...


class VoiceActivity(Protocol):
    """How likely each frame of one session's audio holds speech."""

    frame_samples: int

    def probability(self, frame: bytes) -> float:
        """frame: `frame_samples` samples, s16le mono at 16 kHz; returns 0.0 to 1.0."""
        ...

    def probabilities(self, frames: bytes) -> list[float]:
        """Several whole frames, one after another: the same values as one by one, for less work."""
        ...

    def reset(self) -> None:
        """Forget what was heard, as for a new session."""
        ...
