"""Accuracy, strict and lenient, beside plain equality; answers outside the labels; labels that are none."""

import random

import pytest

from evaluation.errors import EvaluationError
from evaluation.scoring.accuracy import MELD, VOCALSOUND, Accuracy, folded
from evaluation.scoring.metrics import metric
from tests.evaluation.scoring.fixtures import texts


@pytest.mark.parametrize(("name", "labels"), [("acc_meld", MELD), ("acc_vocalsound", VOCALSOUND)])
def test_four_hundred_random_answers_are_right_where_they_equal_their_reference(
    name: str, labels: tuple[str, ...]
) -> None:
    draw = random.Random(12)
    written = ("{}", " {}", "\u3000{}", "\n{}", "{} ", "{}.", "'{}'", "<|en|>{}")
    references = draw.choices(labels, k=400)
    answers = [
        draw.choice(written).format(draw.choice((label, label.upper(), draw.choice(labels))))
        for label in references
    ]
    counts = metric(name).count(references, answers)
    expected = [int(one == other.lstrip()) for one, other in zip(references, answers, strict=True)]
    assert counts[:, 0].tolist() == expected
    assert counts[:, 1].tolist() == [1] * 400


def test_the_lenient_score_forgives_case_punctuation_and_spaces_alone() -> None:
    references, answers = texts("acc_vocalsound")
    counts = metric("acc_vocalsound_lenient").count(references, answers)
    right = dict(zip(answers, counts[:, 0].tolist(), strict=True))
    assert right["Throat Clearing"]
    assert right["Throatclearing"]
    assert right["Cough."]
    assert not right["Coughing"]
    assert not right["The sound is a sigh"]


def test_answers_outside_the_labels_are_counted_and_found() -> None:
    scorer = metric("acc_meld_lenient")
    assert isinstance(scorer, Accuracy)
    answers = ["Joy!", "happy", "joy, anger", ""]
    assert scorer.outside_labels(answers) == [1, 2, 3]
    assert scorer.count(["joy"] * 4, answers).sum(axis=0).tolist() == [1, 4, 3]
    strict = metric("acc_meld")
    assert strict.count(["joy"] * 4, answers).sum(axis=0).tolist() == [0, 4, 4]


@pytest.mark.parametrize("name", ["acc_meld", "acc_meld_lenient"])
def test_a_reference_that_is_no_label_is_named_by_its_pair(name: str) -> None:
    with pytest.raises(EvaluationError, match=r"^pair 2: expected a reference that is one of anger, "):
        metric(name).count(["joy", "Joy", "happiness"], ["joy", "joy", "joy"])


def test_another_spelling_of_a_label_is_compared_as_it_is_written() -> None:
    assert metric("acc_vocalsound").count(["throat_clearing"], ["throat_clearing"])[0, 0] == 1
    assert metric("acc_vocalsound").count(["throat_clearing"], ["Throat clearing"])[0, 0] == 0
    assert metric("acc_vocalsound_lenient").count(["throat_clearing"], ["Throat clearing"])[0, 0] == 1


def test_folding_keeps_letters_and_digits() -> None:
    assert folded(" 'Throat\u00a0Clearing-2.'\n") == "throatclearing2"
