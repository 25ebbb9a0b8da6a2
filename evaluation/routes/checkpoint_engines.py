"""A batch through a Qwen2-Audio checkpoint, greedily: by Parlour's engine, or by transformers' `generate`.

Both say the same, in float32 to the token, whatever the batch: transformers pads the shorter texts on the
left, and 5.23 leaves the padding out of its repetition penalty. Imported late: it brings torch.
"""

import gc
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any, Protocol

import numpy as np
import torch

from agent.api import AgentError
from agent.asr.windows import Samples
from agent.engine.clips import Prompt
from agent.engine.core import Ended, Job
from agent.engine.sampling import SamplingParams
from agent.models.embedded import cores
from agent.models.files import CheckedFiles
from agent.models.qwen2_audio import (
    check_memory,
    check_transformers,
    core_of,
    dtype_of,
    engine_limits,
    free_bytes,
    model_and_processor,
    stop_ids,
)
from agent.models.qwen2_audio_encoder import Features
from agent.models.qwen2_audio_files import Checkpoint, find
from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes.checkpoint_prompt import NEW_TOKENS_MAX
from evaluation.routes.route import SAMPLE_HZ, Failure

PREFILL_TOKENS = 1024
"""Of prompts, a step: nobody waits for the next token of another answer."""
_NOT_DONE = {
    "num_beams": 1,
    "no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "bad_words_ids": None,
    "sequence_bias": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "guidance_scale": None,
    "exponential_decay_length_penalty": None,
}
"""What a checkpoint may ask of transformers besides a repetition penalty: what leaves it without effect."""


@dataclass(frozen=True, slots=True)
class Asked:
    """text: as the tokenizer reads it, with one placeholder. samples: no more than the model hears."""

    text: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class Loaded:
    """sha256: of the names and digests of all files that are used."""

    checkpoint: Checkpoint
    model: Any
    processor: Any
    sha256: str

    @property
    def repetition_penalty(self) -> float:
        return float(self.model.generation_config.repetition_penalty or 1.0)

    def facts(self) -> dict[str, str | int | float | bool | None]:
        generation = self.model.generation_config
        return {
            "model": self.checkpoint.name,
            "model_sha256": self.sha256,
            "device": str(self.model.device.type),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "repetition_penalty": self.repetition_penalty,
            "stop_ids": " ".join(map(str, sorted(stop_ids(generation, self.processor.tokenizer)))),
            **{package: metadata.version(package) for package in ("parlour", "torch", "transformers")},
        }


def load(name: str, hub: str, dtype: str, threads: int, report: Callable[[str], None]) -> Loaded:
    """Blocks, for as long as a download takes. threads: 0 for all cores. Raises EvaluationError."""
    try:
        check_transformers(metadata.version("transformers"))
        checkpoint = find(name, hub, report)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        chosen = dtype_of(dtype, device)
        check_memory(checkpoint, chosen, device, free_bytes(device))
        torch.set_num_threads(threads or cores())
        report(f"loading {checkpoint.name} ({checkpoint.weights_bytes / 1e9:.1f} GB) ...")
        model, processor = model_and_processor(checkpoint, device, chosen)
    except AgentError as error:
        raise EvaluationError(error.message) from None
    gc.collect()
    return Loaded(checkpoint, model, processor, _sha256(checkpoint))


