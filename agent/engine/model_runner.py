"""Runs a language model of transformers over chunks of many conversations, KV cache included.

It drives the model's own layers, so weights and arithmetic are transformers'; only attention is
ours. Where a pass is one token of each, on a GPU, a CUDA graph of it is replayed: launching the
kernels one by one takes several times as long as running them.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from agent.engine.batch import Chunk, slots_of
from agent.engine.kv_cache import Copy
from agent.engine.paged_attention import NAME, KVPool, Pages, Passage, passage, to_device

GRAPH_SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64)
"""Batches that get a graph of their own; others are filled up to the next one."""


class Runner(Protocol):
    """What the engine needs of a model. On the engine's thread."""

    vocabulary: int
    device: torch.device

    def forward(self, chunks: Sequence[Chunk], audio: Sequence[Sequence["Audio"]]) -> torch.Tensor:
        """Compute the chunks; return the logits (n, vocabulary) of those that want them, in order.

        audio[i]: the embeddings in chunks[i]. Raises torch.OutOfMemoryError, RuntimeError.
        """
        ...

    def copy(self, copy: Copy, blocks: Sequence[int]) -> None:
        """Fill the first positions of `blocks` with those of another sequence."""
        ...


class Audio:
    """Embeddings (n, d_model) that stand in a chunk from place `offset` on."""

    __slots__ = ("embeddings", "offset")

    def __init__(self, offset: int, embeddings: torch.Tensor) -> None:
        self.offset = offset
        self.embeddings = embeddings


class ModelRunner:
    """language_model: a decoder of transformers without its head, such as Qwen2Model."""

    def __init__(
        self,
        language_model: Any,
        lm_head: nn.Module,
        n_blocks: int,
        block_size: int,
        pages_max: int,
        batch_max: int,
    ) -> None:
        """pages_max: blocks of the longest conversation. batch_max: conversations that decode at once."""
        config = language_model.config
        self._model = language_model
        self._head = lm_head
        self._embed: nn.Embedding = language_model.embed_tokens
        self.vocabulary: int = config.vocab_size
        self.device: torch.device = self._embed.weight.device
        config._attn_implementation = NAME
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        # One block more than is leased: where graphs that were filled up write what nobody reads.
        self._pool = KVPool(
            config.num_hidden_layers,
            n_blocks + 1,
            block_size,
            config.num_key_value_heads,
            head_dim,
            self.device,
            self._embed.weight.dtype,
        )
        self._spare_block = n_blocks
        self._graphs: dict[int, _DecodeGraph] = {}
        if self.device.type == "cuda":
            self._capture(pages_max, batch_max)

    @torch.inference_mode()
    def forward(self, chunks: Sequence[Chunk], audio: Sequence[Sequence[Audio]]) -> torch.Tensor:
        graph = self._graph_for(chunks)
        if graph is not None:
            return graph.replay(chunks)
        embeds = self._embedded(chunks, audio)
        positions = np.concatenate([np.arange(chunk.start, chunk.end) for chunk in chunks])
        hidden = self._hidden(
            embeds, to_device(positions, self.device), passage(self._pool, chunks, self.device)
        )
        ends = np.cumsum([len(chunk.keys) for chunk in chunks]) - 1
        wanting = ends[[chunk.wants_logits for chunk in chunks]]
        if len(wanting) == 0:
            return torch.empty((0, self.vocabulary), device=self.device)
        logits: torch.Tensor = self._head(hidden[to_device(wanting, self.device)])
        return logits

    @torch.inference_mode()
    def copy(self, copy: Copy, blocks: Sequence[int]) -> None:
        size, count = self._pool.block_size, copy.n_positions
        source = slots_of(copy.source.blocks, size, 0, count)
        target = slots_of(list(blocks), size, 0, count)
        self._pool.copy(to_device(source, self.device), to_device(target, self.device))

    def _hidden(self, embeds: torch.Tensor, positions: torch.Tensor, passage: Passage) -> torch.Tensor:
        """embeds: (n_tokens, d_model); positions: (n_tokens,). Returns the same shape, after the norm."""
        output = self._model(
            inputs_embeds=embeds[None],
            position_ids=positions[None],
            attention_mask=dict.fromkeys(set(self._model.config.layer_types)),
            use_cache=False,
            passage=passage,
        )
        hidden: torch.Tensor = output.last_hidden_state[0]
        return hidden

    def _embedded(self, chunks: Sequence[Chunk], audio: Sequence[Sequence[Audio]]) -> torch.Tensor:
        keys = np.concatenate([chunk.keys for chunk in chunks])
        ids = to_device(np.where(keys < self.vocabulary, keys, 0), self.device)
        embeds: torch.Tensor = self._embed(ids)
        begin = 0
        for chunk, pieces in zip(chunks, audio, strict=True):
            for piece in pieces:
                place = begin + piece.offset
                embeds[place : place + len(piece.embeddings)] = piece.embeddings
            begin += len(chunk.keys)
        return embeds

    # CUDA graphs -----------------------------------------------------------------------------

    def _capture(self, pages_max: int, batch_max: int) -> None:
        sizes = sorted({*(size for size in GRAPH_SIZES if size < batch_max), batch_max}, reverse=True)
        memory = None
        for size in sizes:  # the largest first: the others then fit into its memory
            graph = _DecodeGraph(self, size, pages_max, memory)
            memory = graph.memory
            self._graphs[size] = graph

    def _graph_for(self, chunks: Sequence[Chunk]) -> "_DecodeGraph | None":
        if not self._graphs or any(len(chunk.keys) != 1 or not chunk.wants_logits for chunk in chunks):
            return None
        return self._graphs[min(size for size in self._graphs if size >= len(chunks))]


