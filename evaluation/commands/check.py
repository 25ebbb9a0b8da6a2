"""`parlour eval check`: all that is missing or odd about data, before the first request is made with it."""

import argparse
import sys

import msgspec

from evaluation.datasets.checking import Checked, SourceCount, check
from evaluation.datasets.find import reading
from evaluation.datasets.problems import REMARKS, Kind
from evaluation.errors import EvaluationError

HELP = "list what is missing or odd about a benchmark's data"
_PROGRESS_EVERY = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("benchmarks", nargs="+", metavar="BENCH", help="benchmarks, such as librispeech")
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="where the data lies, as published or as upstream's jsonl, or the list itself; "
        "not needed for what a package installs",
    )
    parser.add_argument("--audio-root", metavar="FOLDER", help="where clips are looked for first")
    parser.add_argument("--shown", type=int, default=5, metavar="N", help="problems shown of a kind (5)")
    parser.add_argument("--json", action="store_true", help="all of it as JSON")


def run(options: argparse.Namespace) -> int:
    """Returns 1 where anything has to be mended."""
    checked = [_checked(name, options) for name in options.benchmarks]
    if options.json:
        print(_as_json(checked))
    else:
        print("\n\n".join(_as_text(one, options.shown) for one in checked))
    return 0 if all(one.is_fine for one in checked) else 1


def _checked(name: str, options: argparse.Namespace) -> Checked:
    if options.shown < 0:
        raise EvaluationError(f"expected --shown of at least 0, got {options.shown}")
    found = reading(name, options.data, options.audio_root)
    return check(found, _progress if sys.stderr.isatty() else None)


def _progress(n_read: int, n_clips: int) -> None:
    if n_read == n_clips:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    elif n_read % _PROGRESS_EVERY == 0:
        print(f"\rread {n_read:,} of {n_clips:,} clips", end="", file=sys.stderr, flush=True)


def _as_text(checked: Checked, n_shown: int) -> str:
    lines = [f"{checked.benchmark}: {checked.form}, {_lists(checked.lists)}"]
    lines += [f"  {_source(source)}" for source in checked.sources]
    for kind in Kind:
        problems = checked.of_kind(kind)
        if not problems:
            continue
        remark = ", as may be" if kind in REMARKS else ""
        lines.append(f"  {kind}: {len(problems):,}{remark}")
        lines += [f"    {problem}" for problem in problems[:n_shown]]
        if len(problems) > n_shown:
            lines.append(f"    and {len(problems) - n_shown:,} more")
    lines.append("  fine" if checked.is_fine else "  not fine")
    return "\n".join(lines)


def _lists(paths: list[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _source(source: SourceCount) -> str:
    published = f" of {source.n_expected:,} published" if source.n_expected is not None else ""
    rates = ", ".join(f"{n:,} at {hz} Hz" for hz, n in sorted(source.rates.items()))
    length = f", {source.seconds / 3600:.2f} h" + (f" ({rates})" if rates else "")
    return f"{source.source}: {source.n_clips:,} clips{published}{length}"


def _as_json(checked: list[Checked]) -> str:
    content = {
        "version": 1,
        "benchmarks": [
            {
                **msgspec.to_builtins(one, str_keys=True),
                "problems": [
                    {
                        "kind": problem.kind.name.lower(),
                        "where": problem.where,
                        "what": problem.what,
                        "is_remark": problem.kind in REMARKS,
                    }
                    for problem in one.problems
                ],
                "is_fine": one.is_fine,
            }
            for one in checked
        ],
    }
    return msgspec.json.format(msgspec.json.encode(content)).decode()
