"""The first `make run` says what it is doing: pip's words in, lines for a terminal or a log out."""

import io

import pytest

from tools.pip_progress import Progress, shown

SAID = """\
Looking in indexes: https://packages.example/simple
Obtaining file:///home/somebody/parlour
  Installing build dependencies: started
  Preparing editable metadata (pyproject.toml): started
Collecting numpy>=2 (from parlour==1)
  Downloading numpy-2.4.6-cp311-cp311-manylinux.whl.metadata (6.6 kB)
Collecting onnxruntime~=1.20 (from parlour==1)
  Downloading onnxruntime-1.27.0-cp311.whl.metadata (5.0 kB)
Processing /wheels/misaki-0.9.4-py3-none-any.whl (from parlour==1)
Requirement already satisfied: idna in /somewhere (3.20)
Collecting typing_extensions (from onnxruntime)
  Using cached typing_extensions-4.16.0-py3-none-any.whl (45 kB)
Downloading numpy-2.4.6-cp311-cp311-manylinux.whl (16.6 MB)
Progress 0 of 16600000
Progress 8300000 of 16600000
Progress 16600000 of 16600000
Downloading onnxruntime-1.27.0-cp311.whl (40.0 MB)
Progress 0 of 40000000
Progress 10000000 of 40000000
Progress 12000000 of 40000000
Progress 30000000 of 40000000
Progress 40000000 of 40000000
Building wheels for collected packages: parlour
Installing collected packages: misaki, typing-extensions, numpy, onnxruntime, parlour
Successfully installed misaki-0.9.4 numpy-2.4.6
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def said() -> list[str]:
    return SAID.splitlines(keepends=True)


def test_a_log_has_a_line_for_each_package_and_more_for_a_large_one() -> None:
    log = io.StringIO()
    assert list(shown(said(), Progress(60), log)) == said()
    assert log.getvalue().splitlines() == [
        "      typing-extensions: 0.0 MB (package 1, about 60 MB left)",
        "      numpy: 0 of 17 MB (package 2, about 60 MB left)",
        "      onnxruntime: 0 of 40 MB (package 3, about 43 MB left)",
        "      onnxruntime: 10 of 40 MB (package 3, about 33 MB left)",
        "      onnxruntime: 30 of 40 MB (package 3, about 13 MB left)",
        "      unpacking 5 packages, which can take a minute",
    ]


def test_a_terminal_has_one_line_that_changes_and_is_gone_at_the_end() -> None:
    terminal = Terminal()
    list(shown(said(), Progress(60), terminal))
    states = terminal.getvalue().split("\r")
    assert "      numpy: 8 of 17 MB (package 2, about 52 MB left)" in [state.rstrip() for state in states]
    assert "\n" not in terminal.getvalue()
    assert states[-1] == ""
    before = ""
    for state in states[1:-1]:
        assert len(state) >= len(before.rstrip()), "nothing stays of what was there"
        before = state


@pytest.mark.parametrize(
    "line", ["", "Progress 5 of 10\n", "Collecting\n", "Downloading x\n", "Progress 0 of 0\n"]
)
def test_a_word_that_it_does_not_know_shows_nothing(line: str) -> None:
    assert Progress(0).read(line) is None


def test_more_than_was_foreseen_is_not_less_than_nothing() -> None:
    progress = Progress(1)
    progress.read("Downloading torch-2.13.0-cp311.whl (780.0 MB)\n")
    line = progress.read("Progress 400000000 of 780000000\n")
    assert line is not None
    assert line.text == "torch: 400 of 780 MB (package 1)"
