"""The machine under the benchmark: what it is, who runs on which core, what a process costs."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process, and the core it is pinned to, have used so far. Seconds; at: monotonic."""

    at: float
    cpu_s: float
    core_busy_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """Between two `Usage`s: shares of one core. others: everybody else on the process's core."""

    cpu: float
    others: float


def describe() -> dict[str, str | int | float]:
    """The facts that a figure is worthless without."""
    one_minute, _, _ = os.getloadavg()
    return {
        "cpu": _first_value("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
        "load_average_before": round(one_minute, 2),
    }


def pin(pid: int, core: int) -> None:
    """Keep a process, with all its threads, on one core. On one-core machines this changes nothing."""
    core %= os.cpu_count() or 1
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def children(pid: int) -> list[int]:
    """The pids of a process's children."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def usage(pid: int, core: int) -> Usage:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S  # proc(5): utime, stime
    return Usage(time.monotonic(), cpu_s, _core_busy_s(core))


def load_between(before: Usage, after: Usage) -> Load:
    wall_s = after.at - before.at
    cpu = (after.cpu_s - before.cpu_s) / wall_s
    return Load(cpu, max(0.0, (after.core_busy_s - before.core_busy_s) / wall_s - cpu))


def rss_bytes(pid: int) -> int:
    """Resident memory of one process."""
    return int((_first_value(f"/proc/{pid}/status", "VmRSS") or "0 kB").split()[0]) * 1024


def _core_busy_s(core: int) -> float:
    core %= os.cpu_count() or 1
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = (int(tick) for tick in ticks[:8])
            return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S
    return 0.0


def _first_value(path: str, name: str) -> str | None:
    for line in Path(path).read_text().splitlines():
        found, _, value = line.partition(":")
        if found.strip() == name:
            return value.strip()
    return None
