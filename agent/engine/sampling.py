"""Logits -> the next tokens, for answers that are each sampled in a way of their own.

In transformers' order: the repetition penalty, then temperature, then top-k, then top-p. One
transfer from the device per step brings all tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from agent.api import Sampling
from agent.engine.transfer import to_device


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are chosen, nothing left open. temperature 0: the likeliest. top_k 0, top_p 1: of all.

    never_first: ids that no answer begins with; with all that end one, this is transformers'
    `min_new_tokens=1`.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    never_first: tuple[int, ...] = ()

    def asked(self, sampling: Sampling) -> "SamplingParams":
        """The same, but for what a request asks otherwise. Raises ValueError for what cannot be."""
        chosen = SamplingParams(
            self.temperature if sampling.temperature is None else sampling.temperature,
            self.top_k if sampling.top_k is None else max(0, sampling.top_k),
            self.top_p if sampling.top_p is None else sampling.top_p,
            self.repetition_penalty if sampling.repetition_penalty is None else sampling.repetition_penalty,
            sampling.seed,
            self.never_first,
        )
        if not 0 <= chosen.temperature <= 100:
            raise ValueError(f"temperature must be from 0 to 100, not {chosen.temperature}")
        if not 0 < chosen.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {chosen.top_p}")
        if not 0 < chosen.repetition_penalty <= 100:
            raise ValueError(f"repetition_penalty must be above 0, not {chosen.repetition_penalty}")
        return chosen


class Sampler:
    """Of one answer: what it has seen, and its own chance.

    seen: ids of the prompt, audio as the audio token's id, as transformers counts them.
    """

    def __init__(
        self, sampling_params: SamplingParams, seen: Sequence[int], vocabulary: int, device: torch.device
    ) -> None:
        self.sampling_params = sampling_params
        self.seen: torch.Tensor | None = None
        self.barred = sampling_params.never_first
        self.generator: torch.Generator | None = None
        if sampling_params.repetition_penalty != 1.0:
            self.seen = torch.zeros(vocabulary, dtype=torch.bool, device=device)
            self.seen[torch.from_numpy(np.unique(np.asarray(seen, np.int64))).to(device)] = True
        if sampling_params.seed is not None and sampling_params.temperature > 0:
            self.generator = torch.Generator(device=device)
            self.generator.manual_seed(sampling_params.seed % 2**63)


def sample(logits: torch.Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """logits: (n, vocabulary), one row for each sampler. Returns n tokens; waits for the device once."""
    logits = logits.float()
    choosings = [sampler.sampling_params for sampler in samplers]
    if any(sampler.seen is not None for sampler in samplers):
        logits = _penalised(logits, samplers)
    for row, sampler in enumerate(samplers):
        if sampler.barred:
            # Not in place: without a penalty this is the caller's own tensor.
            logits = logits.index_put(_cells(row, sampler.barred, logits), logits.new_tensor(-torch.inf))
    tokens = logits.argmax(dim=-1)
    drawing = [row for row, sampling_params in enumerate(choosings) if sampling_params.temperature > 0]
    if drawing:
        rows = to_device(np.array(drawing), logits.device)
        drawn = _drawn(logits[rows], [samplers[row] for row in drawing])
        tokens = tokens.index_copy(0, rows, drawn)
    if any(sampler.seen is not None for sampler in samplers):
        for row, sampler in enumerate(samplers):
            if sampler.seen is not None:
                sampler.seen.index_fill_(0, tokens[row : row + 1], True)
    for sampler in samplers:
        sampler.barred = ()
    return [int(token) for token in tokens.tolist()]


def _penalised(logits: torch.Tensor, samplers: Sequence[Sampler]) -> torch.Tensor:
    nothing = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    seen = torch.stack([nothing if sampler.seen is None else sampler.seen for sampler in samplers])
    penalties = _column([sampler.sampling_params.repetition_penalty for sampler in samplers], logits)
    return torch.where(seen, torch.where(logits < 0, logits * penalties, logits / penalties), logits)


def _cells(row: int, ids: Sequence[int], like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    columns = to_device(np.array(ids), like.device)
    return torch.full_like(columns, row), columns


def _drawn(logits: torch.Tensor, samplers: Sequence[Sampler]) -> torch.Tensor:
    choosings = [sampler.sampling_params for sampler in samplers]
    logits = logits / _column([sampling_params.temperature for sampling_params in choosings], logits)
    vocabulary = logits.shape[-1]
    if any(sampling_params.top_k for sampling_params in choosings):
        counts = [min(sampling_params.top_k or vocabulary, vocabulary) for sampling_params in choosings]
        best = logits.topk(max(counts), dim=-1).values
        places = to_device(np.array(counts), logits.device)[:, None] - 1
        logits = logits.masked_fill(logits < best.gather(1, places), -torch.inf)
    if any(sampling_params.top_p < 1 for sampling_params in choosings):
        ascending, order = logits.sort(dim=-1)
        cumulated = ascending.softmax(dim=-1).cumsum(dim=-1)
        unlikely = cumulated <= 1 - _column([sampling_params.top_p for sampling_params in choosings], logits)
        unlikely[:, -1] = False  # the likeliest stays always
        logits = logits.masked_fill(unlikely.scatter(1, order, unlikely), -torch.inf)
    # The likeliest after exponential noise is a draw by probability, without a transfer in between.
    noise = torch.empty_like(logits).exponential_()
    for row, sampler in enumerate(samplers):
        if sampler.generator is not None:
            noise[row].exponential_(generator=sampler.generator)
    return (logits.softmax(dim=-1) / noise).argmax(dim=-1)


def _column(values: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    return to_device(np.array(values, np.float32), like.device)[:, None]
