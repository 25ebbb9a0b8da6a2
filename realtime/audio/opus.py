"""Opus by libopus, through PyAV (RFC 6716, RFC 7587)."""

from fractions import Fraction

import av
import numpy as np

from realtime.audio.wire_format import PCM_HZ

OPUS_HZ = 48_000
"""What is decoded has this rate, whatever the encoder's was: a packet knows its own bandwidth."""
FRAME_MS = 20
FRAME_BYTES = 2 * PCM_HZ * FRAME_MS // 1000
"""Of s16le mono at 24 kHz."""
_BIT_RATE = 32_000  # speech at full band (RFC 7587 3.1.1: 28 to 40 kbit/s)
_OPTIONS = {
    "application": "voip",
    "compression_level": "1",  # 130 us a frame; 5 takes 290, for what is little at this bit rate
    "fec": "1",  # browsers mend a lost packet from the one after it
    "packet_loss": "10",
}
_CONCEALED_PACKETS_MAX = 5  # libopus has faded to nothing by then

# RFC 6716 table 2: the samples at 48 kHz of one frame, by the configuration number.
_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)
_FRAME_SAMPLES = _SILK * 3 + _HYBRID * 2 + _CELT * 4


def samples_of(payload: bytes) -> int:
    """The audio in a packet, in samples at 48 kHz. Raises ValueError for what is no Opus packet."""
    if not payload:
        raise ValueError("expected an Opus packet, got nothing")
    frame = _FRAME_SAMPLES[payload[0] >> 3]
    match payload[0] & 3:
        case 0:
            count = 1
        case 1 | 2:
            count = 2
        case _:
            count = payload[1] & 0x3F if len(payload) > 1 else 0
    if not 0 < frame * count <= 5760:  # RFC 6716 3.2.5: at most 120 ms
        raise ValueError("expected an Opus packet of at most 120 ms")
    return frame * count


class OpusDecoder:
    """One stream of packets -> s16le mono at 48 kHz."""

    def __init__(self) -> None:
        self._codec = av.CodecContext.create("libopus", "r")
        self._codec.format = av.AudioFormat("s16")
        self._codec.layout = av.AudioLayout("mono")
        self._codec.sample_rate = OPUS_HZ
        self._last = b""

    def decode(self, payload: bytes) -> bytes:
        """Raises ValueError for a packet that cannot be decoded."""
        samples_of(payload)
        try:
            frames = self._codec.decode(av.Packet(payload))
        except av.FFmpegError as error:
            raise ValueError(f"libopus refuses the packet ({type(error).__name__})") from None
        self._last = payload
        return _pcm(frames)

    def conceal(self, samples: int) -> bytes:
        """What libopus guesses for `samples` that were lost: the sound goes on, and fades."""
        pcm = b""
        if self._last:
            # A frame of no bytes is one that was lost or not sent (RFC 6716 3.2.1, 4.4).
            nothing = bytes([self._last[0] & 0xFC])
            step = _FRAME_SAMPLES[nothing[0] >> 3]
            for _ in range(min(samples // step, _CONCEALED_PACKETS_MAX)):
                pcm += _pcm(self._codec.decode(av.Packet(nothing)))
        return pcm + bytes(2 * samples - len(pcm))


class OpusEncoder:
    """s16le mono at `from_hz`, `frame_ms` at a time -> packets."""

    def __init__(self, from_hz: int = PCM_HZ, frame_ms: int = FRAME_MS) -> None:
        """from_hz: 8, 12, 16, 24 or 48 kHz. frame_ms: 10, 20, 40 or 60."""
        self.frame_bytes = 2 * from_hz * frame_ms // 1000
        self._hz = from_hz
        self._codec = av.CodecContext.create("libopus", "w")
        self._codec.sample_rate = from_hz
        self._codec.layout = av.AudioLayout("mono")
        self._codec.format = av.AudioFormat("s16")
        self._codec.bit_rate = _BIT_RATE
        self._codec.time_base = Fraction(1, from_hz)
        self._codec.options = {**_OPTIONS, "frame_duration": str(frame_ms)}

    def encode(self, pcm: bytes) -> bytes:
        """pcm: `frame_bytes` of it."""
        frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), "s16", "mono")
        frame.sample_rate = self._hz
        [packet] = self._codec.encode(frame)
        return bytes(packet)


def _pcm(frames: "list[av.AudioFrame]") -> bytes:
    """A plane may be longer than its samples."""
    return b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)
