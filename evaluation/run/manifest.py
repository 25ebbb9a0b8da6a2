"""All that influenced the answers of a run, written before the first one: `RUN/manifest.json`."""

import hashlib
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path

import msgspec

from evaluation.errors import EvaluationError
from evaluation.run.appended_lines import write_whole
from evaluation.run.run_folder import MANIFEST, manifest
from evaluation.sample import Sample

FORMAT = 1
_SECRETS = ("--key", "--judge-key")
_PACKAGES = (
    *("parlour", "whisper-normalizer", "sacrebleu", "rapidfuzz", "opencc", "zhconv", "numpy", "av", "soxr"),
    *(
        "httpx",
        "websockets",
        "aiortc",
        "torch",
        "transformers",
        "accelerate",
        "ctranslate2",
        "faster-whisper",
    ),
)
_GPU_WITHIN_S = 10.0

Description = Mapping[str, str | int | float | bool | None]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """route: its description, the model's hash with it. samples: how many, by benchmark and source.

    data_sha256: of each benchmark's samples as they were read. seeds: by what they chose. judges: each with
    the time since when. commands: with the time at which each began; keys are left out.
    """

    format: int = FORMAT
    route: Description
    samples: dict[str, dict[str, int]]
    data_sha256: dict[str, str]
    limits: dict[str, int | None] = {}
    seeds: Mapping[str, int] = {}
    converter: str = ""
    versions: Mapping[str, str] = {}
    hardware: Mapping[str, str | int | float] = {}
    judges: tuple[Description, ...] = ()
    commands: tuple[Mapping[str, str], ...] = ()


def begin(
    folder: Path,
    route: Description,
    samples: Sequence[Sample],
    *,
    command: Sequence[str],
    now: datetime,
    converter: str = "",
    limit: int | None = None,
    seed: int = 0,
) -> Manifest:
    """Write the manifest of a folder's first command, or add to it what another one brings.

    Raises EvaluationError where the folder holds answers of another model, or another way to ask it.
    """
    before = _read(folder)
    if before is not None:
        _check_same(folder, before.route, route)
    benchmarks = list(dict.fromkeys(sample.benchmark for sample in samples))
    hashes = {name: _hashed(one for one in samples if one.benchmark == name) for name in benchmarks}
    limits: dict[str, int | None] = dict.fromkeys(benchmarks, limit)
    written = Manifest(
        route=route,
        samples=(before.samples if before else {}) | _counted(samples),
        data_sha256=(before.data_sha256 if before else {}) | hashes,
        limits=(before.limits if before else {}) | limits,
        seeds={"limit": seed},
        converter=converter,
        versions=versions(),
        hardware=hardware(),
        judges=before.judges if before else (),
        commands=(
            *(before.commands if before else ()),
            {"began": now.isoformat(), "command": shown(command)},
        ),
    )
    _write(folder, written)
    return written


def add_judge(folder: Path, judge: Description, now: datetime) -> None:
    """Note who judges, from when on: marks of two judges are two scales."""
    before = _read(folder)
    if before is None:
        raise EvaluationError(f"{folder} has no {MANIFEST}: expected a run")
    if any({**one, "since": ""} == {**judge, "since": ""} for one in before.judges):
        return
    judges = (*before.judges, {**judge, "since": now.isoformat()})
    _write(folder, msgspec.structs.replace(before, judges=judges))


def shown(command: Sequence[str]) -> str:
    """As it was typed, without keys."""
    words = []
    for at, word in enumerate(command):
        name, equals, _ = word.partition("=")
        if at and command[at - 1] in _SECRETS:
            word = "***"
        elif name in _SECRETS and equals:
            word = f"{name}=***"
        words.append(word if word and " " not in word else f"'{word}'")
    return " ".join(words)


def versions() -> dict[str, str]:
    """Of all installed packages that a figure may depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str | int | float]:
    found: dict[str, str | int | float] = {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    if gpus := _gpus():
        found["gpu"] = gpus
    return found


def _read(folder: Path) -> Manifest | None:
    found = manifest(folder)
    try:
        return msgspec.convert(found, Manifest) if found else None
    except msgspec.MsgspecError as error:
        raise EvaluationError(f"{folder / MANIFEST} is not one of this version: {error}") from None


def _write(folder: Path, written: Manifest) -> None:
    write_whole(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(written), indent=1) + b"\n")


def _check_same(folder: Path, before: Description, now: Description) -> None:
    for name in (*before, *now):
        if before.get(name) != now.get(name):
            raise EvaluationError(
                f"{folder} holds answers with {name} {before.get(name)!r}, and this command has "
                f"{now.get(name)!r}: choose another folder with --out"
            )


def _counted(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    counts = Counter((sample.benchmark, sample.source) for sample in samples)
    found: dict[str, dict[str, int]] = {}
    for (benchmark, source), n in counts.items():
        found.setdefault(benchmark, {})[source] = n
    return found


def _hashed(samples: Iterable[Sample]) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        # Where the clips lie is this machine's matter; what they hold is in the records.
        placeless = msgspec.structs.replace(sample, audio=Path(sample.audio).name)
        digest.update(msgspec.json.encode(placeless, order="sorted") + b"\n")
    return digest.hexdigest()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _gpus() -> str:
    """As the driver names them; "" where there is none."""
    if "torch" not in sys.modules:
        return ""  # no model was loaded by this process: whose GPU works is the server's to say
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=_GPU_WITHIN_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return "; ".join(done.stdout.strip().splitlines())
