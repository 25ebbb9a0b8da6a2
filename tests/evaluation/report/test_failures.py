"""What failed is found, by its kind and by its price."""

import pytest

from evaluation.report.alignment import exchanges, joined, side_by_side
from evaluation.report.counted import counted
from evaluation.report.failures import failures_of, is_refusal, is_wrong_script
from evaluation.scoring.metric import Metric
from tests.evaluation.report.fakes import Right, WordErrors, record


def kinds(reference: str, response: str | None, metric: Metric | None = None) -> set[str]:
    found = failures_of(counted(metric or WordErrors(), [record("a", reference, response)]), frozenset())
    return {category.name for category in found.categories}


@pytest.mark.parametrize(
    ("reference", "response", "expected"),
    [
        ("one two", "one two", set()),
        ("one two", None, {"failed"}),
        ("one two", " \n", {"empty"}),
        ("one two", "one two one two one", {"loops"}),
        ("one two", "one two one two", set()),
        ("one two", "один два", {"wrong script"}),
        ("one two", "I'm sorry, but I cannot hear.", {"loops", "refusals"}),
        ("i am sorry", "I am sorry", set()),
    ],
)
def test_each_way_to_fail_is_listed(reference: str, response: str | None, expected: set[str]) -> None:
    assert kinds(reference, response) == expected


def test_an_answer_outside_the_labels_is_listed() -> None:
    assert kinds("joy", "Joy", Right()) == {"outside the labels"}
    assert kinds("joy", " joy", Right()) == set()


@pytest.mark.parametrize(
    ("reference", "response", "wrong"),
    [
        ("好的 OK", "okay then", False),
        ("今天很好", "ありがとう", False),  # Japanese mixes both
        ("bonjour", "你好 ok", False),
        ("bonjour", "你好吗 ok", True),
        ("12", "twelve", False),
    ],
)
def test_a_script_is_wrong_where_most_letters_are(reference: str, response: str, wrong: bool) -> None:
    assert is_wrong_script(reference, response) is wrong


def test_a_refusal_in_any_apostrophe() -> None:
    assert is_refusal("", "I’m sorry")
    assert not is_refusal("sorry", "sorry")


def test_the_worst_are_those_that_cost_the_figure_most() -> None:
    """Ten words wrong of ten cost more than one of one, and what is right costs nothing."""
    records = [
        record("short", "no", "yes"),
        record("long", " ".join("abcdefghij"), " ".join("klmnopqrst")),
        record("right", "one two", "one two"),
    ]
    worst = failures_of(counted(WordErrors(), records), frozenset()).worst
    assert [example.sample_id for example in worst] == ["long", "short"]
    # 11 of 13 words; without the long one 1 of 3.
    assert worst[0].cost == pytest.approx(100 * (11 / 13 - 1 / 3))


def test_exchanges_are_counted_over_all_pairs() -> None:
    found = exchanges([("a grey cat", "a gray cat"), ("grey", "gray"), ("so it is", "it is now")])
    assert [(one.expected, one.got, one.n) for one in found] == [
        ("grey", "gray", 2),
        ("", "now", 1),
        ("so", "", 1),
    ]


def test_texts_side_by_side_mark_what_differs() -> None:
    left, right = side_by_side("the old grey cat sat", "the gray cat sat down")
    assert (left[0].text, left[0].mark) == ("the", "same")
    assert {piece.mark for piece in left} == {"same", "missing", "exchanged"}
    assert [piece.text for piece in right if piece.mark == "added"] == ["down"]


def test_ideographs_stand_close() -> None:
    assert joined(["今", "天", "OK", "好"]) == "今天 OK 好"
