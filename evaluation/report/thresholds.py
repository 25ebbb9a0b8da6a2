"""`--fail-if "librispeech_test_clean.wer_en > 2.0"`: figures that a build must keep."""

import operator
import re
from collections.abc import Callable, Sequence

import msgspec

from evaluation.errors import EvaluationError
from evaluation.report.model import Percentiles, Report, SourceScores

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_FORM = re.compile(r"\s*(?P<what>\S+)\s*?(?P<sign>>=|<=|>|<)\s*(?P<limit>[-+]?\d+(?:\.\d+)?)\s*%?\s*")
_COUNTS = ("n", "n_answered", "n_failed", "n_missing", "n_cut")
EXPECTED = (
    "expected SOURCE.METRIC, SOURCE.MEASURE.p50 (p95, p99) or SOURCE.n_failed (n_missing, n_cut), "
    "then > >= < or <=, "
    'and a number, as in "librispeech_test_clean.wer_en > 2.0"'
)


class Threshold(msgspec.Struct, frozen=True):
    """source, quantity: "librispeech_test_clean", "wer_en"; in the units of the report."""

    text: str
    what: str
    sign: str
    limit: float

    def is_met_by(self, value: float) -> bool:
        """Whether the condition to fail holds."""
        return _COMPARISONS[self.sign](value, self.limit)


def parse(text: str) -> Threshold:
    found = _FORM.fullmatch(text)
    if found is None or "." not in found["what"]:
        raise EvaluationError(f'--fail-if "{text}": {EXPECTED}')
    return Threshold(text.strip(), found["what"], found["sign"], float(found["limit"]))


def missed(report: Report, thresholds: Sequence[Threshold]) -> list[str]:
    """One sentence for each threshold whose condition to fail holds, or whose figure is not defined.

    Raises EvaluationError for one that names what the report does not have.
    """
    told = []
    for threshold in thresholds:
        value = _quantity(report, threshold)
        if value is None:
            told.append(f"{threshold.text}: there is no figure")
        elif threshold.is_met_by(value):
            told.append(f"{threshold.text}: it is {value:.6g}")
    return told


def _quantity(report: Report, threshold: Threshold) -> float | None:
    named = [scores for scores in report.sources if threshold.what.startswith(scores.source + ".")]
    if not named:
        known = ", ".join(scores.source for scores in report.sources)
        raise EvaluationError(f'--fail-if "{threshold.text}": no such source; this run has {known}')
    scores = max(named, key=lambda one: len(one.source))
    quantity = threshold.what[len(scores.source) + 1 :]
    found = _named(scores, quantity)
    if quantity not in found:
        raise EvaluationError(
            f'--fail-if "{threshold.text}": {scores.source} has no {quantity}; it has {", ".join(found)}'
        )
    return found[quantity]


def _named(scores: SourceScores, quantity: str) -> dict[str, float | None]:
    found: dict[str, float | None] = {figure.metric: figure.value for figure in scores.figures}
    found |= {name: float(getattr(scores, name)) for name in _COUNTS}
    for measure in scores.measures:
        found |= {f"{measure.name}.{name}": _value(measure, name) for name in ("p50", "p95", "p99")}
    return found


def _value(measure: Percentiles, name: str) -> float:
    return {"p50": measure.p50, "p95": measure.p95, "p99": measure.p99}[name]
