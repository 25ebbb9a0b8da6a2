"""Scores: 100,000 pairs, beside the upstream way, metric by metric.

    python -m tests.bench.bench_scoring [--pairs 100000] [--rounds 5] [--metric wer_en ...]

The upstream way: its normalisers called on one text after another, one distance after another (editdistance),
sacrebleu's corpus_bleu for translations; one process, as here. whisper-normalizer, zhconv and sacrebleu are
the packages themselves; of the Chinese rules every expression is run on every text, as upstream does. Both
ways score the same pairs in the same run, and their counts are compared. Ours scores them all in each round;
the upstream way a different share of them in each round (--share), from which the time of all is taken. Each
round begins with nothing remembered. Microseconds of the processor a pair: neither way waits for anything.
"""

import argparse
import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import editdistance
import numpy as np
import sacrebleu

from evaluation.scoring import chinese
from evaluation.scoring.accuracy import MELD
from evaluation.scoring.metrics import metric
from tests.bench import machine, report, sentences
from tests.bench.sentences import Pair
from tests.bench.stats import Percentiles
from tests.evaluation.scoring.plain import UNITS, tidied, words

Scored = Callable[[Sequence[str], Sequence[str]], list[float]]
"""The sums that upstream's figure is made of."""

CORPORA: dict[str, Callable[[int, int], list[Pair]]] = {
    "wer_en": sentences.english,
    "wer_fr": sentences.french,
    "cer_zh": sentences.chinese,
    "cer_yue": sentences.cantonese,
    "bleu_to_en": sentences.english,
    "bleu_to_de": sentences.french,
    "bleu_to_zh": sentences.chinese,
    "acc_meld": lambda n, seed: sentences.labels(n, seed, MELD),
}


_SPACES = {ord(mark): " " for mark in chinese.punctuation()}


def chinese_by_every_rule(text: str) -> list[str]:
    text = f"^{tidied(text, keeps_spaces=False)}$".replace("％", "%")
    for rule in (*chinese.rules(), chinese.LETTERS_TWO_LETTERS):
        text = rule.applied(text)
    text = text.lstrip("^").rstrip("$").translate(_SPACES)
    return list("".join(words(text)))


def upstream_way(name: str) -> Scored:
    units = chinese_by_every_rule if name == "cer_zh" else UNITS.get(name, str.split)

    def error_rate(references: Sequence[str], answers: Sequence[str]) -> list[float]:
        edits = n_units = 0
        for reference, answer in zip(references, answers, strict=True):
            expected, given = units(reference), units(answer)
            edits += editdistance.eval(expected, given)
            n_units += len(expected)
        return [edits, n_units]

    def bleu(references: Sequence[str], answers: Sequence[str]) -> list[float]:
        tokenise = "zh" if name == "bleu_to_zh" else "13a"
        score = sacrebleu.corpus_bleu(list(answers), [list(references)], tokenize=tokenise)
        return [score.sys_len, score.ref_len, *score.counts, *score.totals]

    def accuracy(references: Sequence[str], answers: Sequence[str]) -> list[float]:
        return [sum(one == answer.lstrip() for one, answer in zip(references, answers, strict=True))]

    return error_rate if name in UNITS else bleu if name.startswith("bleu") else accuracy


def bench_metric(name: str, n_pairs: int, n_rounds: int, share: float) -> dict[str, Any]:
    ours_us, upstream_us, ratios = [], [], []
    for round_number in range(n_rounds):
        pairs = CORPORA[name](n_pairs, round_number)
        references, answers = (list(texts) for texts in zip(*pairs, strict=True))
        n_shared = max(1, round(n_pairs * share))
        metric.cache_clear()
        one = metric(name)
        one.count(references[:1], answers[:1])  # tables are read
        gc.collect()
        began = time.process_time()
        counts = one.count(references, answers)
        ours_us.append((time.process_time() - began) / n_pairs * 1e6)
        began = time.process_time()
        sums = upstream_way(name)(references[:n_shared], answers[:n_shared])
        upstream_us.append((time.process_time() - began) / n_shared * 1e6)
        ratios.append(upstream_us[-1] / ours_us[-1])
        if not np.array_equal(counts[:n_shared, : len(sums)].sum(axis=0), sums):
            raise SystemExit(f"{name}: the two ways count differently")
    return {
        "metric": name,
        "pairs": n_pairs,
        "rounds": n_rounds,
        "ours_us": Percentiles.of(ours_us).shown(2),
        "upstream_us": Percentiles.of(upstream_us).shown(2),
        "ratio": Percentiles.of(ratios).shown(1),
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    columns = [
        "metric",
        *(f"{who} {p}" for who in ("ours", "upstream", "ratio") for p in ("p50", "p95", "p99")),
    ]
    rows = [
        [
            one["metric"],
            *(one[key][p] for key in ("ours_us", "upstream_us", "ratio") for p in ("p50", "p95", "p99")),
        ]
        for one in results
    ]
    return report.table("Scores: microseconds a pair, and how many times as fast", columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--share", type=float, default=0.05, help="of the pairs, scored the upstream way")
    parser.add_argument("--metric", nargs="+", choices=CORPORA, default=list(CORPORA))
    options = parser.parse_args()
    facts = machine.describe()
    print(facts, flush=True)
    results = [bench_metric(name, options.pairs, options.rounds, options.share) for name in options.metric]
    print(table(results))
    print(report.save("scoring", {"machine": facts, "results": results}))


if __name__ == "__main__":
    main()
