"""Audio between the wire's formats and the rates that Parlour works in."""

from realtime.audio.g711 import G711_HZ, decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from realtime.audio.resample import Resampler
from realtime.errors import ClientError
from realtime.protocol.config import AudioFormat, PcmaFormat, PcmFormat, PcmuFormat

PCM_HZ = 24_000  # the only rate that strict clients accept for audio/pcm
LISTENING_HZ = 16_000


class InputDecoder:
    """A session's input audio, in any of the wire's formats -> s16le mono at 16 kHz.

    A sample that is split between two pieces is one sample: clients cut at any byte.
    """

    def __init__(self, wire_format: AudioFormat) -> None:
        self._format = wire_format
        self._first_half = b""
        self._resampler = Resampler(_rate_hz(wire_format), LISTENING_HZ)

    def bytes_for(self, duration_ms: int) -> int:
        return _bytes_per_s(self._format) * duration_ms // 1000

    def duration_ms(self, n_bytes: int) -> float:
        return n_bytes * 1000 / _bytes_per_s(self._format)

    @property
    def is_mid_sample(self) -> bool:
        """The next piece begins with the second half of a sample."""
        return bool(self._first_half)

    def push(self, audio: bytes) -> bytes:
        """audio: any number of bytes."""
        if isinstance(self._format, PcmFormat):
            audio = self._first_half + audio
            n_whole = len(audio) // 2 * 2
            audio, self._first_half = audio[:n_whole], audio[n_whole:]
        return self._resampler.push(_to_pcm(audio, self._format))


class OutputEncoder:
    """One answer's audio, s16le mono at 24 kHz -> a wire format."""

    def __init__(self, wire_format: AudioFormat) -> None:
        self._format = wire_format
        self._resampler = Resampler(PCM_HZ, _rate_hz(wire_format))

    def push(self, pcm: bytes) -> bytes:
        match self._format:
            case PcmFormat():
                return pcm
            case PcmuFormat():
                return encode_mulaw(self._resampler.push(pcm))
            case PcmaFormat():
                return encode_alaw(self._resampler.push(pcm))


def decode_clip(audio: bytes, wire_format: AudioFormat) -> bytes:
    """A whole clip -> s16le mono at 16 kHz. Raises ClientError for half a sample."""
    resampler = Resampler(_rate_hz(wire_format), LISTENING_HZ)
    return resampler.push(_to_pcm(audio, wire_format)) + resampler.flush()


def encode_clip(pcm: bytes, wire_format: AudioFormat) -> bytes:
    """A whole clip, s16le mono at 16 kHz -> a wire format."""
    resampler = Resampler(LISTENING_HZ, _rate_hz(wire_format))
    resampled = resampler.push(pcm) + resampler.flush()
    match wire_format:
        case PcmFormat():
            return resampled
        case PcmuFormat():
            return encode_mulaw(resampled)
        case PcmaFormat():
            return encode_alaw(resampled)


def _to_pcm(audio: bytes, wire_format: AudioFormat) -> bytes:
    match wire_format:
        case PcmFormat():
            if len(audio) % 2:
                raise ClientError(
                    "invalid_value",
                    f"Invalid 'audio': expected whole 16-bit samples, got {len(audio)} bytes.",
                    "audio",
                )
            return audio
        case PcmuFormat():
            return decode_mulaw(audio)
        case PcmaFormat():
            return decode_alaw(audio)


def _bytes_per_s(wire_format: AudioFormat) -> int:
    return _rate_hz(wire_format) * (2 if isinstance(wire_format, PcmFormat) else 1)


def _rate_hz(wire_format: AudioFormat) -> int:
    return PCM_HZ if isinstance(wire_format, PcmFormat) else G711_HZ
