"""The way of a GPU, on a CPU: pages and replayed steps, with FlashAttention's contract kept by plain code."""

from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.nn.attention import varlen

from agent.api import AssistantMessage
from agent.engine import model_runner, paged_attention
from tests.agent.engine.speech_models import Bench, Reference, spoken, transformers_tiny, typed


def flash_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seq_q: torch.Tensor,
    cu_seq_k: torch.Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float,
    window_size: tuple[int, int],
    enable_gqa: bool,
    seqused_k: torch.Tensor,
    block_table: torch.Tensor,
) -> torch.Tensor:
    """torch.nn.attention.varlen.varlen_attn, by its documentation. The last query sees all that is used."""
    n = len(seqused_k)
    assert window_size == (-1, 0)
    assert {t.dtype for t in (cu_seq_q, cu_seq_k, seqused_k, block_table)} == {torch.int32}
    assert cu_seq_q.shape == cu_seq_k.shape == (n + 1,)
    assert block_table.shape[0] == n
    assert max_k >= int(seqused_k.max())
    outputs = []
    for row in range(n):
        begin, end = int(cu_seq_q[row]), int(cu_seq_q[row + 1])
        used = int(seqused_k[row])
        assert end - begin <= max_q
        keys = key[block_table[row].long()].flatten(0, 1)[:used].transpose(0, 1)
        values = value[block_table[row].long()].flatten(0, 1)[:used].transpose(0, 1)
        mask = torch.ones(end - begin, used, dtype=torch.bool).tril(used - (end - begin))
        output = functional.scaled_dot_product_attention(
            query[begin:end].transpose(0, 1)[None],
            keys[None],
            values[None],
            attn_mask=mask,
            scale=scale,
            enable_gqa=enable_gqa,
        )
        outputs.append(output[0].transpose(0, 1))
    return torch.cat(outputs)


@pytest.fixture
def paged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pass goes over pages, as on a GPU."""

    def passage(pool: Any, chunks: Any, device: torch.device) -> paged_attention.Passage:
        new = [paged_attention.slots_of(one.blocks, pool.block_size, one.start, one.end) for one in chunks]
        slots = torch.cat([torch.from_numpy(one) for one in new])
        return paged_attention.Passage(pool, slots, (), paged_attention.pages(pool, chunks, device))

    monkeypatch.setattr(varlen, "varlen_attn", flash_attention)
    monkeypatch.setattr(model_runner, "passage", passage)


@pytest.mark.usefixtures("paged")
def test_pages_and_replayed_steps_answer_as_transformers_does() -> None:
    reference = Reference(transformers_tiny())
    bench = Bench(prefill_tokens=40)
    runner: Any = bench.core._runner
    runner.make_graphs(pages_max=32, batch_max=6)
    replays = []
    for size, graph in runner._graphs.items():
        graph.replay = lambda chunks, size=size, replay=graph.replay: (replays.append(size), replay(chunks))[
            1
        ]
    histories = [
        [spoken(1, 1.0)],
        [typed("Hello"), AssistantMessage("Hm."), spoken(2, 0.4)],
        [typed("Tell me something long.")],
        [spoken(3, 0.2)],
        [spoken(4, 0.5)],
    ]
    jobs = [bench.ask(f"c{number}", messages, 6 + number) for number, messages in enumerate(histories)]
    bench.run()
    for number, (job, messages) in enumerate(zip(jobs, histories, strict=True)):
        assert bench.answers[job] == reference.tokens(messages, 6 + number)
    again = [*histories[0], AssistantMessage(bench.text(bench.answers[jobs[0]])), typed("And?")]
    assert bench.answer("c0", again, 8) == reference.tokens(again, 8)
    assert {1, 2, 4} & set(replays)  # batches of several sizes, some filled up


@pytest.mark.usefixtures("paged")
def test_rows_that_fill_up_a_batch_touch_nobody() -> None:
    """Three answers in a graph for four: the fourth row writes where nothing is kept."""
    bench = Bench()
    runner: Any = bench.core._runner
    runner.make_graphs(pages_max=32, batch_max=4)
    alone = Bench().answer("a", [spoken(9)], 10)
    jobs = [bench.ask(name, [spoken(9)], 10) for name in "abc"]
    bench.run()
    assert [bench.answers[job] for job in jobs] == [alone] * 3
