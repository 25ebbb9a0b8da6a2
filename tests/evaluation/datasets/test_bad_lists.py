"""What is wrong with a list is told by file and line, and the rest of it is read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation.datasets.find import reading, samples
from evaluation.datasets.problems import Kind
from evaluation.errors import EvaluationError
from tests.evaluation.datasets import trees

GOOD = '{"audio": "a.wav", "source": "cv15_en", "gt": "one"}'
NEXT = '{"audio": "b.wav", "source": "cv15_en", "gt": "two"}'


def lines(folder: Path, *content: str | bytes) -> Path:
    return trees.put(
        folder / "cv15_asr_en_eval.jsonl",
        b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in content),
    )


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ('{"source": "cv15_en", "gt": "x"}', "it lacks the field `audio`"),
        ('{"audio": "x.wav", "source": "cv15_en"}', "it lacks the field `gt`"),
        ('{"audio": 3, "gt": "x"}', "Expected `str`, got `int` - at `$.audio`"),
        ('{"audio": "x.wav", "so', "Input data was truncated"),
        ("not json", "JSON is malformed"),
        (b'{"audio": "x.wav", "gt": "\xff"}', "expected UTF-8, got byte 0xff"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_by_its_number(
    bad: str | bytes, told: str, tmp_path: Path
) -> None:
    path = lines(tmp_path, GOOD, "", bad, NEXT)
    found = reading("cv15_en", path)
    assert [sample.reference for sample in found.samples] == ["one", "two"]
    (problem,) = [problem for problem in found.problems if problem.kind == Kind.LINE]
    assert problem.where == f"{path}:3"
    assert told in problem.what
    with pytest.raises(EvaluationError, match=r"cv15_asr_en_eval.jsonl:3: "):
        samples("cv15_en", path)


def test_a_run_is_told_of_one_problem_and_of_how_many_there_are(tmp_path: Path) -> None:
    path = lines(tmp_path, "{", GOOD, "{", "{")
    with pytest.raises(EvaluationError, match=r":1: .* \(and 2 more: parlour eval check lists them\)$"):
        samples("cv15_en", path)


def test_a_sample_that_comes_twice_is_told_with_both_lines(tmp_path: Path) -> None:
    path = lines(tmp_path, GOOD, NEXT, GOOD)
    with pytest.raises(EvaluationError, match=rf":3: cv15_en/a comes twice, first at {path}:1$"):
        samples("cv15_en", path)
    assert len(reading("cv15_en", path).samples) == 2


def test_a_byte_order_mark_and_windows_line_ends_are_no_text(tmp_path: Path) -> None:
    trees.common_voice(tmp_path, "en")
    path = tmp_path / "cv-corpus-15.0-2023-09-08" / "en" / "test.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert [sample.reference for sample in samples("cv15_en", path)] == ['"Oui", dit-elle.', "Non."]


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_list_is_called_empty(content: str, tmp_path: Path) -> None:
    path = trees.put(tmp_path / "cv15_asr_en_eval.jsonl", content)
    with pytest.raises(EvaluationError, match=r"cv15_asr_en_eval.jsonl: the file is empty"):
        samples("cv15_en", path)


def test_a_label_outside_the_set_is_told_and_run_all_the_same(tmp_path: Path) -> None:
    """It may be the list's own spelling: a lenient score can still take it for right."""
    path = trees.jsonl(tmp_path / "meld_eval.jsonl", [{"audio": "a.wav", "gt": "Joy"}])
    (problem,) = [one for one in reading("meld", path).problems if one.kind == Kind.LABEL]
    assert str(problem) == (
        f"{path}:1: expected one of neutral, joy, sadness, anger, surprise, fear, disgust, got 'Joy'"
    )
    assert samples("meld", path)


def test_an_empty_reference_is_told(tmp_path: Path) -> None:
    path = lines(tmp_path, '{"audio": "a.wav", "gt": " "}')
    assert [one.where for one in reading("cv15_en", path).problems if one.kind == Kind.REFERENCE] == [
        f"{path}:1"
    ]


