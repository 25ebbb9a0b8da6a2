"""What a person sees of a run, with a clock that the test moves."""

import io
import math
import random

import numpy as np
import pytest

from evaluation.record import Answer, Record
from evaluation.run.progress import Progress, shown_s
from evaluation.run.running_score import RunningScore
from tests.evaluation.run.few_samples import Right


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _record(number: int, is_right: bool = True, failed: bool = False) -> Record:
    reference = "secret words"
    return Record(
        key="",
        sample_id=str(number),
        benchmark="few",
        source="few_test",
        audio="",
        audio_sha256="",
        audio_s=1.0,
        prompt="",
        reference=reference,
        answer=None if failed else Answer(response=reference if is_right else "other words"),
        error="it failed" if failed else "",
    )


def test_how_far_how_fast_how_long_what_failed_and_the_score() -> None:
    clock, out = _Clock(), io.StringIO()
    progress = Progress({"few": 200}, lambda *_: Right(), out, clock, in_flight=lambda: 7)
    for number in range(100):
        clock.now += 0.5
        progress.came(_record(number, is_right=number % 4 > 0, failed=number == 99))
    assert progress.line() == (
        "few 100/200 · 2/s · 0:50 left · 7 in flight · 1 failed · right 0.74 ± "
        + f"{RunningScoreOf(100).half:.2g}"
    )


class RunningScoreOf:
    def __init__(self, n: int) -> None:
        score = RunningScore(Right())
        for number in range(n):
            score.add(_record(number, is_right=number % 4 > 0, failed=number == 99))
        self.half = score.half_width()


def test_what_an_earlier_process_answered_counts_and_does_not_speed_the_clock() -> None:
    clock = _Clock()
    progress = Progress({"few": 110}, None, io.StringIO(), clock)
    for number in range(100):
        progress.kept(_record(number))
    clock.now = 10.0
    for number in range(5):
        progress.came(_record(number))
    assert "105/110 · 0.5/s · 0:10 left" in progress.line()


def test_a_log_gets_a_line_now_and_then_and_a_terminal_one_line() -> None:
    for out, n_lines in ((io.StringIO(), 4), (_Terminal(), 0)):
        clock = _Clock()
        progress = Progress({"few": 1_000}, None, out, clock)
        for number in range(130):
            clock.now += 1.0
            progress.came(_record(number))
        assert out.getvalue().count("\n") == n_lines
        assert ("\r" in out.getvalue()) == out.isatty()


def test_no_words_of_anybody_are_shown() -> None:
    clock, out = _Clock(), io.StringIO()
    progress = Progress({"few": 10}, lambda *_: Right(), out, clock)
    for number in range(10):
        clock.now += 60
        progress.came(_record(number))
    progress.end()
    assert "words" not in out.getvalue()


@pytest.mark.parametrize(("seconds", "shown"), [(7, "0:07"), (123, "2:03"), (3_723, "1:02:03")])
def test_times_are_shown_as_clocks_show_them(seconds: float, shown: str) -> None:
    assert shown_s(seconds) == shown


def test_the_running_interval_is_as_wide_as_the_binomial_one() -> None:
    drawn = random.Random(3)
    score = RunningScore(Right())
    for number in range(4_000):
        score.add(_record(number, is_right=drawn.random() < 0.8))
    expected = 1.96 * math.sqrt(0.8 * 0.2 / 4_000)
    assert score.half_width() == pytest.approx(expected, rel=0.25)  # 40 groups: ± 11 % of themselves


def test_a_score_of_few_answers_has_no_interval_and_of_none_no_value() -> None:
    score = RunningScore(Right())
    assert str(score) == "right -"
    score.add(_record(0))
    assert str(score) == "right 1"
    assert np.isnan(score.half_width())
