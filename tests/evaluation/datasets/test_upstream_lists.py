"""The lists of Qwen2-Audio's authors, with all their oddities."""

import shutil
from pathlib import Path

import pytest

from evaluation.datasets.find import reading, samples
from evaluation.datasets.problems import Kind
from evaluation.errors import EvaluationError
from tests.evaluation.datasets import trees

LIBRISPEECH = {
    "audio": "librispeech/test-clean/1089/134686/1089-134686-0000.flac",
    "source": "librispeech_test_clean",
    "prompt": "Detect the language and recognize the speech: <|en|>",
    "gt": "he hoped there would be stew",
}
MELD = {"audio": "meld/test/dia0_utt0.wav", "source": "meld_test", "gt": "surprise"}


def test_a_line_is_a_sample_as_it_is(tmp_path: Path) -> None:
    trees.jsonl(tmp_path / "asr" / "librispeech_eval.jsonl", [LIBRISPEECH])
    trees.put_clip(tmp_path / LIBRISPEECH["audio"])
    (sample,) = samples("librispeech", tmp_path)
    assert sample.audio == str(tmp_path / LIBRISPEECH["audio"])
    assert sample.source == "librispeech_test_clean"
    assert sample.prompt == LIBRISPEECH["prompt"]
    assert sample.reference == "he hoped there would be stew"
    assert sample.language == "en"


def test_a_sample_has_the_same_id_in_both_forms_of_the_data(tmp_path: Path) -> None:
    published = samples("librispeech", trees.librispeech(tmp_path / "published", ("test-clean",)))
    path = trees.jsonl(tmp_path / "librispeech_eval.jsonl", [LIBRISPEECH])
    assert samples("librispeech", path)[0].sample_id == published[0].sample_id


def test_clips_are_looked_for_below_the_audio_root_and_then_by_their_base_name(tmp_path: Path) -> None:
    lists = trees.jsonl(tmp_path / "lists" / "librispeech_eval.jsonl", [LIBRISPEECH]).parent
    as_written = trees.put_clip(tmp_path / "audio" / LIBRISPEECH["audio"])
    assert samples("librispeech", lists, tmp_path / "audio")[0].audio == str(as_written)
    elsewhere = tmp_path / "audio" / "LibriSpeech" / "1089-134686-0000.flac"
    elsewhere.parent.mkdir()
    shutil.move(as_written, elsewhere)
    assert samples("librispeech", lists, tmp_path / "audio")[0].audio == str(elsewhere)


def test_meld_names_wav_and_ships_mp4_whose_split_the_path_tells(tmp_path: Path) -> None:
    trees.jsonl(tmp_path / "meld_eval.jsonl", [MELD])
    trees.meld(tmp_path)
    (sample,) = samples("meld", tmp_path)
    assert sample.audio == str(tmp_path / "MELD.Raw" / "output_repeated_splits_test" / "dia0_utt0.mp4")


def test_clips_that_nothing_tells_apart_are_not_guessed(tmp_path: Path) -> None:
    path = trees.jsonl(tmp_path / "librispeech_eval.jsonl", [LIBRISPEECH])
    for folder in ("one", "other"):
        trees.put_clip(tmp_path / folder / "1089-134686-0000.flac")
    (problem,) = reading("librispeech", path).problems
    assert problem.kind == Kind.MISSING
    assert "2 clips of that name lie in" in problem.what
    assert "one/1089-134686-0000.flac, other/1089-134686-0000.flac" in problem.what


@pytest.mark.parametrize("nothing", [{}, {"prompt": None}, {"prompt": ""}])
def test_a_missing_prompt_is_the_benchmarks_own(nothing: dict[str, object], tmp_path: Path) -> None:
    path = trees.jsonl(tmp_path / "meld_eval.jsonl", [{**MELD, **nothing}])
    assert samples("meld", path)[0].prompt == "Recognize the emotion with keywords in English:"


def test_a_source_groups_as_the_file_calls_it_and_means_what_it_says(tmp_path: Path) -> None:
    """CoVoST's is spelt in two ways; the written language is the last but one of its words."""
    spellings = ("covost_v2_en_zh_test", "covost_en_zh_test", "covost_v2_en_zh-CN_test")
    lines: list[dict[str, object]] = [
        {"audio": f"{number}.mp3", "source": spelling, "gt": "春天"}
        for number, spelling in enumerate(spellings)
    ]
    found = reading("covost2", trees.jsonl(tmp_path / "covost2_eval.jsonl", lines))
    assert [sample.source for sample in found.samples] == list(spellings)
    assert {found.benchmark.metric(sample.source) for sample in found.samples} == {"bleu_to_zh"}
    assert {sample.prompt for sample in found.samples} == {
        "Detect the language and translate the speech into Mandarin: <|en|>"
    }


def test_a_source_that_nobody_knows_is_told_by_its_line(tmp_path: Path) -> None:
    path = trees.jsonl(tmp_path / "covost2_eval.jsonl", [{"audio": "a.mp3", "source": "tat_test", "gt": "a"}])
    with pytest.raises(
        EvaluationError, match=r"covost2_eval.jsonl:1: expected a source of covost2 .*tat_test"
    ):
        samples("covost2", path)


def test_an_http_address_is_taken_as_it_is(tmp_path: Path) -> None:
    line: dict[str, object] = {**LIBRISPEECH, "audio": "https://audio.example/a.flac"}
    found = reading("librispeech", trees.jsonl(tmp_path / "librispeech_eval.jsonl", [line]))
    assert [sample.audio for sample in found.samples] == ["https://audio.example/a.flac"]
    assert not found.problems


@pytest.mark.parametrize("name", ["airbench_level_3_eval.jsonl", "chat/airbench-level-3.jsonl"])
def test_chat_lists_are_joined_with_what_a_judge_needs(name: str, tmp_path: Path) -> None:
    """Under both of upstream's names; their questions hold the mark of the clip, which is put there anew."""
    trees.airbench(tmp_path)
    line: dict[str, object] = {
        "audio": "speech_dialogue_QA_fisher/a.wav",
        "id": 7,
        "query": "Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\nWhat does she want?",
    }
    trees.jsonl(tmp_path / name, [line])
    found = reading("airbench_chat", tmp_path)
    assert found.form == "upstream's jsonl"
    assert not found.problems
    assert found.samples == samples("airbench_chat", tmp_path / "Chat" / "Chat_meta.json")[:1]


def test_a_chat_list_alone_can_be_run_and_not_judged(tmp_path: Path) -> None:
    line: dict[str, object] = {"audio": "sound_QA_clotho/a.wav", "id": "x", "query": "What is heard?"}
    path = trees.jsonl(tmp_path / "airbench_level_3_eval.jsonl", [line])
    found = reading("airbench_chat", path)
    assert [sample.source for sample in found.samples] == ["airbench_chat_sound"]
    (unjudged,) = [problem for problem in found.problems if problem.kind == Kind.REFERENCE]
    assert "no meta_info and no answer_gt" in unjudged.what
    assert samples("airbench_chat", path)


def test_a_list_of_upstream_goes_before_the_published_form(tmp_path: Path) -> None:
    trees.meld(tmp_path)
    assert reading("meld", tmp_path).form == "as MELD publishes it"
    trees.jsonl(tmp_path / "ser" / "meld_eval.jsonl", [MELD])
    assert reading("meld", tmp_path).form == "upstream's jsonl"
