"""The Chinese number rules, beside those written a second time, and what the comparison would miss."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.scoring import chinese, chinese_numbers
from evaluation.scoring.chinese import Rule, normalised, rules
from evaluation.scoring.chinese_numbers import cardinal
from tests.evaluation.scoring import alphabets
from tests.evaluation.scoring.fixtures import fixture
from tests.evaluation.scoring.plain_chinese import normalise_chinese, read_number

_ALPHABET = [piece for piece in alphabets.CHINESE if not piece.startswith("<|")]


def first_difference() -> str | None:
    """The first text of many that the two implementations normalise differently."""
    draw = random.Random(11)
    texts = [pair["text"] for pair in fixture("zh_normaliser")["pairs"]]
    texts += ["".join(draw.choices(_ALPHABET, k=draw.randint(1, 12))) for _ in range(3_000)]
    return next((text for text in texts if normalised(text) != normalise_chinese(text)), None)


def test_three_thousand_random_texts_are_normalised_as_by_the_rules_written_a_second_time() -> None:
    assert first_difference() is None


_decimals = st.none() | st.from_regex(r"[0-9]{1,4}", fullmatch=True)


@given(st.integers(0, 10**50 - 1), st.integers(0, 3), _decimals)
def test_cardinals_are_read_as_by_arithmetic(value: int, zeros: int, decimals: str | None) -> None:
    number = "0" * zeros + str(value) + (f".{decimals}" if decimals else "")
    assert cardinal(number) == read_number(number)


READ = {
    **{"2": "二", "12": "十二", "22": "二十二", "200": "两百", "222": "两百二十二", "20000": "两万"},
    **{"120000": "十二万", "2020": "两千零二十", "1012": "一千零一十二", "2.2": "二点二", "00.5": "零点五"},
}


@pytest.mark.parametrize(("number", "read"), READ.items())
def test_two_is_liang_before_a_large_unit_alone(number: str, read: str) -> None:
    assert cardinal(number) == read


def test_digits_of_any_script_are_read_and_never_a_crash() -> None:
    assert normalised("２０２４年和٣个") == "两千零百二十四年和三个"  # as upstream


def test_a_finding_is_replaced_where_its_text_stands_first() -> None:
    assert normalised("25米5个") == "二五米五个"  # the 5 of 5个 stands first in 25
    assert normalised("105，5个") == "十五 五个"
    assert normalised("1234，34个") == "十二三十四 三十四个"


def _in_place(rule: Rule, text: str) -> str:
    """What a careful programmer would write: each finding replaced where it was found."""
    pieces, done = [], 0
    for found in rule.finds.finditer(text):
        group = found.lastindex or 0
        pieces += text[done : found.start(group)], rule.read(found[group])
        done = found.end(group)
    return "".join([*pieces, text[done:]])


def _in_order(*order: int) -> Callable[[], tuple[Rule, ...]]:
    true = rules()
    return lambda: tuple(true[at] for at in order)


def _swap(patch: pytest.MonkeyPatch, *order: int) -> None:
    patch.setattr(chinese, "rules", _in_order(*order))


PLANTED: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "money before dates": lambda patch: _swap(patch, 1, 0, 2, 3, 4, 5, 6, 7, 8),
    "landlines before mobiles": lambda patch: _swap(patch, 0, 1, 3, 2, 4, 5, 6, 7, 8),
    "fractions after percentages": lambda patch: _swap(patch, 0, 1, 2, 3, 5, 4, 6, 7, 8),
    "long numbers before measure words": lambda patch: _swap(patch, 0, 1, 2, 3, 4, 5, 7, 6, 8),
    "numbers before long numbers": lambda patch: _swap(patch, 0, 1, 2, 3, 4, 5, 6, 8, 7),
    "no landlines": lambda patch: _swap(patch, 0, 1, 2, 4, 5, 6, 7, 8),
    "findings replaced in their places": lambda patch: patch.setattr(Rule, "applied", _in_place),
    "二 never 两": lambda patch: _patched_cardinals(patch, "_UNITS_THAT_TAKE_TWO", frozenset()),
    "两 before 十 too": lambda patch: _patched_cardinals(
        patch, "_UNITS_THAT_TAKE_TWO", frozenset("十百千万亿")
    ),
    "no telephone is so short": lambda patch: patch.setattr(chinese, "_has_seven_digits", lambda text: False),
}


def _patched_cardinals(patch: pytest.MonkeyPatch, name: str, value: object) -> None:
    cardinal.cache_clear()
    patch.setattr(chinese_numbers, name, value)


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_dies(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rules.cache_clear()
    PLANTED[bug](monkeypatch)
    try:
        assert first_difference() is not None
    finally:
        monkeypatch.undo()
        rules.cache_clear()
        cardinal.cache_clear()
