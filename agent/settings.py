"""What an agent worker is told at its start: which model answers, hears and speaks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """model: "auto", "embedded", "scripted", the name of a model on `llm_url`, or (with
    `llm_url` empty) a Hugging Face id or folder of a speech language model.

    recogniser: "tiny.en", "base", or "" for the default. voice: "piper", "kokoro", or "" to
    choose by the machine's cores. threads: CPU threads for models, 0 for all cores. hub: where a
    model's id is looked up, "huggingface" or "modelscope". dtype: of a speech language model's weights,
    "bfloat16" or "float32", or "" for the device's own. llm_thinking_s: how long a model on `llm_url` may
    be loaded or think without a word for the listener. llm_context_tokens: that it reads; 0: it is asked.
    answer_tokens_max, answer_s_max: of an answer whose length no client limits, as tokens and as speech.
    """

    model: str = "auto"
    llm_url: str = ""
    llm_key: str = ""
    llm_thinking_s: float = 120.0
    llm_context_tokens: int = 0
    answer_tokens_max: int = 4096
    answer_s_max: float = 180.0
    recogniser: str = ""
    language: str = ""
    voice: str = ""
    threads: int = 0
    hub: str = ""
    dtype: str = ""
