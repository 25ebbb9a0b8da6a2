import pytest

from realtime.audio.pcm import whole_samples


def test_samples_are_two_bytes_each() -> None:
    assert whole_samples(bytes(4800)) == 2400


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        whole_samples(b"abc")
