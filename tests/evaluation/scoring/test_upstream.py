"""Result files as upstream writes them give the lines that upstream prints."""

import json
from pathlib import Path

import msgspec
import pytest

from evaluation.errors import EvaluationError
from evaluation.scoring.upstream import Result, dataset_of, lines, metric_of, results
from tests.evaluation.scoring.fixtures import RECORDED, fixture


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_run_gives_upstreams_lines(name: str, tmp_path: Path) -> None:
    recorded = fixture(name)
    file = tmp_path / f"{recorded['dataset']}_240819101500.json"
    file.write_text(json.dumps(recorded["results"]))
    assert lines(results(file), dataset_of(file)) == recorded["expected_lines"]


def test_labels_are_printed_as_upstream_prints_them() -> None:
    entries = [
        Result("joy", " joy", "meld_test"),
        Result("joy", "Joy", "meld_test"),
        Result("fear", "fear", "other"),
    ]
    assert lines(entries, "meld") == ["meld_test ACC_score: 0.5 2", "other ACC_score: 1.0 1"]


@pytest.mark.parametrize(
    ("dataset", "source", "name"),
    [
        ("cv15_yue", "x", "cer_yue"),
        ("fluers_zh", "x", "cer_zh"),
        ("covost2", "covost_en_zh_test", "bleu_to_zh"),
        ("covost2", "covost_v2_de_en_test", "bleu_to_en"),
        ("vocalsound", "x", "acc_vocalsound"),
    ],
)
def test_the_data_set_and_source_choose_the_metric(dataset: str, source: str, name: str) -> None:
    assert metric_of(dataset, source).name == name


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}", "expected a list of {gt, response, source, audio_path}"),
        ("[", "expected JSON"),
        (
            '[{"gt": "a", "response": "b", "source": "c"}, {"gt": "a"}]',
            "entry 1: Object missing required field `response`",
        ),
        ('[{"gt": 1, "response": "b", "source": "c"}]', "entry 0: Expected `str`, got `int` - at `$.gt`"),
    ],
)
def test_a_bad_file_is_named_with_its_entry(content: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "librispeech_1.json"
    file.write_text(content)
    with pytest.raises(EvaluationError) as raised:
        results(file)
    assert str(file) in str(raised.value)
    assert sentence in str(raised.value)


def test_a_missing_file_and_an_unknown_data_set_are_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="No such file"):
        results(tmp_path / "none.json")
    with pytest.raises(EvaluationError, match="expected a file named after one of librispeech, "):
        dataset_of(tmp_path / "mine.json")
    with pytest.raises(EvaluationError, match="no data set is called 'mine'"):
        metric_of("mine", "x")
    with pytest.raises(EvaluationError, match="expected a source such as"):
        metric_of("covost2", "german")


def test_a_source_without_a_word_to_compare_is_named() -> None:
    with pytest.raises(
        EvaluationError, match=r"^source silent: expected references with text, all are empty$"
    ):
        lines([Result("", "a", "silent")], "librispeech")
    with pytest.raises(EvaluationError, match=r"^source odd, pair 0: expected a reference that is one of"):
        lines([Result("glee", "joy", "odd")], "meld")


def test_results_survive_what_upstream_adds() -> None:
    entry = {"gt": "a", "response": "b", "source": "c", "audio_path": "d", "extra": 1}
    assert msgspec.convert(entry, Result) == Result("a", "b", "c", "d")
