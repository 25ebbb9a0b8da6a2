"""Each codec carries a tone both ways, in whole packets, and takes nothing that is no packet of it."""

import numpy as np
import pytest

from realtime.audio.opus import FRAME_BYTES
from realtime.audio.wire_format import PCM_HZ
from realtime.transports.webrtc.audio_codec import CODECS, OPUS, PCMA, PCMU, AudioCodec
from realtime.transports.webrtc.reorder import RTP_HZ

TONE_HZ = 440
N_FRAMES = 50


def tone() -> bytes:
    at = np.arange(N_FRAMES * FRAME_BYTES // 2)
    return (8_000 * np.sin(2 * np.pi * TONE_HZ * at / PCM_HZ)).astype("<i2").tobytes()


def strongest_hz(pcm: bytes, rate_hz: int) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum)) * rate_hz / samples.size


@pytest.mark.parametrize("name", CODECS)
def test_a_tone_is_a_tone_behind_it(name: str) -> None:
    codec = CODECS[name]
    encoder, decoder = codec.encoder(), codec.decoder()
    pcm = tone()
    packets = [encoder.encode(pcm[at : at + FRAME_BYTES]) for at in range(0, len(pcm), FRAME_BYTES)]
    assert {codec.samples_of(packet) for packet in packets} == {RTP_HZ // 50}
    heard = b"".join(decoder.decode(packet) for packet in packets)
    assert len(heard) == 2 * codec.decoded_hz * N_FRAMES // 50
    assert strongest_hz(heard, codec.decoded_hz) == pytest.approx(TONE_HZ, abs=3)
    loudness = np.std(np.frombuffer(heard, "<i2"))
    assert loudness == pytest.approx(8_000 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("codec", [PCMU, PCMA], ids=["PCMU", "PCMA"])
@pytest.mark.parametrize("n_bytes", [0, 1_601])
def test_what_is_no_packet_of_g711_is_refused(codec: AudioCodec, n_bytes: int) -> None:
    with pytest.raises(ValueError, match="200 ms"):
        codec.samples_of(bytes(n_bytes))


@pytest.mark.parametrize("name", CODECS)
def test_what_was_lost_is_as_long_as_it_was(name: str) -> None:
    codec = CODECS[name]
    assert len(codec.decoder().conceal(3 * 960)) == 2 * 3 * codec.decoded_hz // 50


def test_opus_has_its_clock_and_g711_its_own() -> None:
    assert [OPUS.rtp_hz, PCMU.rtp_hz, PCMA.rtp_hz] == [48_000, 8_000, 8_000]
