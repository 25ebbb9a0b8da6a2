"""An answer is found again by all that determines it, and by nothing less."""

from evaluation.run.record_key import Asked, keys

ROUTE = {"model": "m", "temperature": 0.0, "max_tokens": 256}


def test_audio_prompt_and_each_word_about_the_route_make_another_answer() -> None:
    [key] = keys([Asked("aa", "?")], ROUTE)
    others = [
        keys([Asked("bb", "?")], ROUTE),
        keys([Asked("aa", "!")], ROUTE),
        keys([Asked("aa", "?")], ROUTE | {"model": "n"}),
        keys([Asked("aa", "?")], ROUTE | {"temperature": 1.0}),
        keys([Asked("aa", "?")], ROUTE | {"system": None}),
        keys([Asked("a", "a?")], ROUTE),
    ]
    assert len({key, *(other[0] for other in others)}) == len(others) + 1


def test_the_order_in_which_a_route_describes_itself_does_not_matter() -> None:
    assert keys([Asked("aa", "?")], dict(reversed(ROUTE.items()))) == keys([Asked("aa", "?")], ROUTE)


def test_the_neighbours_of_a_batch_are_part_of_an_answer() -> None:
    first, second = keys([Asked("aa", "?"), Asked("bb", "?")], ROUTE)
    assert first != second
    assert first != keys([Asked("aa", "?"), Asked("cc", "?")], ROUTE)[0]
    assert first != keys([Asked("aa", "?")], ROUTE)[0]
