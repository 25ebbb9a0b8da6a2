"""`parlour eval pairs METRIC FILE`: the score of answers from elsewhere."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from evaluation.errors import EvaluationError
from evaluation.scoring.error_rate import ErrorRate
from evaluation.scoring.metric import Counts, Metric
from evaluation.scoring.metrics import METRICS, metric

HELP = "score a JSON list of [reference, answer]"

Pair = tuple[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Prints one JSON object: the score, the counts it is made of, and its signature."
    parser.add_argument(
        "metric", metavar="METRIC", help=f"{', '.join(METRICS)}, or wer_XX, cer_XX, bleu_to_XX"
    )
    parser.add_argument(
        "file", metavar="FILE", help='a JSON list of [reference, answer]; "-" reads it from stdin'
    )
    parser.add_argument(
        "--show",
        metavar="N",
        type=int,
        action="append",
        default=[],
        help="also both texts of this pair as they are compared, counted from 0; may be given again",
    )


def run(options: argparse.Namespace) -> int:
    scorer = metric(options.metric)
    pairs = read(options.file)
    try:
        result = scored(scorer, pairs, options.show)
    except EvaluationError as error:
        raise EvaluationError(f"{_name(options.file)}, {error}") from error
    print(json.dumps(result, ensure_ascii=False, indent=1))
    return 0


def _name(file: str) -> str:
    return "stdin" if file == "-" else file


def read(file: str) -> list[Pair]:
    """Raises EvaluationError, which names the file, and a pair by its index from 0."""
    name = _name(file)
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as failure:
        raise EvaluationError(f"{name}: {failure.strerror}") from failure
    try:
        entries = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        raise EvaluationError(f"{name}: expected JSON ({failure})") from failure
    if not isinstance(entries, list) or not entries:
        raise EvaluationError(f"{name}: expected a list of [reference, answer] that is not empty")
    return [_pair(name, index, entry) for index, entry in enumerate(entries)]


def _pair(name: str, index: int, entry: Any) -> Pair:
    try:
        reference, answer = msgspec.convert(entry, Pair)
    except msgspec.ValidationError as failure:
        raise EvaluationError(f"{name}, pair {index}: expected [reference, answer], two texts") from failure
    return reference, answer


def scored(scorer: Metric, pairs: list[Pair], shown: list[int]) -> dict[str, Any]:
    references, answers = [reference for reference, _ in pairs], [answer for _, answer in pairs]
    for index in shown:
        if not 0 <= index < len(pairs):
            raise EvaluationError(f"--show {index}: expected a pair from 0 to {len(pairs) - 1}")
    counts = scorer.count(references, answers)
    empty = _empty_references(scorer, counts)
    score = float(scorer.value(counts.sum(axis=0)))
    if math.isnan(score) or (isinstance(scorer, ErrorRate) and empty[:1] == [0]):
        # Upstream divides by the units so far, and ends here too. Later ones it counts as insertions.
        raise EvaluationError("pair 0: expected a reference with text, it is empty once normalised")
    result: dict[str, Any] = {
        "metric": scorer.name,
        "score": score,
        "higher_is_better": scorer.higher_is_better,
        "pairs": len(pairs),
        "counts": _named(scorer, counts.sum(axis=0)),
        "empty_references": empty,
        "signature": scorer.signature,
    }
    if shown:
        result["shown"] = [
            {
                "pair": index,
                "reference": scorer.as_compared(references[index]),
                "answer": scorer.as_compared(answers[index]),
                "counts": _named(scorer, counts[index]),
            }
            for index in shown
        ]
    return result


def _empty_references(scorer: Metric, counts: Counts) -> list[int]:
    sizes = [column for column, name in enumerate(scorer.statistics) if name.startswith("reference_")]
    return np.flatnonzero(counts[:, sizes[0]] == 0).tolist() if sizes else []


def _named(scorer: Metric, counts: Counts) -> dict[str, int]:
    return dict(zip(scorer.statistics, counts.tolist(), strict=True))
