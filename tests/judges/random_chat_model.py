"""A small Llama that nobody has trained, for servers that need files: what it says means nothing."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.agent.engine.chat_templates import COUNTS_TURNS

CONTEXT_TOKENS = 2_048
_BEGIN, _END = "<|im_start|>", "<|im_end|>"
_LETTERS, _LAST_LETTERS = "abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyz"
_HEAD_DIM, _N_HEADS, _N_LAYERS = 32, 2, 2

ANY_ORDER = f"""
{{%- if tools -%}}{{{{ tools | tojson }}}}{{%- endif -%}}
{{%- for message in messages -%}}
{{{{ '{_BEGIN}' + message['role'] + ': ' }}}}{{{{ message['content'] or '' }}}}
{{%- if message['tool_calls'] -%}}{{{{ message['tool_calls'] | tojson }}}}{{%- endif -%}}
{{{{ '{_END}' }}}}
{{%- endfor -%}}
{{{{ '{_BEGIN}assistant: ' }}}}"""
ALTERNATING = COUNTS_TURNS + ANY_ORDER


def write_random_chat_model(folder: Path, template: str, ends: bool) -> Path:
    """A token for each byte; letters at random for an answer. ends: soon, else never by itself."""
    tokenizer = _bytes_tokenizer(template)
    end = tokenizer.convert_tokens_to_ids(_END)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=_HEAD_DIM * _N_HEADS,
            intermediate_size=2 * _HEAD_DIM * _N_HEADS,
            num_hidden_layers=_N_LAYERS,
            num_attention_heads=_N_HEADS,
            num_key_value_heads=_N_HEADS,
            max_position_embeddings=CONTEXT_TOKENS,
            bos_token_id=tokenizer.convert_tokens_to_ids(_BEGIN),
            eos_token_id=end,
            tie_word_embeddings=False,
        )
    )
    letters = tokenizer(_LETTERS)["input_ids"]
    with torch.no_grad():
        # Beside them nothing is likely: of bytes at random few would be letters.
        head = torch.zeros_like(model.lm_head.weight)
        head[letters] = torch.randn(len(letters), head.shape[1])
        model.lm_head.weight.copy_(head)
    if ends:
        model.generation_config.eos_token_id = [end, *tokenizer(_LAST_LETTERS)["input_ids"]]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _bytes_tokenizer(template: str) -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([_BEGIN, _END])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=template,
        bos_token=_BEGIN,
        eos_token=_END,
        pad_token=_END,
        model_max_length=CONTEXT_TOKENS,
    )