class _DecodeGraph:
    """One token of each of `size` conversations, as one launch. Rows too many go into the spare block."""

    def __init__(self, runner: ModelRunner, size: int, pages_max: int, memory: Any) -> None:
        device = runner.device
        self._runner = runner
        self._size = size
        self._n_pages = pages_max
        block_size = runner._pool.block_size
        # All inputs in one tensor, so that a step has one transfer: ids, positions, slots, lengths, pages.
        self._host = torch.zeros(4 * size + size * pages_max, dtype=torch.int64).pin_memory()
        self._inputs = self._host.to(device)
        ids, positions, slots, used = self._inputs[: 4 * size].view(4, size)
        table = self._inputs[4 * size :].view(size, pages_max)

        def step() -> torch.Tensor:
            pages = Pages(
                torch.arange(size + 1, dtype=torch.int32, device=device),
                used.to(torch.int32),
                table.to(torch.int32),
                1,
                pages_max * block_size,
            )
            passage = Passage(runner._pool, slots, (), pages)
            logits: torch.Tensor = runner._head(runner._hidden(runner._embed(ids), positions, passage))
            return logits

        self._write([])
        side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side), torch.inference_mode():
            self._inputs.copy_(self._host)
            for _ in range(2):  # libraries allocate at their first calls, which a graph may not
                step()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.graph(self._graph, pool=memory):
            self._logits: torch.Tensor = step()
        self.memory = self._graph.pool()

    def replay(self, chunks: Sequence[Chunk]) -> torch.Tensor:
        self._write(chunks)
        self._inputs.copy_(self._host, non_blocking=True)
        self._graph.replay()
        return self._logits[: len(chunks)]

    def _write(self, chunks: Sequence[Chunk]) -> None:
        size, block_size = self._size, self._runner._pool.block_size
        spare = self._runner._spare_block
        host = self._host.numpy()
        rows, table = host[: 4 * size].reshape(4, size), host[4 * size :].reshape(size, self._n_pages)
        rows[:, len(chunks) :] = [[0], [0], [spare * block_size], [1]]
        table[len(chunks) :, 0] = spare
        for row, chunk in enumerate(chunks):
            slot = chunk.blocks[chunk.start // block_size] * block_size + chunk.start % block_size
            rows[:, row] = chunk.keys[0], chunk.start, slot, chunk.end
            table[row, : len(chunk.blocks)] = chunk.blocks
