"""One's own data: audio and text, and how they are scored."""

from pathlib import Path

import pytest

from evaluation.datasets.find import reading, samples
from evaluation.datasets.problems import Kind
from evaluation.errors import EvaluationError
from tests.evaluation.datasets import trees

ROWS: list[dict[str, object]] = [
    {"audio": "calls/1.wav", "text": 'He said "no", twice.', "language": "en", "speaker": "s1"},
    {
        "audio": "calls/2.wav",
        "text": "Bonjour à tous.",
        "language": "fr",
        "prompt": "Écris ce que tu entends.",
    },
]


def as_table(delimiter: str) -> str:
    """The same rows; in a .csv file with its quotation marks doubled."""
    names = ("audio", "text", "language", "speaker", "prompt")
    lines = [delimiter.join(names)]
    for row in ROWS:
        fields = [str(row.get(name, "")) for name in names]
        if delimiter == ",":
            fields = ['"' + field.replace('"', '""') + '"' for field in fields]
        lines.append(delimiter.join(fields))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("ending", ["jsonl", "csv", "tsv"])
def test_the_three_kinds_of_file_say_the_same(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"calls.{ending}"
    if ending == "jsonl":
        trees.jsonl(path, ROWS)
    else:
        trees.put(path, as_table("," if ending == "csv" else "\t"))
    for row in ROWS:
        trees.put_clip(tmp_path / str(row["audio"]))
    english, french = samples("custom", tmp_path)
    assert english.audio == str(tmp_path / "calls" / "1.wav")
    assert (english.sample_id, english.source) == ("custom_en/calls/1", "custom_en")
    assert (english.reference, english.speaker) == ('He said "no", twice.', "s1")
    assert english.prompt == "Detect the language and recognize the speech: <|en|>"
    assert (french.source, french.prompt) == ("custom_fr", "Écris ce que tu entends.")


def test_each_language_is_scored_by_its_own_rules(tmp_path: Path) -> None:
    lines = [
        {"audio": f"{tag}.wav", "text": "x", "language": tag} for tag in ("en", "fr", "zh", "yue", "de", "ja")
    ]
    found = reading("custom", trees.jsonl(tmp_path / "a.jsonl", list(lines)))
    assert [found.benchmark.metric(sample.source) for sample in found.samples] == [
        *("wer_en", "wer_fr", "cer_zh", "cer_yue"),
        *("wer_de", "cer_ja"),
    ]


def test_a_line_without_a_language_needs_a_score_that_is_named(tmp_path: Path) -> None:
    path = trees.jsonl(tmp_path / "a.jsonl", [{"audio": "a.wav", "text": "x"}])
    with pytest.raises(EvaluationError, match=r"a.jsonl:1: expected a language .* got none; custom_wer_en"):
        samples("custom", path)
    (sample,) = samples("custom_wer_en", path)
    assert (sample.source, sample.language) == ("custom_wer_en", "en")


def test_lines_are_scored_together_as_their_source_says(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [
        {"audio": f"{source}.wav", "text": "x", "language": "en", "source": source}
        for source in ("bus", "home")
    ]
    path = trees.jsonl(tmp_path / "a.jsonl", lines)
    assert [sample.source for sample in samples("custom", path)] == ["bus_en", "home_en"]
    assert [sample.source for sample in samples("custom_wer_en", path)] == ["bus", "home"]


def test_translation_asks_for_the_language_that_it_is_scored_in(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [
        {"audio": "a.wav", "text": "x", "language": "zh"},
        {"audio": "b.wav", "text": "x"},
    ]
    path = trees.jsonl(tmp_path / "a.jsonl", lines)
    with pytest.raises(EvaluationError, match=r"a.jsonl:2: expected a prompt, or the spoken language"):
        samples("custom_bleu_to_de", path)
    found = reading("custom_bleu_to_de", path).samples
    assert found[0].prompt == "Detect the language and translate the speech into German: <|zh|>"


def test_an_empty_prompt_asks_by_the_clip_alone(tmp_path: Path) -> None:
    path = trees.jsonl(tmp_path / "a.jsonl", [{"audio": "a.wav", "text": "x", "prompt": ""}])
    assert samples("custom_wer_en", path)[0].prompt == ""


def test_clips_of_one_name_in_two_folders_are_two_samples(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [{"audio": f"{folder}/1.wav", "text": "x"} for folder in ("a", "b")]
    found = samples("custom_wer_en", trees.jsonl(tmp_path / "a.jsonl", lines))
    assert [sample.sample_id for sample in found] == ["custom_wer_en/a/1", "custom_wer_en/b/1"]


def test_a_field_of_a_table_may_hold_a_line_end(tmp_path: Path) -> None:
    path = trees.put(tmp_path / "a.csv", 'audio,text\na.wav,"one\ntwo"\nb.wav,three\n')
    assert [sample.reference for sample in samples("custom_wer_en", path)] == ["one\ntwo", "three"]


def test_of_several_lists_in_a_folder_none_is_guessed(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.csv"):
        trees.put(tmp_path / name, "")
    with pytest.raises(
        EvaluationError, match=r"holds 2 lists \(a.jsonl, b.csv\): name the one that is meant"
    ):
        samples("custom_wer_en", tmp_path)


def test_labels_of_ones_own_are_checked_as_a_benchmarks(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [
        {"audio": "a.wav", "text": "joy"},
        {"audio": "b.wav", "text": "glee"},
    ]
    found = reading("custom_acc_meld", trees.jsonl(tmp_path / "a.jsonl", lines))
    assert [sample.prompt for sample in found.samples] == [
        "Recognize the emotion with keywords in English:"
    ] * 2
    assert [problem.where for problem in found.problems if problem.kind == Kind.LABEL] == [
        f"{tmp_path}/a.jsonl:2"
    ]
