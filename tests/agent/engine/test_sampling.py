"""Sampling is transformers' own: the same tokens stay, with the same probabilities."""

from collections import Counter

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from agent.api import Sampling
from agent.engine.sampling import Sampler, SamplingParams, sample

VOCABULARY = 40
CPU = torch.device("cpu")


def drawn(logits: torch.Tensor, sampling_params: SamplingParams, seen: list[int], times: int) -> Counter[int]:
    torch.manual_seed(0)
    samplers = [Sampler(sampling_params, seen, VOCABULARY, CPU) for _ in range(times)]
    return Counter(sample(logits.expand(times, -1), samplers))


@pytest.mark.parametrize(
    "sampling_params",
    [
        SamplingParams(0.7, 20, 0.5, 1.1),
        SamplingParams(1.3, 0, 0.9, 1.0),
        SamplingParams(1.0, 5, 1.0, 1.5),
        SamplingParams(0.5, 1, 1.0, 1.0),
    ],
)
def test_the_distribution_is_that_of_transformers(sampling_params: SamplingParams) -> None:
    logits = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(3)) * 2
    seen = [1, 5, 7, 7]
    processors = LogitsProcessorList()
    if sampling_params.repetition_penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(sampling_params.repetition_penalty))
    processors.append(TemperatureLogitsWarper(sampling_params.temperature))
    if sampling_params.top_k:
        processors.append(TopKLogitsWarper(sampling_params.top_k))
    if sampling_params.top_p < 1:
        processors.append(TopPLogitsWarper(sampling_params.top_p))
    probabilities = processors(torch.tensor([seen]), logits.clone()).softmax(-1)[0]
    n = 20_000
    counts = drawn(logits, sampling_params, seen, n)
    assert set(counts) <= set(torch.nonzero(probabilities).flatten().tolist())
    for token, probability in enumerate(probabilities.tolist()):
        assert abs(counts[token] / n - probability) < 5 * (probability / n) ** 0.5 + 1e-3


def test_an_answer_does_not_begin_with_what_may_not_be_first() -> None:
    logits = torch.zeros(2, VOCABULARY)
    logits[:, 3], logits[:, 4], logits[:, 5] = 5.0, 4.0, 3.0
    as_given = logits.clone()
    samplers = [
        Sampler(SamplingParams(never_first=(3, 4)), [], VOCABULARY, CPU),
        Sampler(SamplingParams(), [], VOCABULARY, CPU),
    ]
    assert sample(logits, samplers) == [5, 3]
    assert sample(logits, samplers) == [3, 3]
    assert torch.equal(logits, as_given)


def test_each_row_is_chosen_in_its_own_way() -> None:
    logits = torch.zeros(3, VOCABULARY)
    logits[:, 3], logits[:, 4] = 5.0, 4.9
    samplers = [
        Sampler(SamplingParams(), [], VOCABULARY, CPU),
        Sampler(SamplingParams(repetition_penalty=2.0), [3], VOCABULARY, CPU),
        Sampler(SamplingParams(1.0, top_k=1), [], VOCABULARY, CPU),
    ]
    assert sample(logits, samplers) == [3, 4, 3]
    # What was said counts as seen from then on.
    assert sample(logits, samplers)[1] == 3 or samplers[1].seen is not None
    assert bool(samplers[1].seen[4])  # type: ignore[index]


def test_what_a_request_leaves_open_is_the_checkpoints() -> None:
    own = SamplingParams(0.7, 20, 0.5, 1.1)
    assert own.asked(Sampling()) == own
    assert own.asked(Sampling(temperature=0.0, seed=4)) == SamplingParams(0.0, 20, 0.5, 1.1, 4)


@pytest.mark.parametrize(
    "wrong",
    [Sampling(temperature=-1), Sampling(top_p=0.0), Sampling(top_p=1.5), Sampling(repetition_penalty=0)],
)
def test_values_that_cannot_be_are_refused(wrong: Sampling) -> None:
    with pytest.raises(ValueError, match="must be"):
        SamplingParams().asked(wrong)
