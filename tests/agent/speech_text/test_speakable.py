"""Written text as it is said."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.speech_text.numbers import cardinal, ordinal, year
from agent.speech_text.speakable import PAUSES, Piece, pieces, speakable
from tests.agent.speech_text.everyday_sentences import SENTENCES


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("It costs $3.50.", "It costs three dollars and fifty cents."),
        ("$1", "one dollar"),
        ("€2.5 million", "two point five million euros"),
        ("3.14", "three point one four"),
        ("1,234,567", "one million two hundred thirty-four thousand five hundred sixty-seven"),
        ("-5 degrees", "minus five degrees"),
        ("72°F", "seventy-two degrees Fahrenheit"),
        ("1 km", "one kilometer"),
        ("5 km/h", "five kilometers per hour"),
        ("50%", "fifty percent"),
        ("at 7:05 pm", "at seven oh five P M"),
        ("at 5:00", "at five o'clock"),
        ("July 4, 1776", "July fourth, seventeen seventy-six"),
        ("2026-11-23", "November twenty-third, twenty twenty-six"),
        ("the 1990s", "the nineteen nineties"),
        ("10-20", "ten to twenty"),
        ("1/2 cup", "one half cup"),
        ("3rd", "third"),
        ("007", "zero zero seven"),
        ("Dr. Smith vs. Mr. Jones", "doctor Smith versus mister Jones"),
        ("the U.S. team", "the U S team"),
        ("**bold** and *soft* and `code`", "bold and soft and code"),
        ("# Title\nText", "Title. Text"),
        ("- one\n- two", "one. two"),
        ("see [the page](https://a.b/c)", "see the page"),
        ("www.example.com/a", "www dot example dot com slash a"),
        ("me@example.org", "me at example dot org"),
        ("salt & pepper", "salt and pepper"),
        ("2 + 2 = 4", "two plus two equals four"),
        ("Wait… what?!", "Wait. what?"),
        ("Hello 👋 there", "Hello there"),
    ],
)
def test_is_said_as_people_say_it(written: str, said: str) -> None:
    assert speakable(written) == said


_PARTS = [part for written, _ in SENTENCES for part in re.findall(r"\s*\S+", written)]
_NOISE = "ab 1.,$%*\n-:/3Dr°C−½²@&#<>[]()|'"
_TEXTS = st.text(max_size=80) | st.text(_NOISE, max_size=60) | st.lists(st.sampled_from(_PARTS)).map("".join)


@given(_TEXTS)
def test_nothing_unspeakable_is_left(text: str) -> None:
    for piece in pieces(text):
        assert piece.is_pause or any(character.isalpha() for character in piece.spoken)
        assert not any(character.isascii() and character.isdigit() for character in piece.spoken)
        assert piece.is_pause or not PAUSES.intersection(piece.spoken)


@given(_TEXTS)
def test_what_has_been_said_never_goes_back(text: str) -> None:
    ends = [piece.end for piece in pieces(text)]
    assert ends == sorted(ends)
    assert all(0 <= end <= len(text) for end in ends)


@given(_TEXTS)
def test_what_has_been_said_ends_between_words(text: str) -> None:
    for piece in pieces(text):
        assert not (text[: piece.end][-1:].isalnum() and text[piece.end :][:1].isalnum())


@given(st.lists(st.from_regex(r"[b-df-hj-np-tv-z][aeiou][a-z]{3,9}", fullmatch=True), min_size=1))
def test_each_plain_word_is_said_and_reaches_its_own_end(words: list[str]) -> None:
    ends = list(itertools.accumulate((len(word) + 1 for word in words), initial=-1))[1:]
    assert pieces(" ".join(words)) == [Piece(word, end) for word, end in zip(words, ends, strict=True)]


@given(st.lists(st.sampled_from(SENTENCES), min_size=1))
def test_all_of_the_text_has_been_said_at_its_end(sentences: list[tuple[str, str]]) -> None:
    text = " ".join(written for written, _ in sentences)
    said = pieces(text)
    assert text[said[-1].end :] in {"", "</p>"}


@pytest.mark.parametrize(
    "repeated",
    [
        *("9", "1,234", "1.", "1-", "1/", "1:", "1'", "$1", "1e", "0-", "+1 ", "5 ft ", "1 ", "½", "²", "١"),
        *("a.", "a@", "a-", "a/", "a_", "http://a", "/a", "-a", "A&", "I", "X ", "H2", "IT ", "No. ", "Jan "),
        *("<", "<a ", "[", "[](", "(", "|", "`", "#", "-", "'", ". ", "\n", " ", "Ⅷ", "中", "🙂"),
    ],
)
def test_text_made_to_be_slow_is_read_to_its_end(repeated: str) -> None:
    # Nothing measures it: time that grows with the square of the length would be felt.
    text = repeated * (20_000 // len(repeated))
    ends = [piece.end for piece in pieces(text)]
    assert ends == sorted(ends)


def test_a_million_digits_are_said_one_by_one() -> None:
    said = pieces("7" * 1_000_000)
    assert len(said) == 1_000_000
    assert {piece.spoken for piece in said} == {"seven"}


def test_a_word_reaches_its_own_end_in_the_text() -> None:
    assert [(piece.spoken, piece.end) for piece in pieces("**Paris** is $2")] == [
        ("Paris", 7),
        ("is", 12),
        ("two", 13),
        ("dollars", 15),
    ]


def test_numbers() -> None:
    assert cardinal(0) == "zero"
    assert cardinal(1_000_001) == "one million one"
    assert ordinal(12) == "twelfth"
    assert ordinal(40) == "fortieth"
    assert year(1905) == "nineteen oh five"
    assert year(2000) == "two thousand"
