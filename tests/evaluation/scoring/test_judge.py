"""AIR-Bench's judge: what its replies say, and the table that they make."""

import math
import random

import pytest

from evaluation.errors import EvaluationError
from evaluation.scoring.judge import GROUPS, JudgeScore, Verdict, parsed, table
from tests.evaluation.scoring.fixtures import fixture

_FIXTURE = fixture("judge_airbench")
_VERDICTS = [
    Verdict(
        task=pair["task"],
        reply_reference_first=pair["reply_reference_first"],
        reply_model_first=pair["reply_model_first"],
    )
    for pair in _FIXTURE["pairs"]
]


@pytest.mark.parametrize("pair", _FIXTURE["pairs"], ids=lambda pair: pair["id"])
def test_a_reply_is_read_as_upstream_reads_it(pair: dict[str, object]) -> None:
    for order in ("reference_first", "model_first"):
        numbers = parsed(str(pair[f"reply_{order}"]))
        assert (list(numbers) if numbers else None) == pair[f"parsed_{order}"]


def test_the_table_is_upstreams() -> None:
    made, expected = table(_VERDICTS), _FIXTURE["expected"]
    for group in GROUPS:
        orders = made.groups[group].reference_first, made.groups[group].model_first
        for run, order in zip(("run1", "run2"), orders, strict=True):
            first, second = order.reference_mean, order.model_mean
            if run == "run2":
                first, second = second, first
            theirs = expected[run][group]
            assert (order.n, order.win_rate) == (theirs["n"], theirs["win_rate"])
            assert (first, second) == (theirs["first"], theirs["second"])
        assert made.groups[group].score == expected["groups"][group]
    assert made.final == expected["final"]


def test_refused_replies_are_counted_and_never_dropped() -> None:
    made = table(_VERDICTS)
    expected = _FIXTURE["expected"]
    first, second = (
        [order(group) for group in made.groups.values()]
        for order in (lambda group: group.reference_first, lambda group: group.model_first)
    )
    assert sum(order.n_refused for order in first) == expected["refused_run1"]
    assert sum(order.n_refused for order in second) == expected["refused_run2"]
    assert made.n_refused == expected["refused_run1"] + expected["refused_run2"]
    assert sum(order.n + order.n_refused for order in first + second) == 2 * len(_VERDICTS)


def test_a_reply_that_never_came_is_refused() -> None:
    silent = Verdict(task="music_QA", reply_reference_first=None, reply_model_first="5 5")
    assert table([silent]).groups["music"].reference_first.n_refused == 1


def test_a_group_without_replies_has_no_score_and_lets_none_be_made_of_it() -> None:
    made = table([Verdict(task="speech_and_sound_QA", reply_reference_first="8 6", reply_model_first="7 8")])
    assert made.groups["speech_and_sound"].score == 6.5
    assert math.isnan(made.final["mixed"])
    assert math.isnan(made.final["speech"])


def test_an_unknown_task_is_named_by_its_sample() -> None:
    with pytest.raises(EvaluationError, match=r"^sample 24: expected a task of speech_QA, .* got 'talk'$"):
        table([*_VERDICTS, Verdict(task="talk", reply_reference_first="1 1", reply_model_first="1 1")])


def test_sums_of_verdicts_give_the_scores_of_their_groups() -> None:
    scorer, made = JudgeScore(), table(_VERDICTS)
    for group, tasks in GROUPS.items():
        counts = scorer.count([verdict for verdict in _VERDICTS if verdict.task in tasks])
        assert float(scorer.value(counts.sum(axis=0))) == made.groups[group].score


def test_two_hundred_random_replies_are_those_of_a_plain_count() -> None:
    draw = random.Random(13)
    parts = ("8", "10", "0", "-1", "11", "7.5", "", "x", "\n", "1_0", "９")
    for _ in range(200):
        between = draw.choice((" ", "  ", "\t", "\n", " \n"))
        reply = draw.choice(("", " ", "\n")) + between.join(draw.choices(parts, k=draw.randint(0, 3)))
        numbers = []
        for part in "".join(reply.strip().split("\n")).split(" "):
            try:
                numbers.append(int(part))
            except ValueError:
                numbers.append(99)
        is_read = len(numbers) == 2 and max(numbers) <= 10
        assert parsed(reply) == (tuple(numbers) if is_read else None), reply
