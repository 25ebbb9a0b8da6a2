"""`make fuzz`: every target for its share of the time, each in a process of its own, and a table of it.

What broke lies in `tests/fuzz/corpus/<target>/`, where `make test` finds it from then on.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from tests.fuzz.target import CORPUS, FOLDER, Pure, load, names

START_S = 60.0
_COVERAGE = re.compile(rb"cov: (\d+)")


@dataclass(frozen=True)
class Row:
    target: str
    told: dict[str, Any]
    coverage: int | None

    def shown(self) -> str:
        executions, seconds = self.told["executions"], self.told["seconds"]
        reached = "" if self.coverage is None else str(self.coverage)
        return (
            f"{self.target:<16}{self.told['way']:<16}{executions:>11,}{executions / max(seconds, 0.1):>9,.0f}"
            f"{seconds:>8.0f}{reached:>9}{len(self.told['broke']):>7}"
        )


def fuzz(name: str, seconds: float, seed: int) -> Row:
    target = load(name)
    is_guided = isinstance(target, Pure) and target.is_guided and find_spec("atheris") is not None
    command = [sys.executable, "-m", "tests.fuzz.child", name, f"--seconds={seconds}", f"--seed={seed}"]
    before = {path.name for path in (CORPUS / name).glob("*")}
    began = time.monotonic()
    done = subprocess.run(
        [*command, *(["--guided"] if is_guided else [])],
        cwd=FOLDER.parents[1],
        capture_output=True,
        timeout=seconds + START_S,
        check=False,
    )
    reached = _COVERAGE.findall(done.stderr)
    coverage = int(reached[-1]) if is_guided and reached else None
    lines = done.stdout.decode().splitlines()
    if done.returncode == 0 and lines:
        return Row(name, json.loads(lines[-1]), coverage)
    found = sorted({path.name for path in (CORPUS / name).glob("*")} - before)
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it ended"]
    broke = [{"what": f"ended the process: {last[0]}", "times": 1, "input": one} for one in found or ["?"]]
    told = {"way": "ended", "executions": 0, "seconds": time.monotonic() - began, "broke": broke}
    return Row(name, told, coverage)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz everything that a stranger can send.")
    parser.add_argument("targets", nargs="*", help=f"some of {', '.join(names())}; all, if none is named")
    parser.add_argument("--seconds", type=float, default=1800.0, help="of all targets together")
    parser.add_argument("--seed", type=int, default=1, help="the same one gives the same mutations")
    options = parser.parse_args()
    chosen = options.targets or names()
    head = (
        f"{'target':<16}{'way':<16}{'executions':>11}{'a second':>9}{'seconds':>8}{'reached':>9}{'broke':>7}"
    )
    print(head, flush=True)
    rows = []
    for name in chosen:
        rows.append(fuzz(name, options.seconds / len(chosen), options.seed))
        print(rows[-1].shown(), flush=True)
        for one in rows[-1].told["broke"]:
            print(f"    {one['what']}, {one['times']} times: corpus/{name}/{one['input']}", flush=True)
    total = sum(row.told["executions"] for row in rows)
    spent_s = sum(row.told["seconds"] for row in rows)
    broke = sum(len(row.told["broke"]) for row in rows)
    print(f"{'together':<32}{total:>11,}{'':>9}{spent_s:>8.0f}{'':>9}{broke:>7}")
    return 1 if broke else 0


if __name__ == "__main__":
    sys.exit(main())
