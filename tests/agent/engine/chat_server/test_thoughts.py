"""What a model writes for itself is not for the listener, however it is cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engine.chat_server.thoughts import CALL_CHARS_MAX, VisibleText, WholeCharacters

TEXTS = {
    "thoughts": ("<think>\nPizza.\n</think>\n\nIt is sunny.", "It is sunny."),
    "empty thoughts": ("<think>\n\n</think>\n\nIt is sunny.", "It is sunny."),
    "no end": ("<think>Pizza, pizza", ""),
    "no beginning": ("Pizza.</think>It is sunny.", "Pizza.It is sunny."),
    "several": ("<think>a</think>It is <thinking>b</thinking>sunny.", "It is sunny."),
    "one within another": ("<think>a<think>b</think>It is sunny.", "It is sunny."),
    "capitals": ("<THINK>a</Think>It is sunny.", "It is sunny."),
    "other tags": ("<reasoning>a</reasoning><seed:think>b</seed:think>It is sunny.", "It is sunny."),
    "Magistral": ("[THINK]a[/THINK]It is sunny.", "It is sunny."),
    "Kimi-VL": ("◁think▷a◁/think▷It is sunny.", "It is sunny."),
    "Harmony": (
        "<|channel|>analysis<|message|>Pizza.<|end|><|start|>assistant<|channel|>final<|message|>It is "
        "sunny.<|return|>",
        "It is sunny.",
    ),
    "Harmony begun by the prompt": ("<|message|>It is sunny.<|end|>", "It is sunny."),
    "ChatML": ("<|im_start|>assistant\nIt is sunny.<|im_end|>", "It is sunny."),
    "Llama": (
        "<|start_header_id|>assistant<|end_header_id|>\n\nIt is sunny.<|eot_id|>",
        "It is sunny.",
    ),
    "Gemma": ("<start_of_turn>model\nIt is sunny.<end_of_turn>", "It is sunny."),
    "DeepSeek": ("It is sunny.<｜end▁of▁sentence｜>", "It is sunny."),
    "end of sequence": ("It is sunny.</s>", "It is sunny."),
    "a call of a tool": ('It is <tool_call>{"a": 1}</tool_call>sunny.', "It is sunny."),
    "a header without an end": ("<|im_start|>" + "x" * 80 + "It is sunny.", "It is sunny."),
    "thoughts within a call": ("<tool_call><think></tool_call>It is sunny.", "It is sunny."),
    "signs alone": ("1 < 2, [b] and <|> are <b>fine</b> <", "1 < 2, [b] and <|> are <b>fine</b> <"),
    "the word": ("I think <i think>", "I think <i think>"),
    "a letter that folds to another": ("<\u017f> a\u212a", "<\u017f> a\u212a"),
}


def shown(pieces: list[str]) -> str:
    text = VisibleText()
    return "".join(map(text.push, pieces)) + text.finish()


@pytest.mark.parametrize(("written", "expected"), TEXTS.values(), ids=TEXTS)
def test_the_listener_gets_the_answer_alone_wherever_it_is_cut(written: str, expected: str) -> None:
    assert shown(list(written)) == expected
    for cut in range(len(written) + 1):
        assert shown([written[:cut], written[cut:]]) == expected, f"cut at {cut}"


PIECES = [
    "<think>",
    "</think>",
    "<|im_start|>",
    "<|message|>",
    "<|end|>",
    "<|channel|>",
    "analysis",
    "<tool_call>",
]
PIECES += ["</tool_call>", "<|", "|>", "<", "[", "◁think▷", "\n", " a", "final", "</s>", "é", "x" * 50]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.data())
def test_cuts_change_nothing(written: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(written)), max_size=5).map(sorted))
    places = [0, *cuts, len(written)]
    text = VisibleText()
    pieces = [written[a:b] for a, b in itertools.pairwise(places)]
    told = "".join(map(text.push, pieces)) + text.finish()
    whole = VisibleText()
    assert told == whole.push(written) + whole.finish()
    assert text.written_calls == whole.written_calls


def test_text_without_marks_is_not_held_back() -> None:
    text = VisibleText()
    assert text.push("It is sunny") == "It is sunny"
    assert text.push(" <") == " "
    assert text.push(" 3") == "< 3"


def test_calls_left_in_the_text_are_kept_also_without_an_end() -> None:
    text = VisibleText()
    assert text.push("<tool_call>\n{1}\n</tool_call><tool_call>{2}") + text.finish() == ""
    assert text.written_calls == ["\n{1}\n", "{2}"]


def test_a_call_without_bounds_is_dropped() -> None:
    text = VisibleText()
    assert text.push("<tool_call>" + "x" * (CALL_CHARS_MAX + 1) + "</tool_call>Hi") == "Hi"
    assert text.written_calls == []


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["a \ud83d", "\ude00 b"], "a 😀 b"),
        (["\ud83d", "", "\ude00"], "😀"),
        (["a\ud83d", "b"], "ab"),
        (["a\ude00b"], "ab"),
        (["a\ud83d"], "a"),
        (["😀é"], "😀é"),
    ],
)
def test_halves_of_a_character_are_joined_and_single_ones_left_out(pieces: list[str], expected: str) -> None:
    characters = WholeCharacters()
    assert "".join(map(characters.push, pieces)) == expected
