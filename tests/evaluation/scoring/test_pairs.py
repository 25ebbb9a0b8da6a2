"""`parlour eval pairs`: one JSON object for a list of pairs, and one sentence for what is none."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluation.cli import main
from evaluation.scoring.metrics import metric
from tests.evaluation.scoring.fixtures import ACCURACIES, ERROR_RATES, TRANSLATIONS, fixture, texts


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pairs.json"


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("name", ERROR_RATES + TRANSLATIONS + ACCURACIES)
def test_a_fixture_has_its_score_its_counts_and_a_signature(
    name: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(json.dumps(list(zip(*texts(name), strict=True))))
    assert main(["pairs", name, str(file)]) == 0
    result = printed(capsys)
    assert result["score"] == fixture(name)["expected"]["score"]
    assert result["pairs"] == len(fixture(name)["pairs"])
    assert list(result["counts"]) == list(metric(name).statistics)
    assert result["signature"] == metric(name).signature


def test_pairs_are_read_from_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'[["two hundred", "200"]]')))
    assert main(["pairs", "wer_en", "-"]) == 0
    assert printed(capsys)["counts"] == {"edits": 0, "reference_units": 1}


def test_a_pair_is_shown_as_it_is_compared(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('[["a", "a"], ["Mr. O\'Hara paid $25", "mister"]]')
    assert main(["pairs", "wer_en", str(file), "--show", "1"]) == 0
    assert printed(capsys)["shown"] == [
        {
            "pair": 1,
            "reference": "mister 0 hara paid 25",
            "answer": "mister",
            "counts": {"edits": 4, "reference_units": 5},
        }
    ]


def test_later_empty_references_are_counted_and_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('[["yes", "yes"], ["um", "two words"], ["", ""]]')
    assert main(["pairs", "wer_en", str(file)]) == 0
    result = printed(capsys)
    assert (result["score"], result["empty_references"]) == (2.0, [1, 2])


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("wer_en", "[]", "expected a list of [reference, answer] that is not empty"),
        ("wer_en", '{"a": 1}', "expected a list of [reference, answer] that is not empty"),
        ("wer_en", "[[", "expected JSON"),
        ("wer_en", "\xff", "expected JSON"),
        ("wer_en", '[["a", "b"], ["a"]]', "pair 1: expected [reference, answer], two texts"),
        ("wer_en", '[["a", "b"], ["a", null]]', "pair 1: expected [reference, answer], two texts"),
        ("wer_en", '[["", "b"], ["a", "a"]]', "pair 0: expected a reference with text, it is empty"),
        ("bleu_to_en", '[["", "b"]]', "pair 0: expected a reference with text"),
        (
            "acc_meld",
            '[["joy", "joy"], ["glee", "joy"]]',
            "pair 1: expected a reference that is one of anger",
        ),
    ],
)
def test_bad_pairs_are_told_in_one_sentence_with_the_file_and_index(
    name: str, content: str, sentence: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(content.encode("latin-1"))
    assert main(["pairs", name, str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"parlour eval: {file}")
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["wer_en", "/nowhere.json"], "parlour eval: /nowhere.json: No such file or directory\n"),
        (["wer", "/nowhere.json"], "parlour eval: no metric is called 'wer'; there are "),
    ],
)
def test_a_missing_file_and_an_unknown_metric_are_named(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pairs", *arguments]) == 2
    assert capsys.readouterr().err.startswith(sentence)


def test_a_pair_that_is_not_there_cannot_be_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('[["a", "a"]]')
    assert main(["pairs", "wer_en", str(file), "--show", "1"]) == 2
    assert "--show 1: expected a pair from 0 to 0" in capsys.readouterr().err
