"""In which order tests run, and which of them not at the same time.

First what needs nothing but its own process, so that most mistakes are known within a minute. Then what waits
for real time: servers, brokers, calls, browsers. A group runs in one process, one test after another: a file
is one, so that its fixtures are made once; so are all that would take their neighbours' processor (browsers,
models). The longest groups begin first, as the last run measured them.
"""

from collections import Counter, defaultdict
from functools import cache
from pathlib import PurePath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

PURE = (
    "tests/protocol",
    "tests/properties",
    "tests/session",
    "tests/turns",
    "tests/access",
    "tests/audio",
    "tests/transports",
    "tests/agent",
    "tests/commands",
    "tests/evaluation",
    "tests/fuzz",
    "tests/test_settings.py",
    "tests/test_logs.py",
    "tests/test_privacy.py",
    "tests/test_schedule.py",
)
"""In this order. What is not in one of these waits for real time."""

ONE_AT_A_TIME = {
    "browsers": ("tests/e2e/browser",),
    "models": (
        "tests/agent/asr/test_whisper.py",
        "tests/agent/engine/test_exactness.py",
        "tests/agent/engine/test_llama_cpp.py",
        "tests/agent/engine/test_schedules.py",
        "tests/agent/engine/test_speech_lm.py",
        "tests/agent/models",
        "tests/evaluation/routes/test_checkpoint.py",
        "tests/e2e/test_embedded.py",
        "tests/e2e/test_embedded_speakers.py",
        "tests/e2e/test_evaluation_checkpoint.py",
        "tests/e2e/test_evaluation_recogniser.py",
        "tests/e2e/test_qwen2_audio.py",
    ),
}
"""Groups of more than a file. They run with what waits for real time."""

_MEASURED = "parlour/seconds_of_groups"
_GUESSED_S = 2.0
"""Of a test in a group that no run has measured yet."""

_seconds: defaultdict[str, float] = defaultdict(float)


class Groups(LoadScopeScheduling):
    """Gives a group as a whole to a process, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    config.option.loadscopereorder = False
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    kept = getattr(config, "cache", None)  # none with -p no:cacheprovider
    measured = kept.get(_MEASURED, {}) if kept else {}
    counted = Counter(group_of(item.nodeid) for item in items)

    def place(item: pytest.Item) -> tuple[int, float, str]:
        group = group_of(item.nodeid)
        return _phase(group), -measured.get(group, counted[group] * _GUESSED_S), group

    items.sort(key=place)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """With several processes, called in the one to which they report, and in each of its own tests."""
    _seconds[group_of(report.nodeid)] += report.duration


def remember_measured(session: pytest.Session) -> None:
    """At the end of a run that measured whole groups."""
    config = session.config
    kept = getattr(config, "cache", None)
    if kept is not None and not hasattr(config, "workerinput") and session.testscollected > 1_000:
        kept.set(_MEASURED, dict(_seconds))


def group_of(nodeid: str) -> str:
    return _group_of_file(nodeid.partition("::")[0])


@cache
def _group_of_file(file: str) -> str:
    path = PurePath(file)
    grouped = (
        name for name, places in ONE_AT_A_TIME.items() if any(path.is_relative_to(one) for one in places)
    )
    return next(grouped, str(path))


@cache
def _phase(group: str) -> int:
    path = PurePath(group)
    return next((at for at, place in enumerate(PURE) if path.is_relative_to(place)), len(PURE))
