"""Figures stand for all samples or say that they do not."""

from pathlib import Path

import msgspec
import pytest

from evaluation.errors import EvaluationError
from evaluation.record import Record
from evaluation.report.model import Figure, Interval, Published, Report, to_json
from evaluation.report.recorded import Run, is_result_file, read_results
from evaluation.report.scores import scores_of, verdict
from evaluation.report.thresholds import missed, parse
from tests.evaluation.report.fakes import Right, WordErrors, knows, record


def scored(*records: Record, **facts: object) -> Report:
    run = Run(name="run", records=records)
    return scores_of(run, knows(WordErrors(), **facts), made_at="2026-01-01T00:00:00+00:00")  # type: ignore[arg-type]


def test_a_figure_is_a_micro_average_in_percent() -> None:
    (scores,) = scored(record("a", "one two three", "one two four"), record("b", "yes", "yes")).sources
    assert scores.figures[0].value == pytest.approx(25.0)
    assert scores.figures[0].counts == {"edits": 1, "reference_units": 4}
    assert scores.is_headline


def test_failed_samples_stay_in_the_denominator_and_take_the_headline_away() -> None:
    answered, failed = record("a", "one two", "one two"), record("b", "six seven", None, error="503")
    (scores,) = scored(answered, failed).sources
    assert (scores.n, scores.n_answered, scores.n_failed, scores.n_missing) == (2, 1, 1, 0)
    assert scores.figures[0].value == pytest.approx(50.0)
    assert scores.figures[0].answered_value == 0
    assert not scores.is_headline
    assert scores.verdict is None


def test_samples_that_were_not_asked_are_missing_and_not_failed() -> None:
    not_asked = msgspec.structs.replace(record("b", "six", None, error="not asked"), key="")
    (scores,) = scored(record("a", "one", "one"), not_asked).sources
    assert (scores.n_failed, scores.n_missing) == (0, 1)
    assert not scores.is_headline
    assert [category.name for category in scores.failures.categories] == []


def test_a_part_of_a_set_has_no_headline_figure() -> None:
    (scores,) = scored(record("a", "one", "one"), n_in_set=2620).sources
    assert not scores.is_headline
    assert any("1 of the 2,620" in warning for warning in scores.warnings)


def test_a_run_without_any_answer_is_scored_all_the_same() -> None:
    (scores,) = scored(*(record(f"{at}", "one two", None, error="503") for at in range(3))).sources
    assert scores.figures[0].value == 100
    assert scores.figures[0].answered_value is None


def test_cut_clips_are_counted() -> None:
    (scores,) = scored(
        record("a", "x", "x", audio_s=40, heard_s=30), record("b", "x", "x", heard_s=4)
    ).sources
    assert scores.n_cut == 1


def test_speakers_are_drawn_where_they_are_known() -> None:
    def method(n_speakers: int) -> str:
        records = [record(f"{at}", "a b", "a c", speaker=f"s{at % n_speakers}") for at in range(60)]
        return scored(*records).sources[0].figures[0].intervals[0].method

    assert method(12) == "bootstrap over 12 speakers"
    assert method(3) == "bootstrap over 60 utterances"


def test_an_accuracy_has_wilson_s_interval_and_is_a_fraction() -> None:
    run = Run(
        name="run", records=tuple(record(f"{at}", "joy", "joy" if at < 11 else "fear") for at in range(24))
    )
    (scores,) = scores_of(run, knows(Right()), made_at="").sources
    (interval,) = scores.figures[0].intervals
    assert scores.figures[0].value == pytest.approx(11 / 24)
    assert (interval.low, interval.high, interval.method) == (
        pytest.approx(0.2789, abs=1e-4),
        pytest.approx(0.6493, abs=1e-4),
        "Wilson",
    )


