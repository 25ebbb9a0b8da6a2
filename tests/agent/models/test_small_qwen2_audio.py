"""The stand-ins for Qwen2-Audio: whole, in the hub's format, made of parts that do what they did before."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.models.files import verified
from agent.models.manifest import WHISPER_TINY_EN
from tests.speech import utterance, utterances

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
ct2_weights = pytest.importorskip("agent.models.ct2_weights", exc_type=ImportError)
builder = pytest.importorskip("agent.models.small_qwen2_audio", exc_type=ImportError)

HUB_FILES = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "chat_template.jinja",
}
HUB_PREFIXES = (
    "audio_tower.",
    "multi_modal_projector.linear.",
    "language_model.model.",
    "language_model.lm_head.",
)
GREEDY = {"do_sample": False, "repetition_penalty": 1.0}
"""The checkpoint's own settings sample."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    builder.build_tiny(folder)
    return folder


@pytest.fixture
def small(small_qwen2_audio: Path) -> Path:
    return small_qwen2_audio


@pytest.fixture(scope="module")
def small_model(small_qwen2_audio: Path) -> Any:
    return _loaded(small_qwen2_audio)


# The format ----------------------------------------------------------------------------


def test_every_weight_of_the_model_is_in_the_file_and_no_other(tiny: Path) -> None:
    _, loading = transformers.Qwen2AudioForConditionalGeneration.from_pretrained(
        tiny, output_loading_info=True
    )
    assert not any(loading.values()), loading


def test_the_files_and_the_names_of_the_weights_are_those_of_the_hub(tiny: Path) -> None:
    assert {file.name for file in tiny.iterdir()} == HUB_FILES
    names = _weights_on_disk(tiny)
    assert {prefix for prefix in HUB_PREFIXES for name in names if name.startswith(prefix)} == set(
        HUB_PREFIXES
    )
    assert all(name.startswith(HUB_PREFIXES) for name in names)


def test_saved_by_transformers_and_loaded_again_it_is_the_same(tiny: Path, tmp_path: Path) -> None:
    _loaded(tiny).save_pretrained(tmp_path)
    before, after = _weights_on_disk(tiny), _weights_on_disk(tmp_path)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_made_again_it_is_the_same_to_the_byte_and_another_with_another_seed(
    tiny: Path, tmp_path: Path
) -> None:
    builder.build_tiny(tmp_path / "again")
    builder.build_tiny(tmp_path / "other", seed=1)
    for name in HUB_FILES:
        assert (tmp_path / "again" / name).read_bytes() == (tiny / name).read_bytes(), name
    assert (tmp_path / "other/model.safetensors").read_bytes() != (tiny / "model.safetensors").read_bytes()


def test_the_configuration_says_what_the_hub_says(tiny: Path) -> None:
    config = transformers.AutoConfig.from_pretrained(tiny)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    assert (config.model_type, config.text_config.max_position_embeddings) == ("qwen2_audio", 8192)
    assert not config.tie_word_embeddings
    assert not config.text_config.tie_word_embeddings
    assert tokenizer.convert_ids_to_tokens(config.audio_token_id) == "<|AUDIO|>"
    assert (
        tokenizer.convert_ids_to_tokens(config.text_config.eos_token_id)
        == tokenizer.eos_token
        == "<|im_end|>"
    )
    sampling = transformers.GenerationConfig.from_pretrained(tiny)
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.7, 0.5, 20)
    assert tokenizer.convert_ids_to_tokens(sampling.eos_token_id) == ["<|im_end|>", "<|endoftext|>"]


# The prompt ----------------------------------------------------------------------------


def test_audio_is_numbered_over_the_whole_conversation(tiny: Path) -> None:
    audio = {"type": "audio", "audio": np.zeros(16_000, np.float32)}
    conversation = [
        {"role": "user", "content": [audio]},
        {"role": "assistant", "content": "It is a bell."},
        {
            "role": "user",
            "content": [{"type": "audio", "audio_url": "x.wav"}, {"type": "text", "text": "And this?"}],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "Nothing."}]},
        {"role": "user", "content": "  Sure?\n"},
    ]
    text = _processor(tiny).apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
    assert text == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nAudio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\n<|im_end|>\n"
        "<|im_start|>assistant\nIt is a bell.<|im_end|>\n"
        "<|im_start|>user\nAudio 2: <|audio_bos|><|AUDIO|><|audio_eos|>\nAnd this?<|im_end|>\n"
        "<|im_start|>assistant\nNothing.<|im_end|>\n"
        "<|im_start|>user\n  Sure?\n<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_system_message_takes_the_place_of_the_default_one(tiny: Path) -> None:
    conversation = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    text = _processor(tiny).apply_chat_template(conversation, tokenize=False)
    assert text == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"


