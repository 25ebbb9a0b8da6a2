"""Runs pip and shows how far it is: which package, and how many megabytes are left.

    python tools/pip_progress.py --about-mb 250 install --editable .

In a terminal it is one line that changes; in a log a line for each package, and more for a large one.
Needs no package, for it installs them. What pip complains of goes past it; its exit status is pip's.

Reads pip's own words: "Collecting", "Downloading", "Installing collected packages", and the lines of its
`--progress-bar raw` (https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-progress-bar).
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TextIO

_MB = 1_000_000
_UNITS = {"bytes": 1, "kB": 1_000, "MB": _MB, "GB": 1_000 * _MB}
_FOUND = re.compile(r"(?:Collecting|Processing) (\S+)")
_FETCHED = re.compile(r"\s*(Downloading|Using cached) (\S+) \(([\d.]+) (bytes|kB|MB|GB)\)")
_STEP = re.compile(r"Progress (\d+) of (\d+)")
_BUILT = re.compile(r"\s*(?:Building|Preparing) \S+ (?:for|metadata)")
_INSTALLED = re.compile(r"Installing collected packages: (.+)")
_TOLD_EVERY = 0.25  # of a large package, in a log


@dataclass(frozen=True, slots=True)
class Line:
    """What to show now. is_news: a log is to have it too."""

    text: str
    is_news: bool


@dataclass(slots=True)
class Progress:
    """about_mb: what is to be fetched in all, roughly; pip does not know it before it has, nor how many
    packages there are."""

    about_mb: float
    _fetched: set[str] = field(default_factory=set)
    _current: str = ""
    _current_bytes: int = 0
    _fetched_bytes: int = 0
    _told_share: float = 0.0

    def read(self, line: str) -> Line | None:
        """One of pip's lines; None where it changes nothing that is shown."""
        if found := _FOUND.match(line):
            return Line(f"looking for {_name(found[1])}", is_news=False)
        if fetched := _FETCHED.match(line):
            return self._begin(fetched[1], fetched[2], round(float(fetched[3]) * _UNITS[fetched[4]]))
        if step := _STEP.match(line):
            return self._step(int(step[1]), int(step[2]))
        if _BUILT.match(line):
            return Line("building", is_news=False)
        if installed := _INSTALLED.match(line):
            count = len(installed[1].split(", "))
            return Line(f"unpacking {count} packages, which can take a minute", is_news=True)
        return None

    def _begin(self, how: str, file: str, size_bytes: int) -> Line | None:
        if file.endswith(".metadata"):
            return None
        self._fetched_bytes += self._current_bytes
        self._current, self._current_bytes, self._told_share = _name(file), size_bytes, 0.0
        self._fetched.add(self._current)
        is_here = how != "Downloading"
        return Line(self._described(size_bytes if is_here else 0), is_news=True)

    def _step(self, done_bytes: int, size_bytes: int) -> Line | None:
        if not self._current or not size_bytes:
            return None
        self._current_bytes = size_bytes
        share = done_bytes / size_bytes
        is_news = share >= self._told_share + _TOLD_EVERY and share < 1 and size_bytes > 20 * _MB
        if is_news:
            self._told_share = share
        return Line(self._described(done_bytes), is_news)

    def _described(self, done_bytes: int) -> str:
        left_mb = self.about_mb - (self._fetched_bytes + done_bytes) / _MB
        size_mb = self._current_bytes / _MB
        size = f"{done_bytes / _MB:.0f} of {size_mb:.0f} MB" if size_mb >= 1 else f"{size_mb:.1f} MB"
        left = f", about {left_mb:.0f} MB left" if left_mb >= 1 else ""
        return f"{self._current}: {size} (package {len(self._fetched)}{left})"


def _name(found: str) -> str:
    """Of a requirement, an address or a file: "numpy>=2", "https://host/numpy-2.4-py3-none-any.whl"."""
    last = PurePath(found.split("#")[0]).name if "/" in found else found
    if last.endswith((".whl", ".gz", ".zip")):
        last = last.split("-")[0]
    return re.split(r"[<>=!~;\[ ,]", last)[0].lower().replace("_", "-")


def shown(lines: Iterable[str], progress: Progress, screen: TextIO) -> Iterator[str]:
    """Show what pip says, and yield its lines, so that they can be told if it fails."""
    changes = screen.isatty()
    width = 0
    for line in lines:
        yield line
        now = progress.read(line)
        if now is None:
            continue
        if changes:
            text = f"      {now.text}"
            screen.write(f"\r{text.ljust(width)}")
            width = len(text)
        elif now.is_news:
            screen.write(f"      {now.text}\n")
        screen.flush()
    if width:
        screen.write(f"\r{' ' * width}\r")
        screen.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--about-mb", type=float, default=0.0, help="what is to be fetched in all, roughly")
    parser.add_argument("pip", nargs=argparse.REMAINDER, help="pip's own arguments, `install` first")
    given = parser.parse_args()
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *given.pip]
    with subprocess.Popen([*command, "--progress-bar", "raw"], stdout=subprocess.PIPE, text=True) as pip:
        assert pip.stdout is not None
        said = list(shown(pip.stdout, Progress(given.about_mb), sys.stdout))
    if pip.returncode:
        sys.stdout.writelines(line for line in said if not _STEP.match(line))
    return pip.returncode


if __name__ == "__main__":
    sys.exit(main())
