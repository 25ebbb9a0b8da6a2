"""A random part of a benchmark is the same part everywhere, and a smaller one lies within a larger."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.datasets.sampling import limited
from evaluation.errors import EvaluationError
from evaluation.sample import Sample

NAMES = st.sets(st.text(max_size=8), min_size=1, max_size=60)


def sample(name: str) -> Sample:
    return Sample(sample_id=name, benchmark="b", audio="a", source="s", prompt="p", reference="r")


def ids(samples: list[Sample]) -> set[str]:
    return {one.sample_id for one in samples}


@settings(max_examples=40)
@given(NAMES, st.integers(1, 50), st.integers(), st.randoms(use_true_random=False))
def test_the_same_samples_are_drawn_in_whatever_order_they_come(
    names: set[str], n: int, seed: int, shuffle: random.Random
) -> None:
    samples = [sample(name) for name in sorted(names)]
    drawn = limited(samples, n, seed)
    assert len(drawn) == min(n, len(names))
    assert [one for one in samples if one in drawn] == drawn
    shuffled = samples.copy()
    shuffle.shuffle(shuffled)
    assert ids(limited(shuffled, n, seed)) == ids(drawn)


@settings(max_examples=40)
@given(NAMES, st.integers(1, 50), st.integers(1, 50), st.integers())
def test_a_smaller_sample_lies_within_a_larger_one(names: set[str], n: int, more: int, seed: int) -> None:
    samples = [sample(name) for name in sorted(names)]
    assert ids(limited(samples, n, seed)) <= ids(limited(samples, n + more, seed))


def test_samples_that_are_left_out_of_the_list_change_no_other() -> None:
    samples = [sample(str(number)) for number in range(1000)]
    drawn = limited(samples, 100)
    without = [one for one in samples if one not in drawn[:10]]
    assert ids(drawn[10:]) <= ids(limited(without, 100))


def test_every_sample_is_drawn_as_often_as_any_other() -> None:
    samples = [sample(str(number)) for number in range(20)]
    drawn = Counter(one.sample_id for seed in range(2000) for one in limited(samples, 5, seed))
    assert len(drawn) == 20
    assert all(400 < n < 600 for n in drawn.values())  # 500, and five standard deviations


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(EvaluationError, match="expected a limit of at least 1 sample, got 0"):
        limited([sample("a")], 0)
