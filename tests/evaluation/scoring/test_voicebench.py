"""VoiceBench's files and figures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from evaluation.benchmarks import BENCHMARKS
from evaluation.datasets.find import samples
from evaluation.datasets.voicebench import answered, convert
from evaluation.errors import EvaluationError
from evaluation.scoring.metrics import metric, second_opinions
from evaluation.scoring.spoken.voicebench import METRICS, TASKS


def written(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def score(name: str, pairs: list[tuple[str, str]]) -> float:
    metric = METRICS[name]
    counts = metric.count([one for one, _ in pairs], [other for _, other in pairs])
    return float(metric.value(counts.sum(axis=0)))


def test_every_task_has_its_metrics_and_a_published_row() -> None:
    for task in TASKS.values():
        assert set(task.metrics) <= set(METRICS)
        assert 0 < task.qwen2_audio < 100


def test_every_task_is_a_benchmark_that_can_be_run() -> None:
    for task in TASKS.values():
        [part] = BENCHMARKS[f"voicebench_{task.name}"].parts
        assert (part.metric, part.n_clips) == (task.metrics[0], task.n_samples)
        assert second_opinions(part.metric) == task.metrics[1:]
        assert metric(part.metric).name == part.metric


def test_an_answer_without_a_choice_is_wrong_or_worth_a_guess() -> None:
    pairs = [("A", "The answer is A."), ("B", "C"), ("C", "no idea"), ("D", "")]
    assert score("acc_mcq", pairs) == 1 / 4
    assert score("acc_mcq_voicebench", pairs) == (1 + 2 / 4) / 4
    bbh = [("Yes", "yes"), ("(B)", "(A)"), ("no", "hm")]
    assert score("acc_bbh", bbh) == 1 / 3
    assert score("acc_bbh_voicebench", bbh) == (1 + 1 / 2) / 3


def test_counts_of_several_groups_give_several_figures() -> None:
    metric = METRICS["acc_mcq"]
    counts = metric.count(["A", "B"], ["A", "A"])
    assert metric.value(counts).tolist() == [1.0, 0.0]
    assert np.isnan(metric.value(np.zeros(3, np.int64)))
    assert metric.count([], []).shape == (0, len(metric.statistics))


def test_voicebench_answers_are_read_as_its_own_runs_write_them(tmp_path: Path) -> None:
    file = written(
        tmp_path / "qwen2-mmsu-law-audio.jsonl",
        {"prompt": "spoken", "reference": "B", "response": "The answer is B."},
        {"prompt": "spoken", "reference": "C", "response": ""},
    )
    assert answered(TASKS["mmsu"], file) == [("B", "The answer is B."), ("C", "")]


def test_of_a_runs_records_those_of_the_task_are_scored_and_a_failed_one_as_empty(tmp_path: Path) -> None:
    file = written(
        tmp_path / "records.jsonl",
        {"sample_id": "1", "benchmark": "voicebench_mmsu", "reference": "B", "answer": {"response": "B"}},
        {"sample_id": "2", "benchmark": "voicebench_mmsu", "reference": "A", "answer": None, "error": "429"},
        {"sample_id": "1", "benchmark": "librispeech", "reference": "words", "answer": {"response": "words"}},
    )
    assert answered(TASKS["mmsu"], file) == [("B", "B"), ("A", "")]


def test_a_sample_is_a_spoken_question_with_its_reference(tmp_path: Path) -> None:
    file = written(
        tmp_path / "samples.jsonl",
        {"audio": "one.wav", "prompt": "Do you return?", "reference": "Yes", "id": "navigate_12"},
    )
    [sample] = samples("voicebench_bbh", file)
    assert (sample.sample_id, sample.prompt) == ("voicebench_bbh/navigate_12", "")
    assert sample.details == {"spoken": "Do you return?", "split": "navigate"}
    assert (sample.audio, sample.reference) == (str(tmp_path / "one.wav"), "Yes")
    [own] = samples("voicebench_mmsu", written(tmp_path / "own.jsonl", {"audio": "a.wav", "text": "D"}))
    assert own.reference == "D"


def test_instructions_travel_in_the_reference(tmp_path: Path) -> None:
    row = {
        "audio": "a.wav",
        "key": 7,
        "instruction_id_list": ["punctuation:no_comma"],
        "kwargs": [{"n": None}],
    }
    [sample] = samples("voicebench_ifeval", written(tmp_path / "i.jsonl", row))
    assert sample.sample_id == "voicebench_ifeval/7"
    assert score("ifeval", [(sample.reference, "no such sign")]) == 1


@pytest.mark.parametrize(
    ("task", "row", "why"),
    [
        ("mmsu", {"reference": "A"}, "expected the clip's path"),
        ("mmsu", {"audio": "a.wav", "reference": "E"}, "a letter from A to D"),
        ("bbh", {"audio": "a.wav", "reference": "maybe"}, r"yes, no, \(A\) or \(B\)"),
        ("ifeval", {"audio": "a.wav", "instruction_id_list": ["x"]}, "'instruction_id_list' and 'kwargs'"),
        ("ifeval", {"audio": "a.wav", "instruction_id_list": ["x"], "kwargs": []}, "one entry of kwargs"),
        ("mmsu", ["no object"], "one JSON object"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, task: str, row: Any, why: str) -> None:
    file = written(
        tmp_path / "bad.jsonl", {"audio": "a.wav", "reference": "A"} if task == "mmsu" else row, row
    )
    with pytest.raises(EvaluationError, match=why) as told:
        samples(f"voicebench_{task}", file)
    assert "bad.jsonl:" in str(told.value)


def test_two_questions_with_one_id_are_told(tmp_path: Path) -> None:
    row = {"audio": "a.wav", "reference": "A", "id": "one"}
    with pytest.raises(EvaluationError, match="comes twice"):
        samples("voicebench_mmsu", written(tmp_path / "twice.jsonl", row, row))


def test_parquet_as_published_becomes_clips_and_lines(tmp_path: Path) -> None:
    clip = {"bytes": b"RIFF....", "path": "whatever.wav"}
    rows = [{"audio": clip, "prompt": "spoken", "reference": letter} for letter in "AB"]
    file = tmp_path / "law-00000-of-00001.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    assert convert(TASKS["mmsu"], file, tmp_path / "out") == 2
    found = samples("voicebench_mmsu", tmp_path / "out")
    assert [one.reference for one in found] == ["A", "B"]
    assert {one.details["split"] for one in found} == {"law"}
    assert [Path(one.audio).read_bytes() for one in found] == [b"RIFF....", b"RIFF...."]


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(EvaluationError, match="cannot be read as Parquet"):
        convert(TASKS["mmsu"], tmp_path / "x.parquet", tmp_path / "out")
