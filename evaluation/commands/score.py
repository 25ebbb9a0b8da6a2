"""`parlour eval score`: figures from what was recorded, without a model."""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from evaluation.errors import EvaluationError
from evaluation.report.alignment import joined
from evaluation.report.catalogue import Catalogue
from evaluation.report.model import Report, to_json
from evaluation.report.recorded import Run, is_result_file, read_results
from evaluation.report.scores import Resampling, scores_of
from evaluation.report.terminal import printable, scores_table
from evaluation.report.thresholds import missed, parse
from evaluation.scoring.intervals import N_RESAMPLES, SEED

RUN_HELP = "a run's folder, its records.jsonl, or upstream's results"
HELP = "score a run, a file of records or upstream's result file; no model is needed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recorded", type=Path, metavar="RUN", help=RUN_HELP)
    parser.add_argument("--json", action="store_true", help="print scores.json instead of a table")
    parser.add_argument(
        "--texts", metavar="ID", help="print both texts of a sample, as written and as compared"
    )
    add_scoring_arguments(parser)
    add_thresholds(parser)


def add_scoring_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME",
        help="score all by this (wer_en, cer_zh, ...), not as the benchmark says; may come again",
    )
    parser.add_argument("--resamples", type=int, default=N_RESAMPLES, help="of the bootstrap (%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of the bootstrap (%(default)s)")


def add_thresholds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="CONDITION",
        help='exit code 1 where it holds, as "librispeech_test_clean.wer_en > 2.0"; may come again',
    )


def run(options: argparse.Namespace) -> int:
    thresholds = [parse(text) for text in options.fail_if]
    recorded = recorded_at(options.recorded)
    if options.texts is not None:
        print("\n\n".join(texts(recorded, known(options), options.texts)))
        return 0
    report = report_of(recorded, options)
    print(
        to_json(report).decode() if options.json else scores_table(report), end="" if options.json else "\n"
    )
    failed = missed(report, thresholds)
    for one in failed:
        print(f"parlour eval: {one}", file=sys.stderr)
    return 1 if failed or any(scores.n_answered < scores.n for scores in report.sources) else 0


def recorded_at(path: Path) -> Run:
    """Raises EvaluationError for what is no run, and for one without a record."""
    from evaluation.run import run_folder

    if not path.is_dir() and is_result_file(path):
        found = Run(name=path.stem, records=tuple(read_results(path)))
    else:
        folder = path if path.is_dir() else path.parent
        found = Run(
            name=path.resolve().name if path.is_dir() else path.stem,
            records=tuple(run_folder.records(path)),
            manifest=run_folder.manifest(folder),
        )
    if not found.records:
        raise EvaluationError(f"{path} holds no record to score")
    return found


def known(options: argparse.Namespace) -> Catalogue:
    # Loading the scorers takes a second: not for `--help`.
    from evaluation.report.known_benchmarks import catalogue

    return catalogue(options.metric)


def report_of(recorded: Run, options: argparse.Namespace, beside: Run | None = None) -> Report:
    """beside: the same samples answered offline, where the report is to tell what the live wire lost."""
    from evaluation.published import notes
    from evaluation.report.comparison import compare

    if options.resamples < 1:
        raise EvaluationError(f"--resamples: expected at least 1, got {options.resamples}")
    catalogue = known(options)
    comparison = None
    if beside is not None:
        title = "The loss from offline to live"
        comparison = compare(beside, recorded, catalogue, options.resamples, options.seed, title=title)
    report = scores_of(
        recorded,
        catalogue,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        resampling=Resampling(options.resamples, options.seed),
        scoring={
            name: version(name)
            for name in ("parlour", "numpy", "sacrebleu", "rapidfuzz", "whisper-normalizer")
        },
        comparison=comparison,
    )
    if any(scores.published for scores in report.sources):
        report = msgspec.structs.replace(report, notes=notes())
    return report


def texts(recorded: Run, catalogue: Catalogue, sample_id: str) -> Iterator[str]:
    """Both texts of a sample, as written and as each metric of its source sees them.

    Raises EvaluationError for an id that the run does not have.
    """
    found = [record for record in recorded.records if record.sample_id == sample_id]
    if not found:
        raise EvaluationError(f"{recorded.name} has no sample {sample_id!r}")
    for record in found:
        yield f"{record.source}, {printable(record.sample_id)}"
        answered = printable(record.response or record.error)
        yield f"expected: {printable(record.reference)}\nanswered: {answered}"
        for metric in catalogue(record.benchmark, record.source).metrics:
            seen = [joined(metric.as_compared(one).split()) for one in (record.reference, record.response)]
            expected, got = map(printable, seen)
            yield f"{metric.name}\n  expected: {expected}\n  answered: {got}"
