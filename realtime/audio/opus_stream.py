"""Opus packets with timestamps -> PCM without gaps, in the order in which they come."""

from realtime.audio.opus import OPUS_HZ, OpusDecoder, samples_of
from realtime.audio.resample import Resampler

GAP_S_MAX = 2.0
"""After a longer gap another stretch of speech begins: the time between is not filled."""


class OpusStream:
    """For networks that lose packets but never reorder them, as MQTT at QoS 0.

    damaged: how many packets libopus refused; their time is filled as that of lost ones is.
    """

    def __init__(self, clock_hz: int, to_hz: int) -> None:
        """clock_hz: of the timestamps. to_hz: of the PCM that comes out."""
        self.damaged = 0
        self._clock_hz = clock_hz
        self._decoder = OpusDecoder()
        self._resampler = Resampler(OPUS_HZ, to_hz)
        self._next_timestamp: int | None = None

    def push(self, timestamp: int, packet: bytes) -> bytes:
        """Return s16le mono, what is missing before the packet concealed.

        timestamp: of the packet's first sample, in samples at `clock_hz`; one that lies behind begins a new
        stretch.
        Raises ValueError for what has not even the form of a packet.
        """
        samples = samples_of(packet)
        missing = 0 if self._next_timestamp is None else timestamp - self._next_timestamp
        pcm = b""
        if 0 < missing <= GAP_S_MAX * self._clock_hz:
            pcm = self._decoder.conceal(missing * OPUS_HZ // self._clock_hz)
        self._next_timestamp = timestamp + samples * self._clock_hz // OPUS_HZ
        try:
            pcm += self._decoder.decode(packet)
        except ValueError:
            self.damaged += 1
            pcm += self._decoder.conceal(samples)
        return self._resampler.push(pcm)
