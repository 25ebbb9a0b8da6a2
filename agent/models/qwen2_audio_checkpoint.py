"""Writes a Qwen2-Audio checkpoint of any size, as the hub has them: configuration, weights, tokenizer,
feature extractor and chat template in one folder, for `from_pretrained` of transformers."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast, Qwen2AudioConfig, Qwen2AudioForConditionalGeneration

# Some of its constructors have no types, and others have some that are too narrow for what they take.
_untyped: Any = transformers

Weights = Mapping[str, npt.NDArray[np.float32]]

CONTEXT_TOKENS = 8192
AUDIO_TOKENS = ("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *AUDIO_TOKENS)
"""In the order that the hub's checkpoint has them, after all other words."""

CHAT_TEMPLATE = """
{%- set audios = namespace(seen=0) -%}
{%- for message in messages -%}
    {%- if loop.first and message.role != 'system' -%}
        {{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
    {%- endif -%}
    {{ '<|im_start|>' + message.role + '\\n' }}
    {%- set parts = [{'text': message.content}] if message.content is string else message.content -%}
    {%- for part in parts -%}
        {%- if part.type == 'audio' or 'audio' in part or 'audio_url' in part -%}
            {%- set audios.seen = audios.seen + 1 -%}
            {{ 'Audio ' ~ audios.seen ~ ': <|audio_bos|><|AUDIO|><|audio_eos|>\\n' }}
        {%- elif 'text' in part -%}
            {{ part.text }}
        {%- endif -%}
    {%- endfor -%}
    {{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<|im_start|>assistant\\n' }}
{%- endif -%}
"""
"""The instruct format. Audio is numbered over the whole conversation, and stands where its part does."""


def qwen2_audio_config(
    tokenizer: PreTrainedTokenizerFast, audio: Mapping[str, Any], text: Mapping[str, Any]
) -> Qwen2AudioConfig:
    """audio, text: fields of Qwen2AudioEncoderConfig and Qwen2Config that give the sizes."""
    # The field is said out loud: transformers 5.10.0 to 5.10.3 tied the head where it was left out.
    ends: dict[str, Any] = {
        "tie_word_embeddings": False,
        "bos_token_id": _id(tokenizer, "<|endoftext|>"),
        "pad_token_id": _id(tokenizer, "<|endoftext|>"),
        "eos_token_id": _id(tokenizer, "<|im_end|>"),
    }
    shared = {"vocab_size": len(tokenizer), "max_position_embeddings": CONTEXT_TOKENS}
    return Qwen2AudioConfig(
        audio_config={"model_type": "qwen2_audio_encoder", **audio},
        text_config={"model_type": "qwen2", **shared, **ends, **text},
        audio_token_index=_id(tokenizer, "<|AUDIO|>"),
        **ends,
    )


def weightless(config: Qwen2AudioConfig) -> Qwen2AudioForConditionalGeneration:
    """The model with all its names and shapes, and no memory behind them."""
    with torch.device("meta"):
        return Qwen2AudioForConditionalGeneration(config)


def byte_level_tokenizer(
    words: Iterable[str], merges: Sequence[tuple[str, str]], special: Iterable[str]
) -> PreTrainedTokenizerFast:
    """A byte-level BPE that takes digits one by one; words: in the order of their ids.

    special: those of the words that are control tokens. SPECIAL_TOKENS that are not among the words get the
    ids after them.
    """
    tokenizer = Tokenizer(BPE({word: place for place, word in enumerate(words)}, list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([*special, *SPECIAL_TOKENS])
    made: PreTrainedTokenizerFast = _untyped.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=CHAT_TEMPLATE,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )
    return made


def write_checkpoint(
    folder: Path, config: Qwen2AudioConfig, weights: Weights, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Write the files; weights: by transformers' names in memory, on disk they get the hub's.

    Raises RuntimeError for a weight that is missing, not known, or of another shape.
    """
    model = weightless(config)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, assign=True)
    model.generation_config = _sampling(tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # Whisper's: log-mel of 25 ms windows every 10 ms, padded to 30 s.
    n_mel = model.get_submodule("model.audio_tower.conv1").in_channels
    mel = _untyped.WhisperFeatureExtractor(feature_size=n_mel, return_attention_mask=True)
    mel.save_pretrained(folder)


def _sampling(tokenizer: PreTrainedTokenizerFast) -> Any:
    """What Qwen2-Audio-7B-Instruct recommends."""
    return _untyped.GenerationConfig(
        do_sample=True,
        temperature=0.7,
        top_p=0.5,
        top_k=20,
        repetition_penalty=1.1,
        eos_token_id=[_id(tokenizer, "<|im_end|>"), _id(tokenizer, "<|endoftext|>")],
        pad_token_id=_id(tokenizer, "<|endoftext|>"),
        bos_token_id=_id(tokenizer, "<|endoftext|>"),
    )


def _id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    number = tokenizer.convert_tokens_to_ids(token)
    assert isinstance(number, int)  # a list is for a list
    return number
