"""A process that forks `parlour eval run` as often as it is told to, with all that it needs loaded already.

Each line on standard input is the arguments of a run, as a JSON list; the answers are "started PID" and, when
that process has ended, "ended STATUS" (negative: the signal that killed it). The samples are those that
few_samples.py makes in the folder that the first line names.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

import pytest

from evaluation.cli import main
from evaluation.run import manifest
from tests.evaluation.run.few_samples import make_samples, stand_in

for name in ("commands.run", "routes.chat_server", "run.progress", "run.runner"):
    import_module(f"evaluation.{name}")  # once, for all


def _run(arguments: list[str]) -> None:
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends
    os._exit(main(arguments))


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def fork_runs() -> None:
    folder, n = json.loads(sys.stdin.readline())
    patch = pytest.MonkeyPatch()
    stand_in(patch, make_samples(Path(folder), n))
    installed = manifest.versions()  # the same for all
    patch.setattr(manifest, "versions", lambda: installed)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        _tell(f"started {child}")
        _, status = os.waitpid(child, 0)
        _tell(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    fork_runs()
