"""Clauses: early, whole, and nothing lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.speech_text.speakable import pieces
from agent.tts.clauses import AHEAD, FIRST_MOST, LATER_MOST, LONGEST_UNBROKEN, ClauseCutter
from tests.agent.speech_text.everyday_sentences import SENTENCES

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
    assert all(len(clause) <= LATER_MOST + AHEAD for clause in others)


@pytest.mark.parametrize("step", [1, 4, 100])
def test_nothing_is_cut_between_a_name_and_its_abbreviation(step: int) -> None:
    text = "Turn left at 5th Ave. and 42nd St. 7 × 8 = 56."
    assert [word for clause in _cut(text, step) for word in _words(clause)] == _words(text)


def test_the_first_clause_leaves_before_the_sentence_is_complete() -> None:
    cutter = ClauseCutter()
    assert cutter.push("Well, to be honest, I would") == ["Well, to be honest,"]


@pytest.mark.parametrize(
    ("sentence", "first"),
    [
        ("You can make a cup of coffee at home using a coffee maker.", "You can make a cup of coffee "),
        ("She would rather stay at home because it rains.", "She would rather stay at home "),
        ("The moon is a celestial body in our solar system.", "The moon is a celestial body "),
        ("I bought some apples today and some oranges.", "I bought some apples today "),
        ("This wonderful neighbourhood restaurant serves pizza.", "This wonderful neighbourhood restaurant "),
    ],
)
@pytest.mark.parametrize("step", [1, 4, 100])
def test_a_long_first_sentence_begins_where_a_speaker_might_pause(
    sentence: str, first: str, step: int
) -> None:
    assert _cut(sentence, step)[0] == first


@pytest.mark.parametrize("step", [4, 100])
def test_only_the_first_clause_is_cut_early(step: int) -> None:
    later = "You can make a cup of coffee at home using a coffee maker."
    assert _cut(f"Why not, my friend? {later}", step)[-1].strip() == later


def test_a_sentence_that_is_nearly_over_is_not_cut() -> None:
    assert (
        _cut("The shop is open every day at nine. Come in.", 100)[0] == "The shop is open every day at nine."
    )


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
        "The result of 10 - 3 = 7",
        "He has always lived at No. 5",
        "On the evening of Jan. 5",
        "They work at Acme Inc. in Ohio",
        "It is open until 10 p.m. on Monday",
        "Her house is on Elm Dr. in Boston",
    ],
)
def test_what_belongs_together_is_not_cut(text: str) -> None:
    assert _cut(text, 1) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "The answer is No. Do not touch it",
        "She works at Acme Inc. It grew",
        "The shop is on Main St. It is open",
        "It is open until 10 p.m. Come early",
        "The answer to that is 42. Anything else",
    ],
)
def test_a_sentence_that_ends_like_an_abbreviation_ends(text: str) -> None:
    first, second = _cut(text, 1)
    assert first.endswith(".")
    assert second.startswith(" ")


@given(st.lists(st.sampled_from([written for written, _ in SENTENCES]), min_size=1), st.integers(1, 30))
def test_the_words_said_are_the_same_however_the_text_is_cut(sentences: list[str], step: int) -> None:
    text = " ".join(sentences)
    assert [word for clause in _cut(text, step) for word in _words(clause)] == _words(text)


def _words(text: str) -> list[str]:
    return [piece.spoken for piece in pieces(text) if not piece.is_pause]


@pytest.mark.parametrize("sign", ["7", "中", "a"])
def test_text_without_a_place_to_cut_is_cut_all_the_same(sign: str) -> None:
    text = sign * 20 * LONGEST_UNBROKEN
    clauses = _cut(text, 1000)
    assert "".join(clauses) == text
    assert all(len(clause) <= LONGEST_UNBROKEN for clause in clauses)


def test_later_clauses_are_whole_sentences() -> None:
    text = (
        "Yes, you can. First, wash the rice well, then boil it, and let it rest. Enjoy your meal, my friend."
    )
    assert _cut(text, 3)[1:] == [
        " First, wash the rice well, then boil it, and let it rest.",
        " Enjoy your meal, my friend.",
    ]
