"""Clauses: early, whole, and nothing lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tts.clauses import FIRST_MOST, LATER_MOST, ClauseCutter

_WORDS = st.sampled_from(
    [
        "3.5",
        "Dr. Smith",
        "example.com",
        "well,",
        "yes.",
        "no!",
        "and",
        "the",
        "https://a.b/c",
        "U.S.",
        "\n",
        " - ",
    ]
)
_TEXTS = st.lists(_WORDS | st.text(max_size=12), max_size=40).map(" ".join)


def _cut(text: str, step: int) -> list[str]:
    cutter = ClauseCutter()
    clauses = [clause for at in range(0, len(text), step) for clause in cutter.push(text[at : at + step])]
    return clauses + cutter.finish()


@given(_TEXTS, st.integers(1, 30))
def test_clauses_joined_are_the_text(text: str, step: int) -> None:
    assert "".join(_cut(text, step)) == text


@given(_TEXTS, st.integers(1, 30))
def test_no_clause_is_empty(text: str, step: int) -> None:
    assert all(_cut(text, step))


@given(st.lists(st.sampled_from(["alpha", "beta", "and", "gamma"]), min_size=30, max_size=200))
def test_text_without_punctuation_is_still_spoken_in_time(words: list[str]) -> None:
    first, *others = _cut(" ".join(words), 4)
    assert len(first) <= FIRST_MOST + 1
    assert all(len(clause) <= LATER_MOST + 1 for clause in others)


def test_the_first_clause_leaves_before_the_sentence_is_complete() -> None:
    cutter = ClauseCutter()
    assert cutter.push("Well, to be honest, I would") == ["Well, to be honest,"]


def test_a_sentence_leaves_with_the_space_after_it() -> None:
    cutter = ClauseCutter()
    assert cutter.push("Paris is the capital.") == []
    assert cutter.push(" It") == ["Paris is the capital."]


@pytest.mark.parametrize(
    "text",
    [
        "It is about 3.5 or 4,200.75 units",
        "Ask Dr. Smith or Mrs. Jones",
        "Go to www.example.com/index.html now",
        "He lives in the U.S. of old",
        "1. Preheat the oven",
        "It starts at 10:30 sharp",
    ],
)
def test_what_belongs_together_is_not_cut(text: str) -> None:
    assert _cut(text, 1) == [text]


def test_later_clauses_are_whole_sentences() -> None:
    text = (
        "Yes, you can. First, wash the rice well, then boil it, and let it rest. Enjoy your meal, my friend."
    )
    assert _cut(text, 3)[1:] == [
        " First, wash the rice well, then boil it, and let it rest.",
        " Enjoy your meal, my friend.",
    ]
