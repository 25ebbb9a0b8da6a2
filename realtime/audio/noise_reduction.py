"""`audio.input.noise_reduction`: WebRTC's noise suppressor, before anything else hears the user's audio."""

from importlib.util import find_spec

from realtime.protocol.config import NoiseReduction

IS_INSTALLED = find_spec("webrtc_noise_gain") is not None
"""Its wheels are for Linux only: elsewhere the setting is refused."""

LEVELS = {"near_field": 2, "far_field": 3}
"""Of the library's 1 to 4. Of white noise 10 dB below speech they take 6, 12, 17 and 20 dB away, and of the
speech 1.5 dB."""
_STEP_BYTES = 320  # 10 ms at 16 kHz: what the library takes at a time
_NO_GAIN = 0


class NoiseReducer:
    """One stream of s16le mono at 16 kHz. Holds back less than 10 ms; takes 0.4 ms of a core a second."""

    def __init__(self, wanted: NoiseReduction) -> None:
        """Only where IS_INSTALLED."""
        from webrtc_noise_gain import AudioProcessor

        self._processor = AudioProcessor(_NO_GAIN, LEVELS[wanted.type])
        self._rest = b""

    def push(self, pcm: bytes) -> bytes:
        """pcm: any number of samples."""
        audio = self._rest + pcm
        end = len(audio) - len(audio) % _STEP_BYTES
        self._rest = audio[end:]
        steps = (audio[start : start + _STEP_BYTES] for start in range(0, end, _STEP_BYTES))
        return b"".join(self._processor.Process10ms(step).audio for step in steps)
