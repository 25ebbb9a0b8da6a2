"""The pages that explain Parlour name files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("realtime", "agent", "evaluation", "web_client", "tests")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
IN_THE_TREE = re.compile(r"`((?:realtime|agent|evaluation|web_client|tests|docs|docker)/[\w./-]+)`")
TO_BE_MADE = re.compile(r"\bsip\b|_sip\b|NAME")
"""What CONTRIBUTING shows by example."""
IN_A_ROOM = re.compile(r"`([\w-]+(?:/[\w-]+)*\.(?:py|js))`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_file_that_is_missing(page: Path) -> None:
    text = page.read_text()
    missing = [path for path in IN_THE_TREE.findall(text) if not (ROOT / path).exists()]
    if page.name != "CHANGELOG.md":  # what it tells of may be gone by now
        files = {f"/{file}" for folder in ROOMS for file in files_of(folder)}
        missing += [
            name for name in IN_A_ROOM.findall(text) if not any(file.endswith(f"/{name}") for file in files)
        ]
    assert [path for path in missing if not TO_BE_MADE.search(path)] == []


def files_of(folder: str) -> list[Path]:
    found = [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.js")]
    return [file.relative_to(ROOT) for file in found if "node_modules" not in file.parts]
