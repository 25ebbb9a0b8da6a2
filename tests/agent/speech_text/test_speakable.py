"""Written text as it is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.speech_text.numbers import cardinal, ordinal, year
from agent.speech_text.speakable import pieces, speakable


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


@given(st.text(max_size=80))
def test_nothing_unspeakable_is_left(text: str) -> None:
    for piece in pieces(text):
        assert piece.is_pause or any(character.isalpha() for character in piece.spoken)
        assert not any(character.isascii() and character.isdigit() for character in piece.spoken)


@given(st.text(alphabet="ab 1.,$%*\n-:/3Dr°C", max_size=60))
def test_what_has_been_said_never_goes_back(text: str) -> None:
    ends = [piece.end for piece in pieces(text)]
    assert ends == sorted(ends)
    assert all(0 <= end <= len(text) for end in ends)


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
