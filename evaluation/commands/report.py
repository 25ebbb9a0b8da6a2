"""`parlour eval report`: a run as one HTML file, as Markdown and as JSON."""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.commands.score import RUN_HELP, add_scoring_arguments, add_thresholds, recorded_at, report_of
from evaluation.errors import EvaluationError
from evaluation.report.html import to_html
from evaluation.report.markdown import to_markdown
from evaluation.report.model import to_json
from evaluation.report.thresholds import missed, parse

HELP = "write a run's report: one offline HTML file, Markdown, JSON"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recorded", type=Path, metavar="RUN", help=RUN_HELP)
    parser.add_argument("--html", type=Path, metavar="FILE", help="where the page goes (RUN/report.html)")
    parser.add_argument("--md", type=Path, metavar="FILE", help="where the Markdown goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the scores go (RUN/scores.json)")
    parser.add_argument(
        "--offline",
        type=Path,
        metavar="RUN",
        help="the same samples answered offline: what the live wire lost",
    )
    parser.add_argument("--no-audio", action="store_true", help="embed no clips")
    add_scoring_arguments(parser)
    add_thresholds(parser)


def run(options: argparse.Namespace) -> int:
    thresholds = [parse(text) for text in options.fail_if]
    recorded = recorded_at(options.recorded)
    beside = recorded_at(options.offline) if options.offline is not None else None
    report = report_of(recorded, options, beside)
    html, json = options.html, options.json
    if options.html is options.md is options.json is None:
        folder = options.recorded if options.recorded.is_dir() else options.recorded.parent
        html, json = folder / "report.html", folder / "scores.json"
    if html is not None:
        _write(html, to_html(report, None if options.no_audio else _read_clip).encode())
    if options.md is not None:
        _write(options.md, to_markdown(report).encode())
    if json is not None:
        _write(json, to_json(report))
    failed = missed(report, thresholds)
    for one in failed:
        print(f"parlour eval: {one}", file=sys.stderr)
    return 1 if failed or any(scores.n_answered < scores.n for scores in report.sources) else 0


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written ({error.strerror})") from None
    print(path)


def _read_clip(path: str) -> NDArray[np.float32]:
    from evaluation.datasets.clip import read_clip

    return read_clip(path).pcm
