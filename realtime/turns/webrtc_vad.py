"""The voice activity detector of WebRTC: 2 microseconds a frame, fair in quiet, poor in noise."""

import webrtcvad

from realtime.audio.pcm import BYTES_PER_SAMPLE

_RATE_HZ = 16_000


class WebRtcVad:
    """One session's voice activity. Its answers are yes and no: 1.0 and 0.0."""

    frame_samples = 480  # 30 ms, the longest that it takes: steadier than 10 or 20

    def __init__(self, aggressiveness: int = 2) -> None:
        """aggressiveness: 0 hears speech in most sounds, 3 in few. Raises ValueError."""
        if aggressiveness not in range(4):
            raise ValueError(f"expected an aggressiveness of 0 to 3, got {aggressiveness}")
        self._aggressiveness = aggressiveness
        self.reset()

    def reset(self) -> None:
        self._vad = webrtcvad.Vad(self._aggressiveness)

    def probability(self, frame: bytes) -> float:
        """Raises ValueError for anything but one frame."""
        if len(frame) != self.frame_samples * BYTES_PER_SAMPLE:
            raise ValueError(f"expected a frame of {self.frame_samples} samples, got {len(frame)} bytes")
        return 1.0 if self._vad.is_speech(frame, _RATE_HZ) else 0.0

    def probabilities(self, frames: bytes) -> list[float]:
        """Raises ValueError for anything but whole frames."""
        step = self.frame_samples * BYTES_PER_SAMPLE
        return [self.probability(frames[at : at + step]) for at in range(0, len(frames), step)]
