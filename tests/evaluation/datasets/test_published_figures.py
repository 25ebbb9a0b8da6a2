"""Both published tables, as printed, each cell found by the benchmark and source of a result."""

import json

import pytest

from evaluation.benchmarks import BENCHMARKS, benchmark
from evaluation.cli import main
from evaluation.errors import EvaluationError
from evaluation.published import comparator, notes, published_benchmarks, rows

HUGGINGFACE = {
    "librispeech_dev_clean": "1.7",
    "librispeech_dev_other": "3.6",
    "librispeech_test_clean": "1.7",
    "librispeech_test_other": "4.0",
    "cv15_en": "8.7",
    "cv15_zh": "6.5",
    "cv15_yue": "5.9",
    "cv15_fr": "9.6",
    "fleurs_zh_test": "7.0",
    "aishell2_mic_test": "3.2",
    "aishell2_ios_test": "3.1",
    "aishell2_android_test": "2.9",
    "covost_v2_en_de_test": "29.6",
    "covost_v2_de_en_test": "33.6",
    "covost_v2_en_zh_test": "45.6",
    "covost_v2_zh_en_test": "24.0",
    "covost_v2_es_en_test": "38.7",
    "covost_v2_fr_en_test": "37.2",
    "covost_v2_it_en_test": "35.2",
    "meld_test": "0.535",
    "vocalsound_test": "0.9395",
    "airbench_chat_speech": "7.24",
    "airbench_chat_sound": "6.83",
    "airbench_chat_music": "6.73",
    "airbench_chat_speech_and_sound": "6.42",
    "airbench_chat_speech_and_music": "6.42",
}
"""Of Qwen2-Audio, typed anew."""


def test_each_source_finds_the_row_to_compare_with() -> None:
    found = {
        part.source: row.text
        for name in published_benchmarks()
        for part in BENCHMARKS[name].parts
        for row in rows(name, part.source)
        if row.is_compared
    }
    assert found == HUGGINGFACE


def test_both_tables_are_whole() -> None:
    cells = [row for name in published_benchmarks() for row in rows(name, table=None)]
    assert len(cells) == 244
    assert len([cell for cell in cells if cell.table == "original"]) == 122


def test_only_qwen2_audio_was_measured_again_by_what_the_reference_says() -> None:
    """Percent, BLEU and points by which the second table is above the first."""
    differences = {}
    for name in published_benchmarks():
        first = {(row.model, row.subset): row for row in rows(name, table="original")}
        for row in rows(name):
            before = first[row.model, row.subset].value
            if row.value != before:
                assert row.value is not None
                assert before is not None
                assert row.model == "Qwen2-Audio"
                differences[f"{row.dataset} {row.subset}"] = round(row.value - before, 4)
    assert differences == {
        **{"librispeech dev-clean": 0.4, "librispeech dev-other": 0.2},
        **{"librispeech test-clean": 0.1, "librispeech test-other": 0.4},
        **{"common_voice_15 en": 0.1, "common_voice_15 zh": -0.4, "fleurs zh": -0.5},
        **{"aishell2 mic": 0.2, "aishell2 ios": 0.1},
        **{"covost2 en-de": -0.3, "covost2 de-en": -1.6, "covost2 en-zh": 0.4, "covost2 zh-en": -0.4},
        **{"covost2 es-en": -1.3, "covost2 fr-en": -1.3, "covost2 it-en": -1.1},
        **{"meld test": -0.018, "vocalsound test": 0.0003},
        **{"airbench_chat speech": 0.06, "airbench_chat sound": -0.16},
        **{"airbench_chat music": -0.06, "airbench_chat mixed": -0.35},
    }


def test_a_figure_that_the_benchmarks_makers_print_otherwise_has_both() -> None:
    mixed = {row.model: row for row in rows("airbench_chat") if row.subset == "mixed"}
    leaderboard = {model: row.leaderboard_value for model, row in mixed.items() if row.leaderboard_value}
    assert leaderboard == {
        "BLSP": 4.52,
        "Pandagpt": 2.93,
        "Macaw-LLM": 1.00,
        "Next-gpt": 2.92,
        "Qwen-Audio": 5.38,
        "SpeechGPT": 1.14,
    }
    assert (
        mixed["BLSP"].note
        == "the average over all groups; the benchmark's own leaderboard has 4.52 for mixed"
    )
    assert mixed["SpeechGPT"].note.startswith("no mean of its groups")


