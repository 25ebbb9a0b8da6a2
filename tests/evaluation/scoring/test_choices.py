"""Answers in prose, and the choice that people read in them."""

import pytest

from evaluation.scoring.spoken.choices import chosen_letter
from evaluation.scoring.spoken.refusals import refuses
from evaluation.scoring.spoken.verdicts import verdict


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("B", "B"),
        ("(c)", "C"),
        ("D.", "D"),
        ("The answer is B.", "B"),
        ("The correct answer is **C**, because bees make honey.", "C"),
        ("I would choose option (d).", "D"),
        ("It is most likely 'B'", "B"),
        ("The answer is:\n\n**A) the sun**", "A"),
        ("The answer is \\( \\boxed{\\text{D}} \\)", "D"),
        ("答案是C", "C"),
        ("<1> The answer is A.", "A"),
        ("Of these, option a. is the one", "A"),
        ("The options are A. tea or B. coffee. The answer is B.", "B"),
        ("Let us see: C) melts first.", "C"),
        ("(A) is correct.", "A"),
    ],
)
def test_the_letter_that_an_answer_states_is_read(response: str, letter: str) -> None:
    assert chosen_letter(response) == letter


@pytest.mark.parametrize(
    "response",
    [
        "",
        "It is a plant that needs water",
        "I do not know",
        "The answer is a dog",
        "E",
        "vitamin d3",
        "I'd say so",
    ],
)
def test_no_letter_is_made_up(response: str) -> None:
    assert chosen_letter(response) is None


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Yes, you do.", "yes"),
        ("No.", "no"),
        ("You turn twice. The answer is yes", "yes"),
        ("First it looks like yes. The answer is no, though.", "no"),
        ("You end up back where you started", "yes"),
        ("You do not return to the starting point.", "no"),
        ("You haven't moved back to the starting point.", "no"),
        ("This sentence is plausible.", "yes"),
        ("The sentence is not particularly plausible.", "no"),
        ("That is an implausible sentence", "no"),
        ("It is unlikely to be true", "no"),
        ("Fidel tells the truth.", "yes"),
        ("Fidel does not tell the truth.", "no"),
        ("It makes sense in football", "yes"),
        ("I have no idea what you mean", None),
        ("", None),
    ],
)
def test_yes_and_no_are_read_in_whole_sentences(response: str, expected: str | None) -> None:
    assert verdict(response, "yes") == expected
    assert verdict(response, "No") == expected, "the reference only tells what kind of verdict is asked for"


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("(A)", "(a)"),
        ("The correct adjective order is option (b)", "(b)"),
        ("Option B has the right order", "(b)"),
        ("It is in the first option", "(a)"),
        ("I cannot decide", None),
        ("The answer is C.", None),
        ("Both are fine", None),
    ],
)
def test_one_of_two_options_is_read(response: str, expected: str | None) -> None:
    assert verdict(response, "(A)") == expected


@pytest.mark.parametrize(
    "response", ["I'm really SORRY", "As an AI, no", "That would be illegal.", "", "  \n", "这是违法的"]
)
def test_a_refusal_is_known_by_its_phrase_and_silence_is_one(response: str) -> None:
    assert refuses(response)


@pytest.mark.parametrize("response", ["Sure, first you take", "As people do it", "I think you can"])
def test_what_helps_is_no_refusal(response: str) -> None:
    assert not refuses(response)
