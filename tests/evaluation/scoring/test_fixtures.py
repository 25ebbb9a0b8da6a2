"""Scores equal upstream's, on every pair and every set of the oracle files."""

import pytest

from evaluation.scoring.chinese import normalised
from evaluation.scoring.metrics import metric
from tests.evaluation.scoring.fixtures import ACCURACIES, ERROR_RATES, TRANSLATIONS, fixture, texts


@pytest.mark.parametrize("name", ERROR_RATES + TRANSLATIONS + ACCURACIES)
def test_the_score_of_a_set_is_upstreams_to_the_last_digit(name: str) -> None:
    scorer = metric(name)
    assert float(scorer.value(scorer.count(*texts(name)).sum(axis=0))) == fixture(name)["expected"]["score"]


@pytest.mark.parametrize("name", ERROR_RATES)
def test_each_pair_has_upstreams_units_and_edits(name: str) -> None:
    scorer = metric(name)
    counts = scorer.count(*texts(name))
    for pair, (edits, units) in zip(fixture(name)["pairs"], counts.tolist(), strict=True):
        assert scorer.as_compared(pair["ref"]) == " ".join(pair["ref_units"]), pair["id"]
        assert scorer.as_compared(pair["hyp"]) == " ".join(pair["hyp_units"]), pair["id"]
        assert (edits, units) == (pair["edits"], pair["n"]), pair["id"]


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_each_pair_has_upstreams_ngrams(name: str) -> None:
    counts = metric(name).count(*texts(name))
    for pair, row in zip(fixture(name)["pairs"], counts.tolist(), strict=True):
        assert (row[1], row[2:6], row[6:]) == (pair["ref_len"], pair["counts"], pair["totals"]), pair["id"]
    expected = fixture(name)["expected"]
    sums = counts.sum(axis=0).tolist()
    assert sums == [expected["sys_len"], expected["ref_len"], *expected["counts"], *expected["totals"]]


@pytest.mark.parametrize("name", ACCURACIES)
def test_each_answer_is_as_right_as_upstream_finds_it(name: str) -> None:
    right = metric(name).count(*texts(name))[:, 0].tolist()
    assert right == [pair["right"] for pair in fixture(name)["pairs"]]


@pytest.mark.parametrize("pair", fixture("zh_normaliser")["pairs"], ids=lambda pair: pair["id"])
def test_chinese_is_normalised_as_upstream_does(pair: dict[str, str]) -> None:
    assert normalised(pair["text"]) == pair["expected"]