def broken_columns(folder: Path) -> None:
    path = folder / "cv-corpus-15.0-2023-09-08" / "en" / "test.tsv"
    path.write_text(path.read_text("utf-8") + "c3\tclip.mp3\n", "utf-8")


def broken_header(folder: Path) -> None:
    path = folder / "cv-corpus-15.0-2023-09-08" / "en" / "test.tsv"
    path.write_text(path.read_text("utf-8").replace("sentence", "words"), "utf-8")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (broken_columns, r"test.tsv:4: expected 11 columns, got 2"),
        (broken_header, r"test.tsv:1: expected a column 'sentence', got client_id, path, words"),
    ],
)
def test_a_table_with_other_columns_is_told(
    damage: Callable[[Path], None], told: str, tmp_path: Path
) -> None:
    damage(trees.common_voice(tmp_path, "en"))
    with pytest.raises(EvaluationError, match=told):
        samples("cv15_en", tmp_path)


def test_a_quotation_mark_without_its_end_is_told_where_it_stands(tmp_path: Path) -> None:
    trees.meld(tmp_path)
    path = tmp_path / "MELD.Raw" / "test_sent_emo.csv"
    path.write_text(path.read_text("utf-8") + '3,"Hi,Ross,joy,positive,0,2,3,19,0\n', "utf-8")
    with pytest.raises(EvaluationError, match=r"test_sent_emo.csv:4: damaged from here on"):
        samples("meld", tmp_path)


def test_words_without_a_clip_and_clips_without_words_are_told(tmp_path: Path) -> None:
    trees.aishell2(tmp_path)
    folder = tmp_path / "AISHELL-DEV-TEST-SET" / "Mic" / "test"
    trees.put(folder / "trans.txt", "MT0001W0001\t今天天气\nMT0009W0001\t没有\nMT0001W0001\t又\n")
    found = reading("aishell2", tmp_path)
    assert [str(problem).removeprefix(f"{folder}/") for problem in found.problems] == [
        "trans.txt:3: MT0001W0001 comes twice, first at " + f"{folder}/trans.txt:1",
        "wav.scp:2: MT0002W0001 has no words in trans.txt",
        "trans.txt:2: MT0009W0001 has no clip in wav.scp",
    ]


def test_a_list_without_its_other_half_is_told(tmp_path: Path) -> None:
    trees.aishell2(tmp_path)
    path = tmp_path / "AISHELL-DEV-TEST-SET" / "iOS" / "test" / "trans.txt"
    path.unlink()
    with pytest.raises(EvaluationError, match=rf"{path} cannot be read: No such file or directory"):
        samples("aishell2", tmp_path)


def test_an_entry_of_a_json_list_is_told_by_its_number(tmp_path: Path) -> None:
    entries = [trees.AIRBENCH[0], {"path": "b.wav"}]
    path = trees.put(trees.airbench(tmp_path) / "Chat" / "Chat_meta.json", json.dumps(entries))
    with pytest.raises(EvaluationError, match=rf"{path}, entry 2: .*`question`"):
        samples("airbench_chat", tmp_path)


@pytest.mark.parametrize("content", ["", '[{"path": "a', "{}"])
def test_a_json_list_that_is_damaged_is_told(content: str, tmp_path: Path) -> None:
    trees.airbench(tmp_path)
    trees.put(tmp_path / "Chat" / "Chat_meta.json", content)
    with pytest.raises(EvaluationError, match=r"Chat_meta.json: "):
        samples("airbench_chat", tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        EvaluationError, match=r"there is no benchmark 'librispech'; there are librispeech, cv15_en"
    ):
        samples("librispech", tmp_path)
    with pytest.raises(EvaluationError, match=rf"there is no {tmp_path}/nowhere"):
        samples("librispeech", tmp_path / "nowhere")
    with pytest.raises(
        EvaluationError, match=r"say where the data of librispeech lies: LibriSpeech/test-clean/"
    ):
        samples("librispeech", None)
    with pytest.raises(EvaluationError, match=r"there is no folder .*nowhere for the audio"):
        samples("librispeech", trees.librispeech(tmp_path), tmp_path / "nowhere")
