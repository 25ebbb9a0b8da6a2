"""How clips are cut for the recogniser."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.api import LISTENING_HZ
from agent.asr.windows import LONGEST_PIECE_S, pieces, window_s


def test_the_window_leaves_silence_after_the_clip() -> None:
    assert window_s(int(6.9 * LISTENING_HZ)) == 8.0
    assert window_s(int(7.5 * LISTENING_HZ)) == 15.0
    assert window_s(int(28.0 * LISTENING_HZ)) == 30.0


@settings(max_examples=20)
@given(st.floats(0.0, 100.0))
def test_pieces_joined_are_the_audio_and_none_is_too_long(length_s: float) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, int(length_s * LISTENING_HZ)).astype(np.float32)
    cut = pieces(samples)
    assert np.array_equal(np.concatenate(cut), samples)
    assert all(len(piece) <= LONGEST_PIECE_S * LISTENING_HZ for piece in cut)


def test_audio_is_cut_where_nobody_speaks() -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 40 * LISTENING_HZ).astype(np.float32)
    samples[24 * LISTENING_HZ : 25 * LISTENING_HZ] = 0.0
    first, _ = pieces(samples)
    assert 24 * LISTENING_HZ < len(first) < 25 * LISTENING_HZ
