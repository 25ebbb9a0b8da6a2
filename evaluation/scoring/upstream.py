"""Result files of upstream's scripts, and the lines that upstream prints of them.

A file is a JSON list of {gt, response, source, audio_path}, named DATASET_TIME.json. Which metric scores it
follows from the data set, as in upstream; of a translation, from its source's target language.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from evaluation.errors import EvaluationError
from evaluation.scoring.metric import Metric
from evaluation.scoring.metrics import metric

_ERROR_RATES: Final = {
    "librispeech": "wer_en",
    "aishell2": "cer_zh",
    "cv15_en": "wer_en",
    "cv15_zh": "cer_zh",
    "cv15_yue": "cer_yue",
    "cv15_fr": "wer_fr",
    "fluers_zh": "cer_zh",  # spelt so
    "fleurs_zh": "cer_zh",
}
_ACCURACIES: Final = {"meld": "acc_meld", "vocalsound": "acc_vocalsound"}
_TRANSLATIONS: Final = "covost2"
DATASETS: Final = (*_ERROR_RATES, _TRANSLATIONS, *_ACCURACIES)


class Result(msgspec.Struct, frozen=True):
    """One line of a result file: reference, answer, the group it is scored with, and its clip."""

    gt: str
    response: str
    source: str
    audio_path: str = ""


def results(path: Path) -> list[Result]:
    """What a result file holds. Raises EvaluationError, which names the file and the entry by its index."""
    try:
        entries = msgspec.json.decode(path.read_bytes())
    except OSError as failure:
        raise EvaluationError(f"{path}: {failure.strerror}") from failure
    except msgspec.DecodeError as failure:
        raise EvaluationError(f"{path}: expected JSON ({failure})") from failure
    if not isinstance(entries, list):
        raise EvaluationError(f"{path}: expected a list of {{gt, response, source, audio_path}}")
    return [_result(path, index, entry) for index, entry in enumerate(entries)]


def _result(path: Path, index: int, entry: object) -> Result:
    try:
        return msgspec.convert(entry, Result)
    except msgspec.ValidationError as failure:
        raise EvaluationError(f"{path}, entry {index}: {failure}") from failure


def dataset_of(path: Path) -> str:
    """The data set by the file's name, as upstream names it: "librispeech_240819101500.json"."""
    name = re.sub(r"_\d+$", "", path.stem)
    if name not in DATASETS:
        raise EvaluationError(
            f"{path}: expected a file named after one of {', '.join(DATASETS)}, or its name"
        )
    return name


def metric_of(dataset: str, source: str) -> Metric:
    if dataset in _ERROR_RATES:
        return metric(_ERROR_RATES[dataset])
    if dataset in _ACCURACIES:
        return metric(_ACCURACIES[dataset])
    if dataset != _TRANSLATIONS:
        raise EvaluationError(f"no data set is called {dataset!r}; there are {', '.join(DATASETS)}")
    parts = source.split("_")  # covost_v2_en_zh_test
    if len(parts) < 2:
        raise EvaluationError(f"expected a source such as 'covost_v2_en_zh_test', got {source!r}")
    return metric(f"bleu_to_{parts[-2]}")


def lines(entries: Sequence[Result], dataset: str) -> list[str]:
    """What upstream prints, a line for each source, in the order in which they come first.

    Raises EvaluationError where upstream has no figure to print: without a unit in any reference.
    """
    by_source: dict[str, list[Result]] = {}
    for entry in entries:
        by_source.setdefault(entry.source, []).append(entry)
    return [_line(dataset, source, group) for source, group in by_source.items()]


def _line(dataset: str, source: str, group: Sequence[Result]) -> str:
    scorer = metric_of(dataset, source)
    try:
        counts = scorer.count([entry.gt for entry in group], [entry.response for entry in group])
    except EvaluationError as failure:
        raise EvaluationError(f"source {source}, {failure}") from failure
    value = float(scorer.value(counts.sum(axis=0)))
    if math.isnan(value):
        raise EvaluationError(f"source {source}: expected references with text, all are empty")
    if dataset in _ERROR_RATES:
        return f"source: {source}  cnt: {len(group)} wer: {value:.4f}"
    if dataset in _ACCURACIES:
        return f"{source} ACC_score: {value} {len(group)}"
    return f"source: {source}  cnt: {len(group)} bleu score: {value:.4f}"
