"""Noise goes, speech stays, and the stream is as long as it was."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.audio.noise_reduction import IS_INSTALLED, NoiseReducer
from realtime.protocol.config import NoiseReduction
from tests.speech import utterance

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason="webrtc-noise-gain has no wheel for this system")

LEARNS_S = 1
"""Of noise alone, before the suppressor knows it."""


def reduced(samples: npt.NDArray[np.int16], kind: str) -> npt.NDArray[np.int16]:
    return np.frombuffer(NoiseReducer(NoiseReduction(kind)).push(samples.tobytes()), "<i2")  # type: ignore[arg-type]


def level_db(samples: npt.NDArray[np.int16]) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(samples.astype(np.float64)))) + 1e-9))


@pytest.mark.parametrize(("kind", "at_least_db"), [("near_field", 9.0), ("far_field", 14.0)])
def test_a_steady_noise_goes_and_speech_in_it_stays(kind: str, at_least_db: float) -> None:
    speech = np.frombuffer(utterance("librivox_0890").pcm16k, "<i2").astype(np.float64)
    clean = np.concatenate([np.zeros(2 * 16_000), speech])
    hiss = np.random.default_rng(1).normal(0.0, np.sqrt(np.mean(speech**2)) / 10 ** (10 / 20), len(clean))
    noisy = np.clip(clean + hiss, -32_768, 32_767).astype(np.int16)
    heard = reduced(noisy, kind)
    before, after = (one[LEARNS_S * 16_000 : 2 * 16_000] for one in (noisy, heard))
    assert level_db(before) - level_db(after) >= at_least_db
    said, still_said = noisy[2 * 16_000 :], heard[2 * 16_000 :]
    assert level_db(said) - level_db(still_said) <= 3.0


@given(st.lists(st.integers(0, 2_000), max_size=12))
def test_however_it_is_cut_less_than_10_ms_are_held_back(lengths: list[int]) -> None:
    reducer = NoiseReducer(NoiseReduction("near_field"))
    came = sum(len(reducer.push(bytes(2 * length))) for length in lengths)
    assert 0 <= 2 * sum(lengths) - came < 320
