"""Data as its makers publish it is read where it lies, and each sample says what the benchmark asks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation.benchmarks import BENCHMARKS
from evaluation.datasets.checking import check
from evaluation.datasets.find import reading, samples
from evaluation.datasets.problems import Kind
from evaluation.sample import Sample
from tests.evaluation.datasets import trees

TREES: dict[str, Callable[[Path], Path]] = {
    "librispeech": trees.librispeech,
    "cv15_en": lambda root: trees.common_voice(root, "en"),
    "cv15_zh": lambda root: trees.common_voice(root, "zh-CN"),
    "cv15_yue": lambda root: trees.common_voice(root, "yue"),
    "cv15_fr": lambda root: trees.common_voice(root, "fr"),
    "fleurs_zh": trees.fleurs,
    "aishell2": trees.aishell2,
    "covost2": trees.covost2,
    "meld": trees.meld,
    "vocalsound": trees.vocalsound,
    "airbench_chat": trees.airbench,
}


def facts(sample: Sample) -> tuple[str, str, str, str, str]:
    return sample.sample_id, sample.reference, sample.prompt, sample.language, sample.speaker


@pytest.mark.parametrize("name", TREES)
def test_every_published_form_is_read_whole_and_each_clip_is_heard(name: str, tmp_path: Path) -> None:
    found = reading(name, TREES[name](tmp_path))
    assert found.samples
    assert {sample.benchmark for sample in found.samples} == {name}
    assert all(Path(sample.audio).is_absolute() for sample in found.samples)
    looked_through = check(found)
    assert {problem.kind for problem in looked_through.problems} <= {Kind.COUNT, Kind.ABSENT}
    seconds = sum(source.seconds for source in looked_through.sources)
    assert seconds == pytest.approx(len(found.samples) * trees.CLIP_S, rel=0.15)


# The two others have a list for each chapter or channel: their folder is what is named.
@pytest.mark.parametrize("name", sorted(set(TREES) - {"librispeech", "aishell2"}))
def test_the_list_itself_may_be_named_in_place_of_its_folder(name: str, tmp_path: Path) -> None:
    folder = TREES[name](tmp_path)
    whole = samples(name, folder)
    of_first = reading(name, folder).lists[0]
    named = samples(name, of_first, audio_root=folder)
    assert named == whole[: len(named)]


def test_every_published_benchmark_has_a_tree_here() -> None:
    assert {name for name, one in BENCHMARKS.items() if one.dataset} == set(TREES)


def test_librispeech_is_read_split_by_split_with_its_speakers(tmp_path: Path) -> None:
    found = samples("librispeech", trees.librispeech(tmp_path))
    assert [sample.source for sample in found] == ["librispeech_dev_other"] * 2 + [
        "librispeech_test_clean"
    ] * 2
    assert facts(found[-1]) == (
        "librispeech_test_clean/1089-134686-0001",
        "STUFF IT INTO YOU",
        "Detect the language and recognize the speech: <|en|>",
        "en",
        "1089",
    )


def test_one_split_of_librispeech_may_be_named_alone(tmp_path: Path) -> None:
    folder = trees.librispeech(tmp_path) / "LibriSpeech" / "test-clean"
    assert {sample.source for sample in samples("librispeech", folder)} == {"librispeech_test_clean"}


def test_a_quotation_mark_in_common_voice_is_a_character_like_any_other(tmp_path: Path) -> None:
    first, second = samples("cv15_fr", trees.common_voice(tmp_path, "fr"))
    assert first.reference == '"Oui", dit-elle.'
    assert facts(second) == (
        "cv15_fr/common_voice_fr_2",
        "Non.",
        "Detect the language and recognize the speech: <|fr|>",
        "fr",
        "b2",
    )


def test_of_several_releases_of_common_voice_the_benchmarks_is_read(tmp_path: Path) -> None:
    trees.common_voice(tmp_path, "fr")
    for other in ("cv-corpus-13.0-2023-03-09", "cv-corpus-4-2019-12-10"):
        trees.put(tmp_path / other / "fr" / "test.tsv", "client_id\tpath\tsentence\n")
    assert len(samples("cv15_fr", tmp_path)) == 2


def test_a_sentence_of_fleurs_that_two_people_read_is_two_samples(tmp_path: Path) -> None:
    found = samples("fluers_zh", trees.fleurs(tmp_path))  # spelt as upstream spells it
    assert [sample.sample_id for sample in found] == ["fleurs_zh_test/111", "fleurs_zh_test/222"]
    assert {sample.reference for sample in found} == {"这 并 不 是 告 别"}


def test_channels_of_aishell2_are_scored_apart(tmp_path: Path) -> None:
    found = samples("aishell2", trees.aishell2(tmp_path))
    assert [sample.source for sample in found[::2]] == [
        "aishell2_mic_test",
        "aishell2_ios_test",
        "aishell2_android_test",
    ]
    assert facts(found[1])[:2] == ("aishell2_mic_test/MT0002W0001", "打开灯")
    assert found[1].speaker == "T0002"


def test_covost2_is_read_as_downloaded_and_as_split_and_asks_for_the_written_language(tmp_path: Path) -> None:
    to_german, from_mandarin = samples("covost2", trees.covost2(tmp_path))
    assert facts(to_german) == (
        "covost_v2_en_de_test/common_voice_en_7",
        'Hallo, "du".',
        "Detect the language and translate the speech into German: <|en|>",
        "en",
        "c1",
    )
    assert from_mandarin.source == "covost_v2_zh_en_test"
    assert from_mandarin.prompt == "Detect the language and translate the speech into English: <|zh|>"


def test_meld_takes_the_films_of_the_test_set_and_no_other(tmp_path: Path) -> None:
    folder = trees.meld(tmp_path)
    first, _ = samples("meld", folder)
    assert first.audio == str(folder / "MELD.Raw" / "output_repeated_splits_test" / "dia0_utt0.mp4")
    assert facts(first) == (
        "meld_test/dia0_utt0",
        "surprise",
        "Recognize the emotion with keywords in English:",
        "en",
        "Mark",
    )


def test_labels_of_vocalsound_are_words_and_its_own_paths_do_not_count(tmp_path: Path) -> None:
    found = samples("vocalsound", trees.vocalsound(tmp_path))
    assert [sample.reference for sample in found] == ["Cough", "Throat clearing"]
    assert [sample.speaker for sample in found] == ["f0003", "m0004"]
    assert found[0].prompt == "Classify the human vocal sound to VocalSound in English:"


def test_a_judge_is_told_what_air_bench_tells_of_the_clip(tmp_path: Path) -> None:
    speech, mixed = samples("airbench_chat", trees.airbench(tmp_path))
    assert (speech.source, mixed.source) == ("airbench_chat_speech", "airbench_chat_speech_and_music")
    assert speech.sample_id == "airbench_chat_speech/7"
    assert speech.prompt == "What does she want?"
    assert speech.reference == "A table."
    assert speech.details == {
        "question": "What does she want?",
        "meta_info": "A woman asks for a table.",
        "task_name": "speech_dialogue_QA",
    }


@pytest.mark.parametrize("name", [*TREES, "asterisk_en", "sonic_pi", "custom"])
def test_a_folder_without_the_data_is_told_what_was_expected_there(name: str, tmp_path: Path) -> None:
    trees.put(tmp_path / "readme.md", "nothing here")
    with pytest.raises(Exception, match="expected") as told:
        samples(name, tmp_path)
    assert str(tmp_path) in str(told.value)
    assert BENCHMARKS[name].layout in str(told.value)