def test_rows_that_were_scored_by_older_rules_say_so() -> None:
    noted = {(row.model, row.note) for row in rows("librispeech") if row.note}
    assert noted == {("Qwen-Audio", "scored with an older text normalisation")}
    assert any("issue 25" in note for note in notes())


def test_a_row_has_its_unit_of_scoring_and_the_worth_of_its_last_digit() -> None:
    (wer,) = [row for row in rows("librispeech", "librispeech_test_other") if row.is_compared]
    assert (wer.score, wer.last_digit) == (pytest.approx(0.04), pytest.approx(0.1))
    (accuracy,) = [row for row in rows("vocalsound") if row.is_compared]
    assert (accuracy.score, accuracy.last_digit) == (0.9395, pytest.approx(0.0001))
    (unreported,) = [row for row in rows("librispeech", "librispeech_dev_clean") if row.model == "SpeechNet"]
    assert (unreported.text, unreported.score) == ("-", None)


def test_every_system_of_the_tables_is_run_by_a_command_or_said_not_to_be() -> None:
    models = {row.model for name in published_benchmarks() for row in rows(name)}
    run = {model for model in models if comparator(model).command}
    assert run == {"Qwen2-Audio", "Qwen-Audio", "Whisper-large-v3", "Paraformer-large", "SpeechT5", "CLAP"}
    for model in models - run:
        assert comparator(model).note.startswith("published figure only")


def test_a_command_has_the_model_and_the_batches_that_the_figure_is_from() -> None:
    qwen2_audio = comparator("Qwen2-Audio")
    assert qwen2_audio.run_by("cv15_fr").endswith("--checkpoint Qwen/Qwen2-Audio-7B --batch-size 20")
    assert qwen2_audio.run_by("meld").endswith("--checkpoint Qwen/Qwen2-Audio-7B --batch-size 8")
    assert qwen2_audio.run_by("airbench_chat").endswith(
        "--checkpoint Qwen/Qwen2-Audio-7B-Instruct --batch-size 8 --judge-url URL --judge-model MODEL"
    )
    assert comparator("SALMONN").run_by("airbench_chat") == ""


def test_the_tables_are_printed_with_how_each_row_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["published", "librispeech"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == [
        "LibriSpeech",
        "(librispeech)",
        "dev-clean",
        "dev-other",
        "test-clean",
        "test-other",
    ]
    assert [line.split() for line in out if line.startswith("Qwen2-Audio ")] == [
        ["Qwen2-Audio", "1.7*", "3.6*", "1.7*", "4.0*"]
    ]
    assert (
        "  SpeechNet, SLM-FT, SALMONN, SpeechVerse: published figure only: research code, or no weights"
        in out
    )
    assert any(line.startswith("  Qwen2-Audio: parlour eval run librispeech --data FOLDER ") for line in out)


def test_all_tables_are_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["published", "--json", "--table", "original"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["rows"]) == 122
    assert {row["benchmark"] for row in printed["rows"]} == set(published_benchmarks())


def test_where_nothing_was_published_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert rows("asterisk_en") == []
    assert main(["published", "asterisk_en"]) == 2
    assert capsys.readouterr().err == "parlour eval: nobody published figures for asterisk_en\n"


def test_sources_are_understood_in_upstreams_spellings() -> None:
    assert benchmark("fluers_zh").name == "fleurs_zh"
    assert benchmark("airbench_level3").name == "airbench_chat"
    assert benchmark("aishell2").part("aishell2_iOS_test").subset == "ios"
    assert benchmark("librispeech").part("LibriSpeech-test-other").subset == "test-other"
    assert benchmark("airbench_chat").part("speech_and_music_QA").subset == "mixed"
    assert benchmark("airbench_chat").part("music_generation_analysis_QA").subset == "music"
    with pytest.raises(EvaluationError, match=r"expected a source of librispeech .*, got 'train_clean_100'"):
        benchmark("librispeech").part("train_clean_100")
