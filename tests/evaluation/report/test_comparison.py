"""Two runs are compared on what both answered."""

from pathlib import Path

import msgspec
import pytest

from evaluation.errors import EvaluationError
from evaluation.record import Record
from evaluation.report.comparison import compare, rescored
from evaluation.report.model import SourceComparison, stored_report, to_json
from evaluation.report.recorded import Run
from evaluation.report.scores import scores_of
from tests.evaluation.report.fakes import Right, WordErrors, knows, record


def run(*records: Record, **manifest: object) -> Run:
    return Run(name="run", records=records, manifest=manifest)


def compared(a: Run, b: Run) -> SourceComparison:
    (source,) = compare(a, b, knows(WordErrors())).sources
    return source


def test_only_common_samples_count() -> None:
    a = run(record("1", "one two", "one two"), record("2", "x", "y"))
    b = run(record("3", "z", "q"), record("1", "one two", "one six"))
    found = compared(a, b)
    assert (found.n_common, found.n_only_a, found.n_only_b) == (1, 1, 1)
    assert (found.value_a, found.value_b, found.difference) == (0, 50, 50)


def test_wins_losses_and_the_worst_regression() -> None:
    a = run(
        record("1", "a b", "a b"), record("2", "a b", "x y"), record("3", "a b", "a b"), record("4", "q", "q")
    )
    b = run(
        record("1", "a b", "x y"), record("2", "a b", "a b"), record("3", "a b", "a x"), record("4", "q", "q")
    )
    found = compared(a, b)
    assert (found.wins, found.losses, found.ties) == (1, 2, 1)
    assert [changed.sample_id for changed in found.regressions] == ["1", "3"]
    assert found.regressions[0].change == pytest.approx(100 * 2 / 7)


def test_where_higher_is_better_a_win_is_a_higher_figure() -> None:
    a, b = run(record("1", "joy", "fear")), run(record("1", "joy", "joy"))
    (source,) = compare(a, b, knows(Right())).sources
    assert (source.wins, source.losses, source.difference) == (1, 0, 1)


def test_a_run_against_itself_is_all_ties() -> None:
    a = run(*(record(f"{at}", "a b", "a c") for at in range(20)))
    found = compared(a, a)
    assert (found.ties, found.difference, found.is_shown, found.warnings) == (20, 0, False, ())


def test_the_loss_in_seconds_is_paired() -> None:
    """Clips take 1 to 30 s and the live wire adds 0.4 to each: the difference is sure, medians are not."""
    a = run(*(record(f"{at}", "a", "a", total_s=at + 1) for at in range(30)))
    b = run(*(record(f"{at}", "a", "a", total_s=at + 1.4, endpoint_delay_ms=600) for at in range(30)))
    found = compared(a, b)
    (time,) = found.times
    assert (time.name, time.median) == ("total_s", pytest.approx(0.4))
    assert (time.interval.low, time.interval.high) == (pytest.approx(0.4), pytest.approx(0.4))
    assert [measure.name for measure in found.measures_only_b] == ["endpoint_delay_ms"]


def test_a_difference_that_the_sample_cannot_show_is_called_so() -> None:
    a = run(*(record(f"{at}", "a b", "a b" if at % 2 else "a c") for at in range(20)))
    b = run(*(record(f"{at}", "a b", "a b" if at % 3 else "a c") for at in range(20)))
    assert any("cannot show a difference" in warning for warning in compared(a, b).warnings)


def test_data_that_differ_are_refused_and_what_else_differs_is_told() -> None:
    with pytest.raises(EvaluationError, match=r"talk_test, 1: the two runs expect different answers"):
        compared(run(record("1", "a", "a")), run(record("1", "b", "a")))
    with pytest.raises(EvaluationError, match="no sample in common"):
        compared(run(record("1", "a", "a")), run(record("2", "a", "a")))
    other = msgspec.structs.replace(record("1", "a", None, prompt="q"), audio_sha256="f")
    told = compared(run(msgspec.structs.replace(other, prompt="p", audio_sha256="e")), run(other)).warnings
    assert ["audio" in told[0], "prompt" in told[1], "empty" in told[2]] == [True, True, True]


def test_a_figure_that_was_made_in_another_way_is_told(tmp_path: Path) -> None:
    a = run(record("1", "a", "a"))
    comparison = compare(a, a, knows(WordErrors()))
    stored = scores_of(a, knows(WordErrors()), made_at="")
    assert rescored(stored, comparison) == []
    (scores,) = stored.sources
    figures = tuple(msgspec.structs.replace(one, signature="older rules") for one in scores.figures)
    older = msgspec.structs.replace(stored, sources=(msgspec.structs.replace(scores, figures=figures),))
    (tmp_path / "scores.json").write_bytes(to_json(older))
    read = stored_report(tmp_path / "scores.json")
    assert read is not None
    (told,) = rescored(read, comparison)
    assert "older rules" in told
    assert WordErrors.signature in told
    (tmp_path / "scores.json").write_text('{"run": "of another kind"}')
    assert stored_report(tmp_path / "scores.json") is None


def test_settings_that_differ_are_listed_by_their_full_name() -> None:
    a = run(record("1", "a", "a"), route={"batch_size": 8, "greedy": True}, seed=0)
    b = run(record("1", "a", "a"), route={"batch_size": 20, "greedy": True})
    found = compare(a, b, knows(WordErrors()))
    assert found.settings == (("route.batch_size", "8", "20"), ("seed", "0", "–"))
