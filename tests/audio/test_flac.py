"""FLAC of a clip is the clip, to the sample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.flac import encode_flac
from realtime.audio.recordings import decode_recording
from tests import speech

HZ = 16_000


@settings(max_examples=20)
@given(st.integers(1, 3 * 4608 + 2), st.sampled_from([0, 1, 500, 32_000]), st.integers(0, 9))
def test_what_was_encoded_is_decoded_to_the_sample(n_samples: int, loudness: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(-loudness, loudness + 1, n_samples)
    pcm = noise.astype("<i2").tobytes()
    assert decode_recording(encode_flac(pcm, HZ), "flac", HZ, 10.0) == pcm


@pytest.mark.parametrize("sample", [-32768, 32767])
def test_full_scale_stays_full_scale(sample: int) -> None:
    pcm = np.full(5_000, sample, "<i2").tobytes()
    assert decode_recording(encode_flac(pcm, HZ), "flac", HZ, 10.0) == pcm


def test_speech_takes_half_of_its_bytes() -> None:
    pcm = speech.lecture().pcm16k[: 2 * HZ * 10]
    assert len(encode_flac(pcm, HZ)) < 0.6 * len(pcm)
