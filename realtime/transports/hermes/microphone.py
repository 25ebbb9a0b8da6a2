"""A site's microphone: WAV files of a few milliseconds, of its sound card's shape, as one stream."""

import numpy as np

from realtime.audio.resample import Resampler
from realtime.audio.wav import samples_of
from realtime.errors import InvalidEvent
from realtime.transports.hermes.codec import UP_HZ

RATES_HZ = (
    *(8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000),
    *(44_100, 48_000, 64_000, 88_200, 96_000, 176_400, 192_000),
)
"""What sound cards do. A filter for any other rate may have to be gigabytes large."""
AUDIO_FRAME_BYTES_MAX = 1024 * 1024
AUDIO_FRAME_S_MAX = 2.0
"""Satellites send 16 to 64 ms."""
_EXPECTED = (
    "expected a WAV file of at most two seconds and 1 MiB: PCM of 8 to 32 bits, floats or G.711, "
    f"any number of channels, at {', '.join(map(str, RATES_HZ[:-1]))} or {RATES_HZ[-1]} Hz"
)


class Microphone:
    """Files that follow on each other at one rate are resampled without a seam between them."""

    def __init__(self) -> None:
        self._resampler = Resampler(UP_HZ, UP_HZ)

    def push(self, riff: bytes) -> bytes:
        """One audioFrame -> s16le mono at UP_HZ. Raises InvalidEvent.

        All but the last milliseconds (one to ten; 40 at 11,025 Hz), which come with the next one.
        """
        if len(riff) > AUDIO_FRAME_BYTES_MAX:
            raise InvalidEvent("invalid_audio", f"audioFrame had {len(riff)} bytes: {_EXPECTED}.")
        try:
            hz, blocks = samples_of(riff)
            if hz not in RATES_HZ:
                raise InvalidEvent("invalid_audio", f"audioFrame had {hz} Hz: {_EXPECTED}.")
            samples = np.concatenate([np.zeros(0), *blocks])
        except ValueError as error:
            raise InvalidEvent(
                "invalid_audio", f"audioFrame cannot be heard, {error}: {_EXPECTED}."
            ) from None
        if len(samples) > AUDIO_FRAME_S_MAX * hz:
            shown = f"audioFrame had {len(samples) / hz:.1f} s of sound"
            raise InvalidEvent("invalid_audio", f"{shown}: {_EXPECTED}.")
        if hz != self._resampler.from_hz:
            self._resampler = Resampler(hz, UP_HZ)
        pcm = np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2")
        return self._resampler.push(pcm.tobytes())