@pytest.mark.parametrize(
    ("seconds", "tokens"),
    [(0.1, 2), (0.5, 12), (1, 25), (5, 125), (9.97, 249), (10, 250), (30, 750), (31, 750)],
)
def test_audio_takes_25_tokens_a_second(tiny: Path, seconds: float, tokens: int) -> None:
    processor = _processor(tiny)
    turn = _heard(processor, np.zeros(int(16_000 * seconds), np.float32))
    frames = int(turn["feature_attention_mask"].sum())
    assert ((frames - 1) // 2 + 1 - 2) // 2 + 1 == tokens
    assert int((turn["input_ids"] == processor.audio_token_id).sum()) == tokens


# The tiny one --------------------------------------------------------------------------


def test_its_greedy_answers_depend_on_what_was_heard_by_clear_margins(tiny: Path) -> None:
    model, processor = _loaded(tiny), _processor(tiny)
    answers, margins = set(), []
    for spoken in utterances()[:5]:
        turn = _heard(processor, _samples(spoken.pcm16k))
        made = model.generate(
            **turn, **GREEDY, max_new_tokens=20, output_logits=True, return_dict_in_generate=True
        )
        answers.add(tuple(made.sequences[0, turn["input_ids"].shape[1] :].tolist()))
        best = torch.cat(made.logits).topk(2).values
        margins += (best[:, 0] - best[:, 1]).tolist()
    assert len(answers) == 5
    assert min(margins) > 1e-3  # a thousand times what float32 in another order makes of it


# The small one -------------------------------------------------------------------------


@pytest.mark.models
def test_it_loads_whole(small: Path) -> None:
    _, loading = transformers.Qwen2AudioForConditionalGeneration.from_pretrained(
        small, output_loading_info=True
    )
    assert not any(loading.values()), loading


@pytest.mark.models
def test_it_answers_what_smollm2_answers(small: Path, small_model: Any) -> None:
    processor = _processor(small)
    question = processor.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    answer = small_model.generate(**question, **GREEDY, max_new_tokens=12)[
        0, question["input_ids"].shape[1] :
    ]
    assert processor.tokenizer.decode(answer) == "The capital of France is Paris.<|im_end|>"


@pytest.mark.models
@pytest.mark.parametrize("name", ["librivox_0870", "lecture_01"])
def test_its_encoder_hears_what_whisper_hears(small: Path, small_model: Any, name: str) -> None:
    ctranslate2 = pytest.importorskip("ctranslate2")
    [file] = WHISPER_TINY_EN["model.bin"]
    whisper = ctranslate2.models.Whisper(
        str(verified(file).parent), compute_type="float32", inter_threads=1, intra_threads=2
    )
    mel = _heard(_processor(small), _samples(utterance(name).pcm16k))["input_features"]
    expected = np.array(whisper.encode(ctranslate2.StorageView.from_array(mel.numpy()), to_cpu=True))

    tower, unpooled = small_model.model.audio_tower, []
    hook = tower.avg_pooler.register_forward_pre_hook(lambda _, given: unpooled.append(given[0]))
    with torch.no_grad():
        tower(mel)  # without a mask, as Whisper
        hook.remove()
        ours = tower.layer_norm(unpooled[0].transpose(1, 2)).numpy()
    assert ours.shape == expected.shape == (1, 1500, 384)
    assert np.abs(ours - expected).max() < 1e-3  # of values up to 13; float32 in another order
    assert np.abs(ours - expected).mean() < 1e-5


@pytest.mark.models
def test_what_it_hears_is_as_long_as_what_it_reads(small: Path, small_model: Any) -> None:
    heard = []
    hook = small_model.model.multi_modal_projector.register_forward_hook(
        lambda _, __, made: heard.append(made[0])
    )
    turn = _heard(_processor(small), _samples(utterance("librivox_0870").pcm16k))
    with torch.no_grad():
        small_model(**turn)
    hook.remove()
    n_tokens = int((turn["input_ids"] == small_model.config.audio_token_id).sum())
    audio = heard[0][:n_tokens].norm(dim=-1).mean()
    text = small_model.get_input_embeddings().weight.norm(dim=-1).mean()
    assert 0.75 < audio / text < 1.25


@pytest.mark.models
def test_its_tokenizer_takes_words_and_digits_as_smollm2_does(small: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(small)
    tokens = ["I", "Ġhave", "Ġ", "1", "2", "3", "Ġcats", ",", "<|im_end|>", "Ċ", "<|AUDIO|>"]
    assert tokenizer.tokenize("I have 123 cats,<|im_end|>\n<|AUDIO|>") == tokens
    assert tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|AUDIO|>", "<|audio_eos|>"]) == [2, 49152, 49154]


# The file of Whisper -------------------------------------------------------------------


@pytest.mark.parametrize("kept", [3, 20, 40, 54])
def test_half_a_weight_file_is_refused(tmp_path: Path, kept: int) -> None:
    whole = _ct2_file(version=6)
    (tmp_path / "model.bin").write_bytes(whole)
    assert ct2_weights.read_ct2(tmp_path / "model.bin").float32("b").tolist() == [1, 2]
    (tmp_path / "model.bin").write_bytes(whole[:kept])
    with pytest.raises(ValueError, match="not a whole CTranslate2 model"):
        ct2_weights.read_ct2(tmp_path / "model.bin")


def test_another_version_of_the_weight_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(_ct2_file(version=7))
    with pytest.raises(ValueError, match="version 7, expected 6"):
        ct2_weights.read_ct2(tmp_path / "model.bin")


def _ct2_file(version: int) -> bytes:
    """One array "a" of two float32, which is also called "b"."""
    head = struct.pack("<IH12sII", version, 12, b"WhisperSpec", 3, 1)
    array = struct.pack("<H2sBIBI2f", 2, b"a", 1, 2, 0, 8, 1.0, 2.0)
    return head + array + struct.pack("<IH2sH2s", 1, 2, b"b", 2, b"a")


# Helpers -------------------------------------------------------------------------------


def _loaded(folder: Path) -> Any:
    return transformers.Qwen2AudioForConditionalGeneration.from_pretrained(folder).eval()


def _processor(folder: Path) -> Any:
    return transformers.AutoProcessor.from_pretrained(folder)


def _weights_on_disk(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def _heard(processor: Any, samples: np.ndarray) -> Any:
    """The first turn of a voice chat: audio and nothing else."""
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "audio", "audio": samples}]}],
        add_generation_prompt=True,
        tokenize=False,
    )
    return processor(text=prompt, audio=[samples], sampling_rate=16_000, return_tensors="pt")


def _samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
