"""What went wrong, so that it can be listened to: the costliest samples, and the ways to fail."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np

from evaluation.report.alignment import exchanges
from evaluation.report.counted import Counted
from evaluation.report.model import Category, Exchange, Failures
from evaluation.report.recorded import was_not_asked
from evaluation.report.units import unit_of

N_WORST = 20
N_EXAMPLES = 10
LOOP_RATIO = 2
_REFUSALS = (
    "i'm sorry", "i am sorry", "sorry, but", "i cannot", "i can't", "i am unable", "i'm unable", "as an ai",
    "as a language model", "i don't have the ability", "je suis désolé", "je ne peux pas", "en tant qu'ia",
    "es tut mir leid", "ich kann nicht", "lo siento", "no puedo", "mi dispiace", "non posso",
    "抱歉", "对不起", "對不起", "我无法", "我無法", "我不能", "作为一个", "作為一個",
)  # fmt: skip
"""How models decline, in the languages of the tables. A reference that says the same is no refusal."""


def failures_of(counted: Counted, labels: frozenset[str]) -> Failures:
    """labels: the closed set of right answers of an accuracy; empty: what the references hold."""
    costs = counted.costs()
    worst = [int(at) for at in np.argsort(-costs, kind="stable")[:N_WORST] if costs[at] > 0]
    is_accuracy = unit_of(counted.metric.name) == "fraction"
    return Failures(
        worst=tuple(counted.example(at, float(costs[at])) for at in worst),
        categories=tuple(_categories(counted, costs.tolist(), labels, is_accuracy)),
        exchanges=_confusions(counted) if is_accuracy else exchanges(_texts(counted)),
    )


def _texts(counted: Counted) -> Iterable[tuple[str, str]]:
    """Of what was answered; without those that have no error, where the first count is of errors."""
    counts_errors = unit_of(counted.metric.name) == "percent"
    for record, counts in zip(counted.records, counted.counts, strict=True):
        if record.answer is not None and not (counts_errors and counts[0] == 0):
            yield counted.metric.as_compared(record.reference), counted.metric.as_compared(record.response)


def _confusions(counted: Counted) -> tuple[Exchange, ...]:
    """Whole answers that were taken for others: a label is one unit."""
    found = Counter(
        (record.reference, record.response.strip())
        for record in counted.records
        if record.answer is not None and record.reference != record.response.lstrip()
    )
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:20]
    return tuple(Exchange(expected=expected, got=got, n=n) for (expected, got), n in ranked)


def _categories(
    counted: Counted, costs: list[float], labels: frozenset[str], is_accuracy: bool
) -> Iterable[Category]:
    records = counted.records
    known = labels or frozenset(record.reference for record in records)
    answers = [record.answer is not None for record in records]

    def category(name: str, meaning: str, fails: Callable[[int], bool]) -> Iterable[Category]:
        found = [at for at in range(len(records)) if fails(at)]
        found.sort(key=lambda at: -costs[at])
        if found:
            examples = tuple(counted.example(at, costs[at]) for at in found[:N_EXAMPLES])
            yield Category(name=name, meaning=meaning, n=len(found), examples=examples)

    yield from category(
        "failed",
        "no answer came; scored as empty",
        lambda at: not answers[at] and not was_not_asked(records[at]),
    )
    yield from category(
        "empty", "the answer holds nothing", lambda at: answers[at] and not records[at].response.strip()
    )
    yield from category(
        "refusals",
        "the answer declines, in words that the reference does not have",
        lambda at: is_refusal(records[at].reference, records[at].response),
    )
    yield from category(
        "wrong script",
        "most letters of the answer are of a script that the reference does not use",
        lambda at: is_wrong_script(records[at].reference, records[at].response),
    )
    if is_accuracy:
        yield from category(
            "outside the labels",
            "the answer is none of the " + f"{len(known)} labels, as upstream compares",
            lambda at: (
                answers[at]
                and bool(records[at].response.strip())
                and records[at].response.lstrip() not in known
            ),
        )
    else:
        yield from category(
            "loops",
            f"the answer is more than {LOOP_RATIO} times as long as the reference, as compared",
            lambda at: answers[at] and _is_loop(counted, at),
        )
    yield from category(
        "ended early",
        "the answer reached its limit of tokens",
        lambda at: (answer := records[at].answer) is not None and answer.finish_reason == "length",
    )


def _is_loop(counted: Counted, at: int) -> bool:
    record = counted.records[at]
    if len(record.response) <= len(record.reference):
        return False  # normalisers lengthen hardly; most answers need no second pass
    expected = len(counted.metric.as_compared(record.reference).split())
    return len(counted.metric.as_compared(record.response).split()) > LOOP_RATIO * max(1, expected)


def is_refusal(reference: str, response: str) -> bool:
    said, expected = (text.casefold().replace("’", "'") for text in (response, reference))
    return any(phrase in said and phrase not in expected for phrase in _REFUSALS)


def is_wrong_script(reference: str, response: str) -> bool:
    """A text without letters has no script, and is not wrong."""
    expected, got = _scripts(reference), _scripts(response)
    if not expected or not got:
        return False
    script, n = got.most_common(1)[0]
    return script not in expected and n * 2 > got.total()


def _scripts(text: str) -> Counter[str]:
    return Counter(script for script in map(_script, text) if script)


@lru_cache(maxsize=8_192)
def _script(letter: str) -> str:
    """The first word of a letter's name in Unicode ("LATIN", "CJK", "CYRILLIC"); "" for what is no letter.

    Kana and ideographs are one: Japanese mixes them.
    """
    if not unicodedata.category(letter).startswith("L"):
        return ""
    name = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
    return {"HIRAGANA": "CJK", "KATAKANA": "CJK", "FULLWIDTH": "LATIN", "KANGXI": "CJK"}.get(name, name)
