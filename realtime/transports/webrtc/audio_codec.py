"""The codecs that speech has over RTP: Opus, and G.711, which every WebRTC endpoint knows (RFC 7874 3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from realtime.audio.g711 import G711_HZ, decode_alaw, decode_mulaw
from realtime.audio.opus import FRAME_BYTES, FRAME_MS, OPUS_HZ, OpusDecoder, OpusEncoder, samples_of
from realtime.audio.wire_format import OutputEncoder
from realtime.protocol.config import PcmaFormat, PcmuFormat
from realtime.transports.webrtc.reorder import RTP_HZ

_G711_FRAME_BYTES = G711_HZ * FRAME_MS // 1000
_G711_PACKET_BYTES_MAX = G711_HZ * 200 // 1000  # RFC 3551 4.2: a receiver takes up to 200 ms
_SAMPLES_PER_BYTE = RTP_HZ // G711_HZ


class AudioDecoder(Protocol):
    """Packets of one stream -> s16le mono at the rate of its codec."""

    def decode(self, payload: bytes) -> bytes:
        """Raises ValueError for what is no packet of the codec."""
        ...

    def conceal(self, samples: int) -> bytes:
        """In place of `samples` at 48 kHz that were lost."""
        ...


class AudioEncoder(Protocol):
    def encode(self, pcm: bytes) -> bytes:
        """pcm: 20 ms of s16le mono at 24 kHz. Returns a packet's payload."""
        ...


@dataclass(frozen=True, slots=True)
class AudioCodec:
    """rtp_hz: of its timestamps. decoded_hz: of what its decoder makes.

    samples_of: the audio in a payload, in samples at 48 kHz; raises ValueError for what is no payload of it.
    """

    rtp_hz: int
    decoded_hz: int
    samples_of: Callable[[bytes], int]
    decoder: Callable[[], AudioDecoder]
    encoder: Callable[[], AudioEncoder]


class G711Decoder:
    """What was lost is silence: without a model of the voice, a guess sounds no better to a recogniser."""

    def __init__(self, to_pcm: Callable[[bytes], bytes]) -> None:
        self.decode = to_pcm

    def conceal(self, samples: int) -> bytes:
        return bytes(2 * (samples // _SAMPLES_PER_BYTE))


class G711Encoder:
    def __init__(self, wire_format: PcmuFormat | PcmaFormat) -> None:
        self._encoder = OutputEncoder(wire_format)
        self._ready = bytearray()
        # The resampler holds back a little of its first frame: with silence before it, each frame is whole.
        delay = _G711_FRAME_BYTES - len(OutputEncoder(wire_format).push(bytes(FRAME_BYTES)))
        self._ready += OutputEncoder(wire_format).push(bytes(FRAME_BYTES))[:delay]

    def encode(self, pcm: bytes) -> bytes:
        self._ready += self._encoder.push(pcm)
        payload = bytes(self._ready[:_G711_FRAME_BYTES])
        del self._ready[:_G711_FRAME_BYTES]
        return payload


def _g711_samples(payload: bytes) -> int:
    if not 0 < len(payload) <= _G711_PACKET_BYTES_MAX:
        raise ValueError(f"expected a G.711 packet of at most 200 ms, got {len(payload)} bytes")
    return len(payload) * _SAMPLES_PER_BYTE


OPUS = AudioCodec(RTP_HZ, OPUS_HZ, samples_of, OpusDecoder, OpusEncoder)
PCMU = AudioCodec(
    G711_HZ, G711_HZ, _g711_samples, lambda: G711Decoder(decode_mulaw), lambda: G711Encoder(PcmuFormat())
)
PCMA = AudioCodec(
    G711_HZ, G711_HZ, _g711_samples, lambda: G711Decoder(decode_alaw), lambda: G711Encoder(PcmaFormat())
)
CODECS = {"opus": OPUS, "pcmu": PCMU, "pcma": PCMA}
"""By their names in a=rtpmap, in lower case."""
