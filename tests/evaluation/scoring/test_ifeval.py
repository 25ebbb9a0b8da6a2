"""Each of IFEval's instructions: a text that keeps to it, and one that does not by as little as there is."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.errors import EvaluationError
from evaluation.scoring.spoken.ifeval.metric import IfEval
from evaluation.scoring.spoken.ifeval.rules import RULES, follows
from evaluation.scoring.spoken.ifeval.text import n_sentences

KEPT_AND_BROKEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("keywords:existence", {"keywords": ["cat", "dog"]}, "A CAT and dogs", "a cat"),
    ("keywords:frequency", {"keyword": "so", "frequency": 2, "relation": "at least"}, "So, so", "so"),
    ("keywords:frequency", {"keyword": "so", "frequency": 2, "relation": "less than"}, "so", "so so"),
    ("keywords:forbidden_words", {"forbidden_words": ["cat"]}, "a category", "a Cat."),
    (
        "keywords:letter_frequency",
        {"letter": "e", "let_frequency": 3, "let_relation": "at least"},
        "Even here",
        "eve",
    ),
    (
        "language:response_language",
        {"language": "de"},
        "Das ist ein ganz gewöhnlicher deutscher Satz.",
        "This is quite an ordinary English sentence.",
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": "at least"},
        "One. Two!",
        "One, two.",
    ),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb", "a\n\nb"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "*** a *** b ***", "a *** *** b"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, "two words", "don't do"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        'First this\n\n"Then, that',
        "First this\n\nAnd then",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] [street]", "[name] (street)"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Yours\nP. S. more", "Yours, PS more"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "p.p.s one", "P.S. one"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n- b", "* a\n* b\n* c"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "* a", "** a"),
    ("detectable_format:constrained_response", {}, "Well. My answer is no.", "My answer is no"),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and *b*", "*a* and * *"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        "Section 1\nSection 2",
        "Section 1\nSection two",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', "{'a': 1}"),
    ("detectable_format:title", {}, "<<Poem>>\nx", "<< >>\nx"),
    ("combination:two_responses", {}, "one ****** two", "one ****** one"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Why is it?"}, "why is it? Because", "Because"),
    ("startend:end_checker", {"end_phrase": "Any questions?"}, '"Yes. any questions?" ', "Any questions? No"),
    ("startend:quotation", {}, ' "so" ', '"so'),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "NASA and WELL-KNOWN ones",
        "NASA and Well-known ones",
    ),
    (
        "change_case:english_capital",
        {},
        "WHAT THE PEOPLE WANTED WAS THE TRUTH AND NOTHING BUT THE TRUTH.",
        "This is quite plain English text.",
    ),
    (
        "change_case:english_lowercase",
        {},
        "this is quite plain english text.",
        "This is quite plain english text.",
    ),
    ("punctuation:no_comma", {}, "no such sign", "well, no"),
]


@pytest.mark.parametrize(("name", "arguments", "kept", "broken"), KEPT_AND_BROKEN)
def test_an_instruction_is_kept_or_broken(
    name: str, arguments: dict[str, Any], kept: str, broken: str
) -> None:
    assert follows(name, kept, arguments)
    assert not follows(name, broken, arguments)


def test_every_instruction_is_tried_above() -> None:
    assert {name for name, *_ in KEPT_AND_BROKEN} == set(RULES)
    assert len(RULES) == 25


@pytest.mark.parametrize(("name", "arguments", "kept", "broken"), KEPT_AND_BROKEN)
def test_an_empty_answer_keeps_to_nothing(
    name: str, arguments: dict[str, Any], kept: str, broken: str
) -> None:
    assert not follows(name, " \n", arguments)


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("One. Two? Three!", 3),
        ("No end", 1),
        ("Dr. Smith met J. Doe at 5 p.m. on Monday.", 1),
        ("It costs 3.50 today. Cheap.", 2),
        ('He said: "Go." Then he went.', 2),
        ("Wait... what?", 1),
        ("", 0),
        ("...", 0),
    ],
)
def test_sentences_are_counted_as_people_do(text: str, n: int) -> None:
    assert n_sentences(text) == n


def test_an_instruction_that_nobody_knows_and_a_missing_argument_are_told() -> None:
    with pytest.raises(EvaluationError, match="'no:such' is no instruction"):
        follows("no:such", "text", {})
    with pytest.raises(EvaluationError, match="needs the argument 'num_words'"):
        follows("length_constraints:number_words", "text", {"relation": "at least", "num_words": None})
    with pytest.raises(EvaluationError, match="less than"):
        follows("length_constraints:number_words", "text", {"relation": "around", "num_words": 2})
    with pytest.raises(EvaluationError, match="another type"):
        follows("detectable_format:number_bullet_lists", "text", {"num_bullets": "two"})


def asked(*names: str, **arguments: Any) -> str:
    return json.dumps({"instruction_id_list": names, "kwargs": [arguments] * len(names)})


def test_four_accuracies_and_their_mean_are_those_of_hand() -> None:
    references = [asked("punctuation:no_comma", "startend:quotation"), asked("punctuation:no_comma")]
    # The first keeps to one of two; loosely as well. The second does once its first line is gone.
    responses = ["no sign", "Sure, here it is:\nno sign"]
    metric = IfEval()
    counts = metric.count(references, responses)
    assert counts.tolist() == [[0, 1, 0, 1, 1, 2], [0, 0, 1, 1, 1, 1]]
    sums = counts.sum(axis=0)
    of = {
        rate: float(IfEval(rate).value(sums))
        for rate in ("prompt_strict", "instruction_strict", "prompt_loose", "instruction_loose")
    }
    assert of == pytest.approx(
        {"prompt_strict": 0, "instruction_strict": 1 / 3, "prompt_loose": 1 / 2, "instruction_loose": 2 / 3}
    )
    assert float(metric.value(sums)) == pytest.approx(np.mean(list(of.values())))


def test_a_reference_that_is_no_instruction_is_told() -> None:
    with pytest.raises(EvaluationError, match="instructions as JSON"):
        IfEval().count(["keep it short"], ["short"])


@given(st.text(alphabet='ab.,*-\n"[]<>A1 ', max_size=60))
def test_a_loose_reading_never_loses_what_a_strict_one_has(text: str) -> None:
    references = [asked("punctuation:no_comma", "startend:quotation", "detectable_format:title")]
    [[prompt, instructions, prompt_loose, instructions_loose, *_]] = (
        IfEval().count(references, [text]).tolist()
    )
    assert prompt <= prompt_loose
    assert instructions <= instructions_loose
