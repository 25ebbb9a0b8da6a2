"""The order of the tests names folders that are there."""

from pathlib import Path

from tests.schedule import ONE_AT_A_TIME, PURE, group_of

ROOT = Path(__file__).parents[1]


def test_a_folder_that_was_renamed_does_not_lose_its_place() -> None:
    places = [*PURE, *(place for grouped in ONE_AT_A_TIME.values() for place in grouped)]
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_browsers_share_a_group_and_other_files_are_groups_of_their_own() -> None:
    assert group_of("tests/e2e/browser/test_page.py::test_a[x::y]") == "browsers"
    assert group_of("tests/protocol/test_turns.py::test_b") == "tests/protocol/test_turns.py"
