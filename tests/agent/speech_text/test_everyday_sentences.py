"""What is said is what is written: whole sentences, judged by their words."""

import re

import pytest

from agent.speech_text.speakable import pieces
from tests.agent.speech_text.everyday_sentences import SENTENCES


@pytest.mark.parametrize(("written", "said"), SENTENCES)
def test_a_sentence_is_said_as_a_reader_says_it(written: str, said: str) -> None:
    words = " ".join(piece.spoken for piece in pieces(written) if not piece.is_pause)
    plain = words.lower().replace("-", " ")
    # A word that may be left out leaves two spaces behind in the expectation.
    assert re.fullmatch(said.replace(" ", " ?"), plain), plain
