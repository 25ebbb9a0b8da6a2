"""Intervals are as wide as the sample makes them, however they are computed."""

import tracemalloc
from collections.abc import Hashable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.scoring import intervals
from evaluation.scoring.intervals import bootstrap, paired, wilson
from evaluation.scoring.metric import Counts
from tests.evaluation.report.fakes import Right, WordErrors

# Edits and units of the pairs, and percentile intervals of 20,000 resamples by numpy's default_rng(0).
ORACLES = {
    "wer_en": (
        "0/9 0/7 0/7 0/6 0/7 2/9 0/5 0/5 0/3 0/6 0/4 0/4 0/7 0/4 0/8 1/10 4/7 0/8 0/6 2/7 1/3 0/5 1/5"
        " 0/5 1/1 3/1 0/3 2/2 0/3 0/1 1/6 0/5 0/4 1/4",
        (0.0494, 0.1807),
    ),
    "wer_fr": (
        "0/8 0/6 2/4 0/2 1/6 0/3 0/4 0/2 0/3 1/4 2/6 0/7 1/4 2/2 0/2 1/3 1/2 0/3 3/3 2/5 1/3 2/3 0/4"
        " 1/4 0/3 0/2 0/3 4/4 1/2 0/2",
        (0.1327, 0.3451),
    ),
    "cer_zh": (
        "0/12 0/11 0/10 0/14 0/8 0/5 2/5 1/5 0/3 0/4 0/6 0/4 0/11 3/6 2/8 2/7 0/5 0/7 0/3 0/8 0/4 8/2"
        " 1/3 2/4 0/2 1/1 1/7 0/5 1/5 0/8 0/6 0/8 1/3 0/6",
        (0.0490, 0.2338),
    ),
    "cer_yue": (
        "0/6 0/7 0/6 0/3 0/2 0/4 0/4 0/5 3/5 0/2 4/3 3/3 1/5 4/5 0/8 1/6 2/4 0/2 0/2 0/4 0/1 2/3 1/2"
        " 1/2 0/3 0/5 1/3 1/1 1/2 0/2 0/2 2/4",
        (0.1228, 0.3627),
    ),
}


runs = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 30)), min_size=1, max_size=40).map(np.array)
"""Counts of any run: edits, and at least one unit."""


def oracle(name: str) -> Counts:
    return np.array([list(map(int, pair.split("/"))) for pair in ORACLES[name][0].split()], np.int64)


def rates(n: int, seed: int = 0, rate: float = 0.1) -> Counts:
    generator = np.random.default_rng(seed)
    units = generator.integers(3, 30, n)
    return np.stack([generator.binomial(units, rate), units], axis=1)


@pytest.mark.parametrize("name", ORACLES)
def test_the_interval_of_utterances_is_the_oracle_s(name: str) -> None:
    assert bootstrap(WordErrors(), oracle(name)) == pytest.approx(ORACLES[name][1], abs=0.01)


@pytest.mark.parametrize(
    ("n_right", "n", "expected"),
    [(11, 24, (0.2789, 0.6493)), (13, 24, (0.3507, 0.7211)), (0, 5, (0.0, 0.4345))],
)
def test_wilson_s_interval_is_the_oracle_s(n_right: int, n: int, expected: tuple[float, float]) -> None:
    assert wilson(n_right, n) == pytest.approx(expected, abs=5e-5)


def test_the_published_sample_sizes_give_the_known_half_widths() -> None:
    """MELD's 2,610 clips: 1.9 points; VocalSound's 3,594: 0.8 points."""
    for share, n, half in ((0.535, 2610, 0.019), (0.9395, 3594, 0.008)):
        low, high = wilson(round(share * n), n)
        assert (high - low) / 2 == pytest.approx(half, abs=0.0005)


def test_samples_that_are_all_alike_leave_no_doubt() -> None:
    counts = np.tile(np.array([[1, 8]]), (50, 1))
    assert bootstrap(WordErrors(), counts) == (0.125, 0.125)
    assert bootstrap(WordErrors(), counts, groups=[at % 12 for at in range(50)]) == (0.125, 0.125)


