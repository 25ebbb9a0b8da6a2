"""A Qwen2-Audio checkpoint in this process, asked as its makers' evaluation scripts ask it."""

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agent.asr.windows import Samples
from agent.models.qwen2_audio_files import Checkpoint
from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes.checkpoint_prompt import (
    NEW_TOKENS_MAX,
    PLACEHOLDER,
    PromptFormat,
    conversation,
    model_text,
    raw_text,
)
from evaluation.routes.model_thread import ModelThread
from evaluation.routes.route import SAMPLE_HZ, Failure, Question

if TYPE_CHECKING:  # torch takes seconds to load
    from evaluation.routes.checkpoint_engines import Asked, BatchEngine, Loaded

log = logging.getLogger(__name__)

BATCH_SIZE = 8
CLIP_S_MOST = 30.0
"""What the model hears; the rest of a longer clip is dropped, as upstream does."""
CLIP_S_LEAST = 0.1
"""A shorter clip has no token or one, and transformers takes it for none."""
GREEDY: Mapping[str, int | bool] = {"do_sample": False, "max_new_tokens": NEW_TOKENS_MAX, "min_new_tokens": 1}


@dataclass(frozen=True, slots=True)
class CheckpointOptions:
    """name: a folder, or a hub's OWNER/NAME. threads: 0 for all cores. dtype: "" for the device's own."""

    name: str
    batch_size: int = BATCH_SIZE
    engine: Literal["parlour", "transformers"] = "parlour"
    prompt_format: PromptFormat | Literal["auto"] = "auto"
    dtype: str = ""
    hub: str = "huggingface"
    threads: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--checkpoint", required=True, help="a Qwen2-Audio checkpoint: a folder, or a hub's OWNER/NAME")
    add("--batch-size", type=int, default=BATCH_SIZE, help=f"clips at once (default: {BATCH_SIZE})")
    add(
        "--engine",
        choices=("parlour", "transformers"),
        default="parlour",
        help="what runs it (default: parlour; transformers: its generate, as upstream)",
    )
    add(
        "--prompt-format",
        choices=("auto", "raw", "chat"),
        default="auto",
        help="raw: clip and prompt alone, for the base model; chat: the template (default: by the name)",
    )
    add("--dtype", choices=("bfloat16", "float32"), default="", help="default: bfloat16 on a GPU")
    add("--hub", choices=("huggingface", "modelscope"), default="huggingface", help="where OWNER/NAME is")
    add("--threads", type=int, default=0, help="of a CPU (default: all cores)")


def route(options: argparse.Namespace) -> "CheckpointRoute":
    """Raises EvaluationError."""
    if options.batch_size < 1:
        raise EvaluationError(f"--batch-size is {options.batch_size}: expected 1 or more.")
    if options.threads < 0:
        raise EvaluationError(f"--threads is {options.threads}: expected 0 for all cores, or more.")
    return CheckpointRoute(
        CheckpointOptions(
            options.checkpoint,
            options.batch_size,
            options.engine,
            options.prompt_format,
            options.dtype,
            options.hub,
            options.threads,
        )
    )


class CheckpointRoute:
    """One thread owns the model. The batch size changes nothing with Parlour's engine but the speed."""

    in_flight_max = 1

    def __init__(self, options: CheckpointOptions) -> None:
        self.batch_size = options.batch_size
        self._options = options
        self._prompt_format = _prompt_format(options)
        self._thread = ModelThread("checkpoint")
        self._loaded: Loaded | None = None
        self._engine: BatchEngine | None = None

    async def __aenter__(self) -> "CheckpointRoute":
        await self._thread.load(self._load)
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._engine is not None:
            self._engine.stop()
        await self._thread.aclose()
        self._engine = self._loaded = None

    def _load(self) -> None:
        try:
            from evaluation.routes import checkpoint_engines as engines
        except ModuleNotFoundError as missing:
            raise EvaluationError(
                f"The package {missing.name} is missing: install it with pip install 'parlour[qwen2-audio]'."
            ) from None
        options = self._options
        self._loaded = engines.load(options.name, options.hub, options.dtype, options.threads, log.info)
        if options.engine == "parlour":
            self._engine = engines.ParlourEngine(self._loaded, options.batch_size)
        else:
            self._engine = engines.TransformersEngine(self._loaded)

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        return {
            "route": "checkpoint",
            "engine": self._options.engine,
            "prompt_format": self._prompt_format,
            "batch_size": self.batch_size,
            "padding": "left" if self._options.engine == "transformers" else "none",
            "clip_s_max": CLIP_S_MOST,
            **GREEDY,
            **(self._loaded.facts() if self._loaded is not None else {"model": self._options.name}),
        }

    def request_shown(self, question: Question) -> str:
        prompt = question.sample.prompt
        seconds = len(_heard(question)) / SAMPLE_HZ
        asked = (
            {"text": raw_text(prompt)} if self._prompt_format == "raw" else {"messages": conversation(prompt)}
        )
        shown = {**asked, "audio": f"{seconds:.2f} s at {SAMPLE_HZ} Hz", "generate": dict(GREEDY)}
        return json.dumps(shown, ensure_ascii=False, indent=2)

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        return await self._thread.run(self._answers, questions)

    def _answers(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        assert self._engine is not None
        checked = [self._asked(question) for question in questions]
        batch = [asked for asked in checked if not isinstance(asked, Failure)]
        outcomes = iter(self._engine.answer(batch) if batch else ())
        return [asked if isinstance(asked, Failure) else next(outcomes) for asked in checked]

    def _asked(self, question: Question) -> "Asked | Failure":
        from evaluation.routes.checkpoint_engines import Asked

        assert self._loaded is not None
        seconds = len(question.pcm) / SAMPLE_HZ
        if seconds < CLIP_S_LEAST:
            return Failure(
                f"a clip of {seconds * 1000:.0f} ms: expected at least {CLIP_S_LEAST * 1000:.0f} ms"
            )
        text = model_text(question.sample.prompt, self._prompt_format, self._loaded.processor)
        if text.count(PLACEHOLDER) != 1:
            return Failure(f"the prompt has {text.count(PLACEHOLDER)} places for a clip: expected one")
        return Asked(text, _heard(question))


def _heard(question: Question) -> Samples:
    return question.pcm[: round(CLIP_S_MOST * SAMPLE_HZ)]


def _prompt_format(options: CheckpointOptions) -> PromptFormat:
    if options.prompt_format != "auto":
        return options.prompt_format
    name = options.name.rstrip("/")
    return "raw" if Checkpoint(Path(name), name, 0, 0, {}).is_base else "chat"
