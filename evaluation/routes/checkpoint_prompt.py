"""What a Qwen2-Audio checkpoint reads beside the clip, as its makers' evaluation scripts write it. Pure.

The base model reads the clip and the prompt, and nothing round them; Instruct reads a conversation through
its own template. Control tokens in a prompt ("<|en|>") are tokens here: the prompts are the benchmark's.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

PromptFormat = Literal["raw", "chat"]

NEW_TOKENS_MAX = 256
PLACEHOLDER = "<|AUDIO|>"
_CLIP = f"<|audio_bos|>{PLACEHOLDER}<|audio_eos|>"
_SYSTEM = {"role": "system", "content": "You are a helpful assistant."}


class Template(Protocol):
    """The processor of transformers, as far as it is needed here."""

    def apply_chat_template(
        self, conversation: Sequence[dict[str, Any]], *, add_generation_prompt: bool, tokenize: bool
    ) -> str: ...


def raw_text(prompt: str) -> str:
    """A prompt that has a placeholder of its own is the whole text."""
    return prompt if PLACEHOLDER in prompt else _CLIP + prompt


def conversation(prompt: str) -> list[dict[str, Any]]:
    """The clip and the prompt as messages; an empty prompt is voice chat, the clip alone.

    A prompt with a placeholder of its own is the user's whole text, as AIR-Bench's queries are.
    """
    if PLACEHOLDER in prompt:
        return [_SYSTEM, {"role": "user", "content": prompt}]
    text = [{"type": "text", "text": prompt}] if prompt else []
    return [_SYSTEM, {"role": "user", "content": [{"type": "audio", "audio": ""}, *text]}]


def model_text(prompt: str, prompt_format: PromptFormat, template: Template) -> str:
    if prompt_format == "raw":
        return raw_text(prompt)
    return template.apply_chat_template(conversation(prompt), add_generation_prompt=True, tokenize=False)