@given(runs, st.integers(2, 9))
def test_equal_speakers_leave_no_doubt(counts: Counts, n_speakers: int) -> None:
    """Whatever they said, as long as all said the same."""
    groups = [at // len(counts) for at in range(n_speakers * len(counts))]
    low, high = bootstrap(WordErrors(), np.tile(counts, (n_speakers, 1)), groups, n_resamples=50)
    assert low == pytest.approx(high, rel=1e-12)


@given(runs)
def test_an_interval_lies_between_the_best_and_the_worst_sample(counts: Counts) -> None:
    each = WordErrors().value(counts)
    low, high = bootstrap(WordErrors(), counts, n_resamples=50)
    assert each.min() - 1e-12 <= low <= high <= each.max() + 1e-12


def test_one_answer_cannot_have_an_interval_and_none_is_refused() -> None:
    assert bootstrap(WordErrors(), np.array([[1, 4]])) == (0.25, 0.25)
    with pytest.raises(ValueError, match="at least one pair"):
        bootstrap(WordErrors(), np.empty((0, 2), np.int64))


def test_a_figure_that_no_resample_defines_is_not_a_number() -> None:
    assert np.isnan(bootstrap(WordErrors(), np.array([[1, 0], [2, 0]]))).all()


def test_speakers_who_differ_widen_the_interval() -> None:
    """Each of 20 speakers is always right or always wrong: 400 utterances tell what 20 speakers do."""
    speakers = [at // 20 for at in range(400)]
    counts = np.array([[5 * (speaker % 4 == 0), 10] for speaker in speakers])
    by_utterance, by_speaker = bootstrap(WordErrors(), counts), bootstrap(WordErrors(), counts, speakers)
    assert np.ptp(by_speaker) > 3 * np.ptp(by_utterance)


def test_what_one_speaker_says_counts_as_one_however_it_is_cut() -> None:
    counts, groups = rates(60), list(range(60))
    cut_in_two = np.concatenate([counts // 2, counts - counts // 2])
    assert bootstrap(WordErrors(), counts, groups) == bootstrap(WordErrors(), cut_in_two, [*groups, *groups])


@pytest.mark.parametrize("cost", [0, 10**9], ids=["all by equal rows", "all by index"])
def test_both_ways_to_draw_have_one_distribution(cost: int, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = bootstrap(WordErrors(), rates(400))
    monkeypatch.setattr(intervals, "_BINOMIAL_COST", cost)
    assert bootstrap(WordErrors(), rates(400), seed=1) == pytest.approx(usual, abs=0.001)


def test_blocks_do_not_change_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap(WordErrors(), rates(50), n_resamples=1_000)
    monkeypatch.setattr(intervals, "_CELLS", 333)
    assert bootstrap(WordErrors(), rates(50), n_resamples=1_000) == whole


def test_memory_is_bounded_whatever_the_sample_and_the_resamples() -> None:
    wide = np.random.default_rng(0).integers(1, 10**6, (100_000, 2))
    peaks = []
    for n_resamples in (40, 80):
        tracemalloc.start()
        bootstrap(WordErrors(), wide, n_resamples=n_resamples)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 128 << 20
    assert peaks[1] < 1.1 * peaks[0]


@given(runs)
def test_a_run_does_not_differ_from_itself(counts: Counts) -> None:
    found = paired(WordErrors(), counts, counts, n_resamples=50)
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)
    assert not found.is_shown
    assert found.samples_needed is None


def test_what_is_hard_for_both_cancels() -> None:
    """B adds one error to every tenth sample: a hundredth, on samples that vary by far more."""
    counts = rates(300, rate=0.3)
    worse = counts.copy()
    worse[::10, 0] += 1
    found = paired(WordErrors(), counts, worse)
    assert found.is_shown
    assert found.low <= found.difference <= found.high
    assert found.p_value < 0.001
    assert paired(WordErrors(), worse, counts).difference == -found.difference


def test_a_sample_that_cannot_show_a_difference_says_how_many_would() -> None:
    one, other = rates(40, seed=1), rates(40, seed=2, rate=0.11)
    found = paired(WordErrors(), one, other)
    assert not found.is_shown
    assert found.samples_needed is not None
    n_times = -(-found.samples_needed // 40)
    assert paired(WordErrors(), np.tile(one, (n_times + 1, 1)), np.tile(other, (n_times + 1, 1))).is_shown


def test_runs_of_unequal_length_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="equal shapes"):
        paired(Right(), rates(3), rates(4))


# Planted bugs ---------------------------------------------------------------------------

true_how_often, true_summed, true_percentiles = (
    intervals._how_often,
    intervals._summed,
    intervals._percentiles,
)


def forgets_the_last(indices: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> Counts:
    weights = true_how_often(indices)
    weights[:, -1] = 0
    return weights


def draws_nothing_twice(indices: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> Counts:
    return np.minimum(true_how_often(indices), 1)


def takes_utterances_for_speakers(counts: Counts, groups: Sequence[Hashable]) -> Counts:
    return counts


def is_of_90_percent(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, float]:
    low, high = np.quantile(values[~np.isnan(values)], [0.05, 0.95])
    return float(low), float(high)


def is_one_sided(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, float]:
    return true_percentiles(values)[0], float(np.nanmax(values))


def promises_are_kept() -> None:
    for one in ORACLES:
        test_the_interval_of_utterances_is_the_oracle_s(one)
    test_speakers_who_differ_widen_the_interval()


BUGS = [
    ("_how_often", forgets_the_last),
    ("_how_often", draws_nothing_twice),
    ("_summed", takes_utterances_for_speakers),
    ("_percentiles", is_of_90_percent),
    ("_percentiles", is_one_sided),
]


@pytest.mark.parametrize(("name", "bug"), BUGS, ids=[bug.__name__ for _, bug in BUGS])
def test_planted_bugs_die(name: str, bug: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, name, bug)
    with pytest.raises(AssertionError):
        promises_are_kept()