@pytest.mark.parametrize(
    ("low", "high", "higher_is_better", "expected"),
    [
        (1.6, 1.8, False, "same within noise"),
        (1.75, 1.9, False, "same within noise"),  # 1.7 was printed for anything from 1.65 to 1.75
        (1.4, 1.65, False, "same within noise"),
        (1.76, 1.9, False, "worse than published"),
        (1.4, 1.64, False, "better than published"),
        (1.76, 1.9, True, "better than published"),
    ],
)
def test_the_verdict_allows_for_the_rounding_of_what_was_printed(
    low: float, high: float, higher_is_better: bool, expected: str
) -> None:
    figure = Figure(
        metric="wer_en",
        signature="",
        unit="percent",
        higher_is_better=higher_is_better,
        value=(low + high) / 2,
        intervals=(Interval(low=low, high=high, method=""),),
    )
    assert verdict(figure, Published(system="Qwen2-Audio", value=1.7, last_digit=0.1)) == expected


def test_measures_and_lengths_have_their_tables() -> None:
    records = [record(f"{at}", "a", "a", audio_s=at + 0.5, total_s=at / 100, stop_ms=at) for at in range(40)]
    (scores,) = scored(*records).sources
    by_name = {measure.name: measure for measure in scores.measures}
    assert (by_name["stop_ms"].unit, by_name["stop_ms"].p50) == ("ms", pytest.approx(19.5))
    assert by_name["total_s"].p99 == pytest.approx(0.3861)
    assert [(one.from_s, one.n) for one in scores.durations] == [
        (0, 2), (2, 3), (5, 5), (10, 5), (15, 5), (20, 10), (30, 10)
    ]  # fmt: skip


def test_the_json_has_a_version_and_reads_back() -> None:
    report = scored(record("a", "", "x"))  # no unit at all: the figure is not defined
    read = msgspec.json.decode(to_json(report), type=Report)
    assert (read.format, read.version) == ("parlour-scores", 1)
    assert read.sources[0].figures[0].value is None
    assert read == report


# Thresholds -----------------------------------------------------------------------------


def conditions_missed(*texts: str) -> list[bool]:
    report = scored(record("a", "one two", "one", total_s=2.0), record("b", "x", None))
    return [bool(missed(report, [parse(text)])) for text in texts]


def test_thresholds_hold_figures_counts_and_times() -> None:
    assert conditions_missed("talk_test.wer_fake > 66", "talk_test.wer_fake > 67") == [True, False]
    assert conditions_missed("talk_test.wer_fake>=66.6 %", "talk_test.wer_fake <= 66.6") == [True, False]
    assert conditions_missed("talk_test.n_failed > 0", "talk_test.total_s.p95 < 2") == [True, False]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("talk_test.wer_fake = 2", "expected SOURCE.METRIC"),
        ("wer_fake > 2", "expected SOURCE.METRIC"),
        ("talk_test.wer_fake > two", "expected SOURCE.METRIC"),
        ("other_test.wer_fake > 2", "no such source; this run has talk_test"),
        ("talk_test.cer_zh > 2", "talk_test has no cer_zh; it has wer_fake"),
    ],
)
def test_a_threshold_on_nothing_is_refused(text: str, told: str) -> None:
    with pytest.raises(EvaluationError, match=told):
        conditions_missed(text)


def test_a_figure_that_is_not_defined_keeps_no_threshold() -> None:
    assert missed(scored(record("a", "", "x")), [parse("talk_test.wer_fake > 5")])


# Upstream's files -----------------------------------------------------------------------


def test_upstream_s_results_are_records(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(
        '[{"gt": "a", "response": "b", "source": "s", "audio_path": "x.wav"},'
        ' {"gt": "c", "response": "", "source": "s", "audio_path": "x.wav"}]'
    )
    assert is_result_file(path)
    one, other = read_results(path)
    assert (one.sample_id, one.reference, one.response) == ("x.wav", "a", "b")
    assert other.sample_id == "x.wav#2", "two lines of one clip are two samples"


def test_what_is_no_result_file_names_the_element(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text('[{"gt": "a", "response": "b", "source": "s"}, {"gt": "a"}]')
    with pytest.raises(EvaluationError, match=r"results\.json: expected a list .*\[1\]"):
        read_results(path)
    with pytest.raises(EvaluationError, match="is missing"):
        read_results(tmp_path / "none.json")
