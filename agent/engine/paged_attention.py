"""Attention of many conversations in one pass, each over its own keys and values in a shared pool.

A function for transformers' attention interface: the model's layers call it, and what the pass is
made of comes along as `passage`. Nothing of the size of a mask over all tokens is ever made. On a
GPU it is FlashAttention over the pool's pages (torch.nn.attention.varlen); on a CPU each
conversation's part is a call of its own, over a view of the pool where its blocks are neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AttentionInterface

from agent.engine.batch import Chunk, slots_of
from agent.engine.transfer import to_device

NAME = "parlour_paged"


class KVPool:
    """Keys and values of all layers: per layer (n_blocks * block_size, n_kv_heads, head_dim)."""

    def __init__(
        self,
        n_layers: int,
        n_blocks: int,
        block_size: int,
        n_kv_heads: int,
        head_dim: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        shape = (n_blocks * block_size, n_kv_heads, head_dim)
        self.block_size = block_size
        # Zeros, not garbage: what a kernel reads beyond the end and then weighs with 0 must not be NaN.
        self.keys = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(n_layers)]
        self.values = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(n_layers)]

    def copy(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """source, target: slots, (n,) each."""
        for pool in (*self.keys, *self.values):
            pool[target] = pool[source]


@dataclass(frozen=True, slots=True)
class _Part:
    """One conversation's part of a pass. begin, end: its new tokens among all.

    slots: of all its positions: a slice where they are neighbours in the pool, else their indices.
    """

    begin: int
    end: int
    slots: slice | torch.Tensor
    mask: torch.Tensor | None  # (n_new, n_positions), True where a token may look; None where all may


@dataclass(frozen=True, slots=True)
class Pages:
    """The same parts for FlashAttention, int32. table: (n_parts, n_pages), pages of the pool.

    cu_q: (n_parts + 1,), where each part's new tokens begin, and where the last one's end; cu_k: the
    same of all positions. n_used: (n_parts,), how many positions each has.
    """

    cu_q: torch.Tensor
    cu_k: torch.Tensor
    n_used: torch.Tensor
    table: torch.Tensor
    max_q: int
    max_k: int


@dataclass(frozen=True, slots=True)
class Passage:
    """What a pass is made of. new_slots: (n_tokens,), where the new keys and values go."""

    pool: KVPool
    new_slots: torch.Tensor
    parts: Sequence[_Part]
    pages: Pages | None


def passage(pool: KVPool, chunks: Sequence[Chunk], device: torch.device) -> Passage:
    """The parts of the chunks, in order."""
    new = np.concatenate(
        [slots_of(chunk.blocks, pool.block_size, chunk.start, chunk.end) for chunk in chunks]
    )
    if device.type == "cuda":
        return Passage(pool, to_device(new, device), (), pages(pool, chunks, device))
    parts: list[_Part] = []
    begin = 0
    for chunk in chunks:
        n_new = len(chunk.keys)
        mask = None
        if n_new > 1 and chunk.start > 0:
            mask = torch.ones(n_new, chunk.end, dtype=torch.bool).tril(chunk.start)
        parts.append(_Part(begin, begin + n_new, _slots(chunk, pool.block_size), mask))
        begin += n_new
    return Passage(pool, torch.from_numpy(new), parts, None)


def _slots(chunk: Chunk, block_size: int) -> slice | torch.Tensor:
    first, blocks = chunk.blocks[0], chunk.blocks
    if blocks == tuple(range(first, first + len(blocks))):
        return slice(first * block_size, first * block_size + chunk.end)
    return torch.from_numpy(slots_of(blocks, block_size, 0, chunk.end))


def pages(pool: KVPool, chunks: Sequence[Chunk], device: torch.device) -> Pages:
    """FlashAttention's view of the chunks; one transfer to the device."""
    n, n_pages = len(chunks), max(len(chunk.blocks) for chunk in chunks)
    packed = np.zeros(3 * n + 2 + n * n_pages, np.int32)
    packed[: n + 1] = [0, *accumulate(len(chunk.keys) for chunk in chunks)]
    packed[n + 1 : 2 * n + 2] = [0, *accumulate(chunk.end for chunk in chunks)]
    packed[2 * n + 2 : 3 * n + 2] = [chunk.end for chunk in chunks]
    table = packed[3 * n + 2 :].reshape(n, n_pages)
    for row, chunk in enumerate(chunks):
        table[row, : len(chunk.blocks)] = chunk.blocks
    on_device = to_device(packed, device)
    return Pages(
        on_device[: n + 1],
        on_device[n + 1 : 2 * n + 2],
        on_device[2 * n + 2 : 3 * n + 2],
        on_device[3 * n + 2 :].view(n, n_pages),
        max(len(chunk.keys) for chunk in chunks),
        max(chunk.end for chunk in chunks),
    )


def paged_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    passage: Passage,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """query: (1, n_heads, n_tokens, head_dim); key, value: (1, n_kv_heads, n_tokens, head_dim), all with
    their positions in. Returns (1, n_tokens, n_heads, head_dim)."""
    layer: Any = module.layer_idx  # set by transformers
    keys, values = passage.pool.keys[layer], passage.pool.values[layer]
    keys.index_copy_(0, passage.new_slots, key[0].transpose(0, 1))
    values.index_copy_(0, passage.new_slots, value[0].transpose(0, 1))
    if passage.pages is not None:
        return _on_pages(query, keys, values, passage, scaling), None
    outputs = [
        _attend(query[0, :, part.begin : part.end], keys, values, part, scaling) for part in passage.parts
    ]
    return torch.cat(outputs)[None], None


def _attend(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, part: _Part, scaling: float
) -> torch.Tensor:
    """query: (n_heads, n_new, head_dim). Returns (n_new, n_heads, head_dim)."""
    key = keys[part.slots].transpose(0, 1)
    value = values[part.slots].transpose(0, 1)
    n_heads, n_new, head_dim = query.shape
    n_kv = key.shape[0]
    if n_new == 1:
        # The heads that share keys stand where the tokens of a query would: nothing has to be repeated.
        grouped = query.reshape(1, n_kv, n_heads // n_kv, head_dim)
        output = functional.scaled_dot_product_attention(grouped, key[None], value[None], scale=scaling)
        return output.reshape(1, n_heads, head_dim)
    output = functional.scaled_dot_product_attention(
        query[None],
        key[None],
        value[None],
        attn_mask=part.mask,
        is_causal=part.mask is None,
        scale=scaling,
        enable_gqa=n_kv != n_heads,
    )
    return output[0].transpose(0, 1)


def _on_pages(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, passage: Passage, scaling: float
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn

    pages = passage.pages
    assert pages is not None
    shape = (-1, passage.pool.block_size, *keys.shape[1:])
    output = varlen_attn(
        query[0].transpose(0, 1).contiguous(),
        keys.view(shape),
        values.view(shape),
        pages.cu_q,
        pages.cu_k,
        pages.max_q,
        pages.max_k,
        scale=scaling,
        window_size=(-1, 0),
        enable_gqa=keys.shape[1] != query.shape[1],
        seqused_k=pages.n_used,
        block_table=pages.table,
    )
    assert isinstance(output, torch.Tensor)
    return output[None]


AttentionInterface.register(NAME, paged_attention)
