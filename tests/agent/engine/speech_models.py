"""The tiny Qwen2-Audio of the tests, twice: in the engine, and as transformers runs it."""

import atexit
import functools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoProcessor, Qwen2AudioForConditionalGeneration

from agent.api import AssistantMessage, AudioPart, Message, SystemMessage, TextPart, UserMessage
from agent.asr.windows import pieces
from agent.engine.core import Core, Job, Token
from agent.engine.kv_cache import KVCache
from agent.engine.model_runner import ModelRunner
from agent.engine.sampling import SamplingParams
from agent.engine.scheduler import Purpose
from agent.models.qwen2_audio_encoder import Encoder, Features
from agent.models.qwen2_audio_prompt import CLIP_S_MOST, ControlTokens, Qwen2AudioPrompts
from agent.models.small_qwen2_audio import build_tiny

GREEDY = SamplingParams()


@functools.cache
def _tiny() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="parlour-tiny-")
    atexit.register(folder.cleanup)
    build_tiny(Path(folder.name))
    return folder


def tiny_folder() -> Path:
    return Path(_tiny().name)


@dataclass(frozen=True, slots=True)
class Loaded:
    model: Any
    processor: Any


def load(folder: Path) -> Loaded:
    torch.set_num_threads(1)  # two would wait for each other: a tiny model gives them nothing to share
    model = Qwen2AudioForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    return Loaded(model, AutoProcessor.from_pretrained(folder))


@functools.cache
def transformers_tiny() -> Loaded:
    """As transformers runs it: the truth that the engine is held against."""
    return load(tiny_folder())


@functools.cache
def _ours() -> Loaded:
    return load(tiny_folder())


class Reference:
    """transformers, computing everything anew for each answer."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._known: dict[Any, list[int]] = {}

    def tokens(self, messages: Sequence[Message], max_tokens: int, penalty: float = 1.0) -> list[int]:
        """Greedy, without the token that ends it."""
        key = (tuple(messages), max_tokens, penalty)
        if key not in self._known:
            self._known[key] = self._generate(messages, max_tokens, penalty)
        return self._known[key]

    def inputs(self, messages: Sequence[Message]) -> Any:
        processor = self._loaded.processor
        chat, audio = chat_of(messages)
        text = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        return processor(text=text, audio=audio or None, sampling_rate=16_000, return_tensors="pt")

    def _generate(self, messages: Sequence[Message], max_tokens: int, penalty: float) -> list[int]:
        inputs = self.inputs(messages)
        model = self._loaded.model
        with torch.inference_mode():
            ids = model.generate(
                **inputs, max_new_tokens=max_tokens, do_sample=False, repetition_penalty=penalty
            )
        stops = model.generation_config.eos_token_id
        stops = set(stops if isinstance(stops, list) else [stops])
        answer = ids[0, inputs["input_ids"].shape[1] :].tolist()
        return [token for token in answer if token not in stops]


def chat_of(messages: Sequence[Message]) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """The conversation as transformers' processor takes it; long audio in the pieces that we make of it."""
    chat: list[dict[str, Any]] = []
    audio: list[np.ndarray] = []
    for message in messages:
        match message:
            case SystemMessage(text):
                chat.append({"role": "system", "content": text})
            case AssistantMessage(text):
                chat.append({"role": "assistant", "content": text})
            case UserMessage(parts):
                content: list[dict[str, Any]] = []
                for part in parts:
                    if isinstance(part, TextPart):
                        content.append({"type": "text", "text": part.text})
                        continue
                    samples = np.frombuffer(part.pcm, "<i2").astype(np.float32) / 32768.0
                    for piece in pieces(samples, CLIP_S_MOST):
                        content.append({"type": "audio", "audio": None})
                        audio.append(piece)
                chat.append({"role": "user", "content": content})
    return chat, audio


class Bench:
    """A core over the tiny model, driven step by step, with the conversations' histories kept beside it."""

    def __init__(
        self,
        n_blocks: int = 256,
        block_size: int = 16,
        batch_max: int = 16,
        prefill_tokens: int = 64,
        loaded: Loaded | None = None,
        context_tokens: int = 8192,
    ) -> None:
        loaded = loaded or _ours()
        model, processor = loaded.model, loaded.processor
        self.tokenizer = processor.tokenizer
        self.cache = KVCache(n_blocks, block_size)
        runner = ModelRunner(
            model.model.language_model, model.lm_head, n_blocks, block_size, n_blocks, batch_max
        )
        stops = model.generation_config.eos_token_id
        self.core = Core(
            runner,
            Encoder(model.model.audio_tower, model.model.multi_modal_projector).encode,
            self.cache,
            frozenset(stops if isinstance(stops, list) else [stops]),
            model.config.audio_token_id,
            batch_max,
            prefill_tokens,
            2**20,
        )
        control = {
            name: self.tokenizer.convert_tokens_to_ids(f"<|{name}|>")
            for name in ("im_start", "im_end", "audio_bos", "audio_eos")
        }
        self.prompts = Qwen2AudioPrompts(
            self.tokenizer,
            ControlTokens(**control),
            Features(processor.feature_extractor),
            context_tokens,
            "instruct",
        )
        self.answers: dict[Job, list[int]] = {}
        self.ended: dict[Job, Any] = {}

    def job(
        self,
        conversation: str,
        messages: Sequence[Message],
        max_tokens: int = 8,
        sampling_params: SamplingParams = GREEDY,
        purpose: Purpose = Purpose.ANSWER,
    ) -> Job:
        prompt = self.prompts.prompt("", tuple(messages), self.prompts.context_tokens - max_tokens)
        return Job(conversation, prompt, max_tokens, sampling_params, purpose)

    def submit(self, job: Job) -> Job:
        self.answers[job] = []
        self.core.submit(job)
        return job

    def ask(self, conversation: str, messages: Sequence[Message], max_tokens: int = 8, **more: Any) -> Job:
        return self.submit(self.job(conversation, messages, max_tokens, **more))

    def step(self) -> None:
        for output in self.core.step():
            if isinstance(output, Token):
                if output.token not in output.job.generation.stop_ids:
                    self.answers[output.job].append(output.token)
                if output.is_last:
                    self.ended[output.job] = None
            else:
                self.ended[output.job] = output.failure

    def run(self, most: int = 10_000) -> None:
        for _ in range(most):
            if not self.core.has_work:
                return
            self.step()
        raise AssertionError("the core does not come to an end")

    def until(self, job: Job, n_tokens: int) -> None:
        """Step until so much of the answer is there."""
        while len(self.answers[job]) < n_tokens:
            assert job not in self.ended, "the answer is shorter"
            self.step()

    def answer(
        self, conversation: str, messages: Sequence[Message], max_tokens: int = 8, **more: Any
    ) -> list[int]:
        job = self.ask(conversation, messages, max_tokens, **more)
        self.run()
        assert self.ended[job] is None
        return self.answers[job]

    def text(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))


def noise(seed: int, seconds: float = 0.5) -> bytes:
    """Audio that is like no other: s16le at 16 kHz."""
    samples = np.random.default_rng(seed).normal(0, 3000, int(16_000 * seconds))
    return samples.astype("<i2").tobytes()


def spoken(seed: int, seconds: float = 0.5) -> UserMessage:
    return UserMessage((AudioPart(noise(seed, seconds)),))


def typed(text: str) -> UserMessage:
    return UserMessage((TextPart(text),))
