"""Which words have a sound, and where the text is that has none."""

import json
from pathlib import Path

import pytest

from agent.speech_text.pronunciation import Lexicon, unpronounced
from agent.speech_text.speakable import pieces


@pytest.fixture
def lexicon(tmp_path: Path) -> Lexicon:
    known = tmp_path / "lexicon.json"
    known.write_text(json.dumps({"yes": "jˈɛs", "in": "ɪn"}))
    return Lexicon([known])


@pytest.mark.parametrize(
    ("text", "without_sound"),
    [
        ("Yes, in Paris.", []),
        ("Привет, как дела?", ["Привет, как дела"]),
        ("你好，今天天气很好。", ["你好，今天天气很好"]),
        ("مرحبا", ["مرحبا"]),
        ("Yes. Привет, как дела? Yes, in 北京 yes.", [" Привет, как дела", " 北京"]),
        ("5 км", [" км"]),
        ("Grüße, señor", []),
        ("🙂 → ...", []),
        ("", []),
    ],
)
def test_words_in_letters_of_another_language_are_found(
    lexicon: Lexicon, text: str, without_sound: list[str]
) -> None:
    spans = unpronounced(lexicon.pronounced(pieces(text)))
    assert [text[start:end] for start, end in spans] == without_sound


def test_each_piece_has_its_sound(lexicon: Lexicon) -> None:
    assert [(one.piece.spoken, one.sound) for one in lexicon.pronounced(pieces("Yes, in"))] == [
        ("Yes", "jˈɛs"),
        (",", ","),
        ("in", "ɪn"),
    ]
