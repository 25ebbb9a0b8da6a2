"""An answer ends before a stop text, however the text comes in pieces."""

from hypothesis import given
from hypothesis import strategies as st

from agent.engine.stop_sequences import StopSequences

texts = st.text("ab.", max_size=12)


@given(st.lists(texts, max_size=6), st.lists(st.text("ab.", min_size=1, max_size=4), max_size=3))
def test_the_text_before_the_first_stop_comes_out(pieces: list[str], stops: list[str]) -> None:
    cutter = StopSequences(stops)
    said = "".join(map(cutter.push, pieces)) + cutter.finish()
    whole = "".join(pieces)
    ends = [place for stop in stops if (place := whole.find(stop)) >= 0]
    if not ends:
        assert said == whole
        assert not cutter.found
        return
    # The stop that is complete first ends the answer, as it would token by token.
    assert cutter.found
    assert whole.startswith(said)
    assert not any(stop in said for stop in stops)


def test_nothing_is_held_back_longer_than_it_may_be_a_beginning() -> None:
    cutter = StopSequences(["###"])
    assert cutter.push("One #") == "One "
    assert cutter.push("two") == "#two"
    assert cutter.push("##") == ""
    assert cutter.finish() == "##"
