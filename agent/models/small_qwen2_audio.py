"""Makes Qwen2-Audio checkpoints that fit a CPU, so that what loads and runs the real one is tested there.

    python -m agent.models.small_qwen2_audio FOLDER

The small one has real parts: the encoder of Whisper tiny.en hears, SmolLM2-135M-Instruct answers. Nobody
has trained the projector between them: it hears *something*, and what it says about audio means nothing. The
tiny one is all random. Made again, both are the same to the byte.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tokenizers.pre_tokenizers import ByteLevel

from agent.models.ct2_weights import Ct2Weights, read_ct2
from agent.models.files import verified
from agent.models.manifest import SMOLLM2, WHISPER_TINY_EN
from agent.models.qwen2_audio_checkpoint import (
    AUDIO_TOKENS,
    SPECIAL_TOKENS,
    byte_level_tokenizer,
    qwen2_audio_config,
    weightless,
    write_checkpoint,
)

if TYPE_CHECKING:  # the tiny checkpoint needs no GGUF file
    from agent.models.gguf_weights import GgufWeights

Array = npt.NDArray[np.float32]

_ENCODER = "model.audio_tower"
_LANGUAGE = "model.language_model"
_PROJECTOR = "model.multi_modal_projector.linear"
_TOKENS, _HEAD = f"{_LANGUAGE}.embed_tokens.weight", "lm_head.weight"


# The small one, of real parts ----------------------------------------------------------


def build_small(folder: Path) -> None:
    """Write the checkpoint of 171 million parameters (685 MB, float32) into `folder`.

    Raises ModelFileError where a package of models.txt is missing or damaged.
    """
    from agent.models.gguf_weights import GgufWeights

    [whisper_file] = WHISPER_TINY_EN["model.bin"]
    whisper, smollm2 = read_ct2(verified(whisper_file)), GgufWeights(verified(SMOLLM2))
    tokenizer = byte_level_tokenizer(
        words=smollm2.setting("tokenizer.ggml.tokens"),
        merges=[_pair(merge) for merge in smollm2.setting("tokenizer.ggml.merges")],
        special=_control_tokens(smollm2),
    )
    weights = dict(_encoder_weights(whisper)) | dict(_language_weights(smollm2))
    weights |= _projector_weights(weights, np.random.RandomState(0))
    config = qwen2_audio_config(tokenizer, _encoder_sizes(whisper), _language_sizes(smollm2))
    write_checkpoint(folder, config, weights, tokenizer)


def _encoder_sizes(whisper: Ct2Weights) -> dict[str, int]:
    d_model, n_mel, _ = whisper.arrays["encoder/conv1/weight"].shape
    n_ffn, _ = whisper.arrays["encoder/layer_0/ffn/linear_0/weight"].shape
    return {
        "num_mel_bins": n_mel,
        "d_model": d_model,
        "encoder_layers": _n_encoder_layers(whisper),
        "encoder_attention_heads": whisper.integer("encoder/num_heads"),
        "encoder_ffn_dim": n_ffn,
        "max_source_positions": len(whisper.arrays["encoder/position_encodings/encodings"]),
    }


def _encoder_weights(whisper: Ct2Weights) -> Iterator[tuple[str, Array]]:
    def norm(to: str, taken: str) -> Iterator[tuple[str, Array]]:
        yield f"{_ENCODER}.{to}.weight", whisper.float32(f"encoder/{taken}/gamma")
        yield f"{_ENCODER}.{to}.bias", whisper.float32(f"encoder/{taken}/beta")

    def linear(to: str, taken: str) -> Iterator[tuple[str, Array]]:
        yield f"{_ENCODER}.{to}.weight", whisper.float32(f"encoder/{taken}/weight")
        yield f"{_ENCODER}.{to}.bias", whisper.float32(f"encoder/{taken}/bias")

    yield from linear("conv1", "conv1")
    yield from linear("conv2", "conv2")
    positions = whisper.float32("encoder/position_encodings/encodings")
    yield f"{_ENCODER}.embed_positions.weight", positions
    for layer in range(_n_encoder_layers(whisper)):
        to, taken = f"layers.{layer}", f"layer_{layer}"
        yield from norm(f"{to}.self_attn_layer_norm", f"{taken}/self_attention/layer_norm")
        # CTranslate2 keeps query, key and value as one matrix.
        fused = f"encoder/{taken}/self_attention/linear_0"
        matrices = np.split(whisper.float32(f"{fused}/weight"), 3)
        biases = np.split(whisper.float32(f"{fused}/bias"), 3)
        for part, matrix, bias in zip("qkv", matrices, biases, strict=True):
            yield f"{_ENCODER}.{to}.self_attn.{part}_proj.weight", matrix
            if part != "k":  # Whisper's keys have no bias: what is stored is zero
                yield f"{_ENCODER}.{to}.self_attn.{part}_proj.bias", bias
        yield from linear(f"{to}.self_attn.out_proj", f"{taken}/self_attention/linear_1")
        yield from norm(f"{to}.final_layer_norm", f"{taken}/ffn/layer_norm")
        yield from linear(f"{to}.fc1", f"{taken}/ffn/linear_0")
        yield from linear(f"{to}.fc2", f"{taken}/ffn/linear_1")
    yield from norm("layer_norm", "layer_norm")


def _n_encoder_layers(whisper: Ct2Weights) -> int:
    return sum(name.startswith("encoder/") and name.endswith("/ffn/linear_0/bias") for name in whisper.arrays)


def _language_sizes(smollm2: "GgufWeights") -> dict[str, object]:
    return {
        "hidden_size": smollm2.setting("llama.embedding_length"),
        "num_hidden_layers": smollm2.setting("llama.block_count"),
        "num_attention_heads": smollm2.setting("llama.attention.head_count"),
        "num_key_value_heads": smollm2.setting("llama.attention.head_count_kv"),
        "intermediate_size": smollm2.setting("llama.feed_forward_length"),
        "rms_norm_eps": _as_written(smollm2.setting("llama.attention.layer_norm_rms_epsilon")),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": _as_written(smollm2.setting("llama.rope.freq_base")),
        },
    }


def _language_weights(smollm2: "GgufWeights") -> Iterator[tuple[str, Array]]:
    """Llama as Qwen2, which differs by biases of query, key and value: here they are zero."""
    heads = {
        "q": smollm2.setting("llama.attention.head_count"),
        "k": smollm2.setting("llama.attention.head_count_kv"),
    }
    for layer in range(smollm2.setting("llama.block_count")):
        to, taken = f"{_LANGUAGE}.layers.{layer}", f"blk.{layer}"
        yield f"{to}.input_layernorm.weight", smollm2.weight(f"{taken}.attn_norm.weight")
        for part in "qkv":
            matrix = smollm2.weight(f"{taken}.attn_{part}.weight")
            if part in heads:
                matrix = _halves_together(matrix, heads[part])
            yield f"{to}.self_attn.{part}_proj.weight", matrix
            yield f"{to}.self_attn.{part}_proj.bias", np.zeros(len(matrix), np.float32)
        yield f"{to}.self_attn.o_proj.weight", smollm2.weight(f"{taken}.attn_output.weight")
        yield f"{to}.post_attention_layernorm.weight", smollm2.weight(f"{taken}.ffn_norm.weight")
        for part in ("gate", "up", "down"):
            yield f"{to}.mlp.{part}_proj.weight", smollm2.weight(f"{taken}.ffn_{part}.weight")
    yield f"{_LANGUAGE}.norm.weight", smollm2.weight("output_norm.weight")
    # SmolLM2 has one matrix for both; Qwen2-Audio's head is its own.
    rows = _with_audio_rows(smollm2)
    yield _TOKENS, rows
    yield _HEAD, rows.copy()


def _halves_together(matrix: Array, n_heads: int) -> Array:
    """llama.cpp rotates neighbouring rows of a head, transformers row i with row i + d/2: put them back."""
    n_out, n_in = matrix.shape
    pairs = matrix.reshape(n_heads, n_out // n_heads // 2, 2, n_in)
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(n_out, n_in)


def _with_audio_rows(smollm2: "GgufWeights") -> Array:
    """The rows of all tokens. Those of the audio tokens are the mean of the control tokens that a chat does
    not hold (<file_sep> and others), so that they are as rarely said as these."""
    known = smollm2.weight("token_embd.weight")
    words = smollm2.setting("tokenizer.ggml.tokens")
    unsaid = [words.index(token) for token in _control_tokens(smollm2) if token not in SPECIAL_TOKENS]
    mean = known[unsaid].mean(axis=0, dtype=np.float64).astype(np.float32)
    return np.concatenate([known, np.tile(mean, (len(AUDIO_TOKENS), 1))])


def _control_tokens(smollm2: "GgufWeights") -> list[str]:
    words, kinds = smollm2.setting("tokenizer.ggml.tokens"), smollm2.setting("tokenizer.ggml.token_type")
    return [word for word, kind in zip(words, kinds, strict=True) if kind == _CONTROL]


_CONTROL = 3  # LLAMA_TOKEN_TYPE_CONTROL in llama.h


def _pair(merge: str) -> tuple[str, str]:
    left, right = merge.split(" ")
    return left, right


def _as_written(stored: float) -> float:
    """The short decimal number that was rounded to float32."""
    return float(f"{stored:.6g}")


# The tiny one, all random --------------------------------------------------------------

_SAID_NEVER = ("<|endoftext|>", "<|im_start|>", *AUDIO_TOKENS)


def build_tiny(folder: Path, seed: int = 0) -> None:
    """Write a random checkpoint of 0.2 million parameters into `folder`: 262 tokens, one for each byte and
    the control tokens; 128 mel bands as the real one has, grouped query heads as the real one has not."""
    bytes_as_letters = sorted(ByteLevel.alphabet())
    tokenizer = byte_level_tokenizer(words=bytes_as_letters, merges=[], special=[])
    audio = {
        "num_mel_bins": 128,
        "d_model": 32,
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
    }
    text = {
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 128,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
    }
    config = qwen2_audio_config(tokenizer, audio, text)
    random = np.random.RandomState(seed)
    shapes = {name: tuple(tensor.shape) for name, tensor in weightless(config).state_dict().items()}
    weights = {name: _random_weight(name, shapes[name], random) for name in sorted(shapes)}
    weights |= _projector_weights(weights, random)
    weights[_HEAD][tokenizer.convert_tokens_to_ids(list(_SAID_NEVER))] = 0
    write_checkpoint(folder, config, weights, tokenizer)


def _random_weight(name: str, shape: tuple[int, ...], random: np.random.RandomState) -> Array:
    """Large enough that attention looks somewhere, and that the best token wins by a clear margin."""
    noise = random.standard_normal(shape)
    if name == _TOKENS:
        drawn = noise
    elif name == _HEAD:
        drawn = noise * 3 / np.sqrt(shape[1])
    elif name.endswith("embed_positions.weight"):
        drawn = noise / 2
    elif name.endswith(".bias"):
        drawn = noise / 10
    elif len(shape) == 1:  # the weight of a norm
        drawn = 1 + noise / 10
    else:
        drawn = noise * 1.5 / np.sqrt(np.prod(shape[1:]))
    return drawn.astype(np.float32)


# Both ----------------------------------------------------------------------------------


def _projector_weights(weights: dict[str, Array], random: np.random.RandomState) -> dict[str, Array]:
    """Random, at a scale that gives audio embeddings the mean length of token embeddings, within a quarter.

    random: NumPy keeps the numbers of RandomState the same in all versions (NEP 19), of newer generators not.
    """
    tokens = weights[_TOKENS].astype(np.float64)
    # What comes out of the encoder went through its last norm: z * gain + shift, with z of unit variance.
    gain, shift = (weights[f"{_ENCODER}.layer_norm.{part}"].astype(np.float64) for part in ("weight", "bias"))
    heard_length = np.sqrt(np.sum(gain**2 + shift**2))
    token_length = np.linalg.norm(tokens, axis=1).mean()
    n_out, n_in = tokens.shape[1], len(gain)
    matrix = random.standard_normal((n_out, n_in)) * token_length / (heard_length * np.sqrt(n_out))
    return {
        f"{_PROJECTOR}.weight": matrix.astype(np.float32),
        f"{_PROJECTOR}.bias": np.zeros(n_out, np.float32),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a small Qwen2-Audio checkpoint of real parts.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiny", action="store_true", help="all random, 1 MB, for tests")
    asked = parser.parse_args()
    started = time.perf_counter()
    (build_tiny if asked.tiny else build_small)(asked.folder)
    took_s = time.perf_counter() - started
    lines = [f"{file.stat().st_size / 1e6:9.3f} MB  {file}" for file in sorted(asked.folder.iterdir())]
    print(*lines, f"made in {took_s:.1f} s", sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
