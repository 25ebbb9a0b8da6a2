"""`parlour eval compare A B`: two runs on the samples that both have."""

import argparse
from pathlib import Path

import msgspec

from evaluation.commands.score import add_scoring_arguments, known, recorded_at
from evaluation.report.comparison import compare, rescored
from evaluation.report.model import stored_report, to_json
from evaluation.report.terminal import comparison_table

HELP = "compare two runs on their common samples: wins, losses, regressions, and whether it is noise"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name in ("a", "b"):
        parser.add_argument(
            name, type=Path, metavar=name.upper(), help="a run's folder, records.jsonl, or results"
        )
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    add_scoring_arguments(parser)


def run(options: argparse.Namespace) -> int:
    comparison = compare(
        recorded_at(options.a), recorded_at(options.b), known(options), options.resamples, options.seed
    )
    told = [
        sentence
        for path in (options.a, options.b)
        if (stored := stored_report(path / "scores.json")) is not None
        for sentence in rescored(stored, comparison)
    ]
    comparison = msgspec.structs.replace(comparison, warnings=(*comparison.warnings, *told))
    if options.json:
        print(to_json(comparison).decode(), end="")
    else:
        print(comparison_table(comparison))
    return 0
