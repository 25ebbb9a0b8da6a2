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
from agent.engine.sampling import Choosing, Sampler, sample

VOCABULARY = 40
CPU = torch.device("cpu")


def drawn(logits: torch.Tensor, choosing: Choosing, seen: list[int], times: int) -> Counter[int]:
    torch.manual_seed(0)
    samplers = [Sampler(choosing, seen, VOCABULARY, CPU) for _ in range(times)]
    return Counter(sample(logits.expand(times, -1), samplers))


@pytest.mark.parametrize(
    "choosing",
    [
        Choosing(0.7, 20, 0.5, 1.1),
        Choosing(1.3, 0, 0.9, 1.0),
        Choosing(1.0, 5, 1.0, 1.5),
        Choosing(0.5, 1, 1.0, 1.0),
    ],
)
def test_the_distribution_is_that_of_transformers(choosing: Choosing) -> None:
    logits = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(3)) * 2
    seen = [1, 5, 7, 7]
    processors = LogitsProcessorList()
    if choosing.repetition_penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(choosing.repetition_penalty))
    processors.append(TemperatureLogitsWarper(choosing.temperature))
    if choosing.top_k:
        processors.append(TopKLogitsWarper(choosing.top_k))
    if choosing.top_p < 1:
        processors.append(TopPLogitsWarper(choosing.top_p))
    probabilities = processors(torch.tensor([seen]), logits.clone()).softmax(-1)[0]
    n = 20_000
    counts = drawn(logits, choosing, seen, n)
    assert set(counts) <= set(torch.nonzero(probabilities).flatten().tolist())
    for token, probability in enumerate(probabilities.tolist()):
        assert abs(counts[token] / n - probability) < 5 * (probability / n) ** 0.5 + 1e-3


def test_each_row_is_chosen_in_its_own_way() -> None:
    logits = torch.zeros(3, VOCABULARY)
    logits[:, 3], logits[:, 4] = 5.0, 4.9
    samplers = [
        Sampler(Choosing(), [], VOCABULARY, CPU),
        Sampler(Choosing(repetition_penalty=2.0), [3], VOCABULARY, CPU),
        Sampler(Choosing(1.0, top_k=1), [], VOCABULARY, CPU),
    ]
    assert sample(logits, samplers) == [3, 4, 3]
    # What was said counts as seen from then on.
    assert sample(logits, samplers)[1] == 3 or samplers[1].seen is not None
    assert bool(samplers[1].seen[4])  # type: ignore[index]


def test_what_a_request_leaves_open_is_the_checkpoints() -> None:
    own = Choosing(0.7, 20, 0.5, 1.1)
    assert own.asked(Sampling()) == own
    assert own.asked(Sampling(temperature=0.0, seed=4)) == Choosing(0.0, 20, 0.5, 1.1, 4)


@pytest.mark.parametrize(
    "wrong",
    [Sampling(temperature=-1), Sampling(top_p=0.0), Sampling(top_p=1.5), Sampling(repetition_penalty=0)],
)
def test_values_that_cannot_be_are_refused(wrong: Sampling) -> None:
    with pytest.raises(ValueError, match="must be"):
        Choosing().asked(wrong)