def _sha256(checkpoint: Checkpoint) -> str:
    known = CheckedFiles()
    used = (".json", ".safetensors", ".txt", ".jinja")
    files = sorted(file for file in checkpoint.folder.iterdir() if file.suffix in used)
    lines = "".join(f"{known.sha256(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


class BatchEngine(Protocol):
    def answer(self, batch: Sequence[Asked]) -> list[Answer | Failure]:
        """Blocks. One outcome for each, in order."""
        ...

    def stop(self) -> None:
        """From another thread: what is being answered is wanted no more."""
        ...


class ParlourEngine:
    """Owns the model: no other engine can use it any more."""

    def __init__(self, loaded: Loaded, batch_size: int) -> None:
        """Raises EvaluationError for a checkpoint that asks for more than a repetition penalty."""
        generation = loaded.model.generation_config
        for name, without_effect in _NOT_DONE.items():
            if getattr(generation, name, None) not in (None, without_effect):
                raise EvaluationError(
                    f"{loaded.checkpoint.name}: its generation_config.json sets {name}, and Parlour's engine "
                    "does not know that: take --engine transformers."
                )
        limits = engine_limits(loaded.model, loaded.model.device)
        self._context_tokens = limits.context_tokens
        self._core = core_of(
            loaded.model,
            loaded.processor,
            replace(limits, batch_max=batch_size, prefill_tokens=max(limits.prefill_tokens, PREFILL_TOKENS)),
        )
        self._tokenizer = loaded.processor.tokenizer
        self._features = Features(loaded.processor.feature_extractor)
        self._audio_id = loaded.model.config.audio_token_id
        stops = tuple(sorted(stop_ids(generation, self._tokenizer)))
        self._sampling = SamplingParams(repetition_penalty=loaded.repetition_penalty, never_first=stops)
        self._n_asked = 0
        self._is_stopped = False

    def answer(self, batch: Sequence[Asked]) -> list[Answer | Failure]:
        began = time.perf_counter()
        jobs = [self._job(asked) for asked in batch]
        failures: dict[Job, AgentError] = {}
        for job in jobs:
            if isinstance(job, Job):
                self._core.submit(job)
        while self._core.has_work:
            if self._is_stopped:
                for job in jobs:
                    if isinstance(job, Job):
                        self._core.abort(job)
            for output in self._core.step():
                if isinstance(output, Ended) and output.failure is not None:
                    failures[output.job] = output.failure
        timing = _Timing(time.perf_counter() - began, len(batch))
        return [
            job if isinstance(job, Failure) else self._outcome(job, asked, failures.get(job), timing)
            for job, asked in zip(jobs, batch, strict=True)
        ]

    def stop(self) -> None:
        self._is_stopped = True

    def _job(self, asked: Asked) -> Job | Failure:
        ids = self._tokenizer(asked.text)["input_ids"]
        place = ids.index(self._audio_id)
        digest = hashlib.blake2b(asked.samples.tobytes(), digest_size=16).digest()
        clip = self._features.clip(digest, asked.samples)
        before, after = (np.asarray(part, np.int64) for part in (ids[:place], ids[place + 1 :]))
        prompt = Prompt((before, clip, after))
        room = self._context_tokens - NEW_TOKENS_MAX
        if prompt.n_tokens > room:
            return Failure(f"the prompt takes {prompt.n_tokens} tokens: expected at most {room}")
        self._n_asked += 1
        return Job(f"question {self._n_asked}", prompt, NEW_TOKENS_MAX, self._sampling)

    def _outcome(
        self, job: Job, asked: Asked, failure: AgentError | None, timing: "_Timing"
    ) -> Answer | Failure:
        if failure is not None or self._is_stopped:
            return Failure(failure.message if failure else "the run was stopped")
        assert job.generation is not None  # it was submitted
        tokens = job.generation.tokens
        return _answer(self._tokenizer, tokens, asked, len(tokens) == NEW_TOKENS_MAX, timing)


class TransformersEngine:
    """`generate` itself, padded on the left: what upstream's scripts run."""

    def __init__(self, loaded: Loaded) -> None:
        self._model = loaded.model
        self._processor = loaded.processor
        self._processor.tokenizer.padding_side = "left"
        self._stops = stop_ids(loaded.model.generation_config, loaded.processor.tokenizer)

    def answer(self, batch: Sequence[Asked]) -> list[Answer | Failure]:
        began = time.perf_counter()
        inputs = self._processor(
            text=[asked.text for asked in batch],
            audio=[asked.samples for asked in batch],
            sampling_rate=SAMPLE_HZ,
            return_tensors="pt",
            padding=True,
        ).to(self._model.device, self._model.dtype)
        try:
            with torch.inference_mode():
                ids = self._model.generate(
                    **inputs, max_new_tokens=NEW_TOKENS_MAX, min_new_tokens=1, do_sample=False
                )
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            sentence = f"a batch of {len(batch)} does not fit into memory: take a smaller --batch-size"
            return [Failure(sentence)] * len(batch)
        timing = _Timing(time.perf_counter() - began, len(batch))
        rows = ids[:, inputs["input_ids"].shape[1] :].tolist()
        return [self._outcome(row, asked, timing) for row, asked in zip(rows, batch, strict=True)]

    def stop(self) -> None:
        """What `generate` has begun, it ends."""

    def _outcome(self, row: list[int], asked: Asked, timing: "_Timing") -> Answer:
        end = next((place for place, token in enumerate(row) if token in self._stops), len(row))
        return _answer(self._processor.tokenizer, row[:end], asked, end == NEW_TOKENS_MAX, timing)


@dataclass(frozen=True, slots=True)
class _Timing:
    """Of a batch: what one of several clips took by itself, nobody can say."""

    batch_s: float
    n_clips: int


def _answer(tokenizer: Any, tokens: list[int], asked: Asked, is_cut: bool, timing: _Timing) -> Answer:
    return Answer(
        response=tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False),
        finish_reason="length" if is_cut else "stop",
        output_tokens=len(tokens),
        total_s=timing.batch_s if timing.n_clips == 1 else None,
        heard_s=len(asked.samples) / SAMPLE_HZ,
        measures={"batch_s": timing.batch_s},
    )
