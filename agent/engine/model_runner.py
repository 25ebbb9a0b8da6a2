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
from agent.engine.paged_attention import NAME, KVPool, Pages, Passage, passage
from agent.engine.transfer import to_device

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
        self.head = lm_head
        self.embed: nn.Embedding = language_model.embed_tokens
        self.vocabulary: int = config.vocab_size
        self.device: torch.device = self.embed.weight.device
        config._attn_implementation = NAME
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        # One block more than is leased: where graphs that were filled up write what nobody reads.
        self.pool = KVPool(
            config.num_hidden_layers,
            n_blocks + 1,
            block_size,
            config.num_key_value_heads,
            head_dim,
            self.device,
            self.embed.weight.dtype,
        )
        self.spare_block = n_blocks
        self._graphs: dict[int, _DecodeGraph] = {}
        if self.device.type == "cuda":
            self.make_graphs(pages_max, batch_max)

    @torch.inference_mode()
    def forward(self, chunks: Sequence[Chunk], audio: Sequence[Sequence[Audio]]) -> torch.Tensor:
        graph = self._graph_for(chunks)
        if graph is not None:
            return graph.replay(chunks)
        embeds = self._embedded(chunks, audio)
        positions = np.concatenate([np.arange(chunk.start, chunk.end) for chunk in chunks])
        hidden = self.hidden(
            embeds, to_device(positions, self.device), passage(self.pool, chunks, self.device)
        )
        ends = np.cumsum([len(chunk.keys) for chunk in chunks]) - 1
        wanting = ends[[chunk.wants_logits for chunk in chunks]]
        if len(wanting) == 0:
            return torch.empty((0, self.vocabulary), device=self.device)
        logits: torch.Tensor = self.head(hidden[to_device(wanting, self.device)])
        return logits

    @torch.inference_mode()
    def copy(self, copy: Copy, blocks: Sequence[int]) -> None:
        size, count = self.pool.block_size, copy.n_positions
        source = slots_of(copy.source.blocks, size, 0, count)
        target = slots_of(list(blocks), size, 0, count)
        self.pool.copy(to_device(source, self.device), to_device(target, self.device))

    def hidden(self, embeds: torch.Tensor, positions: torch.Tensor, passage: Passage) -> torch.Tensor:
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
        embeds: torch.Tensor = self.embed(ids)
        begin = 0
        for chunk, pieces in zip(chunks, audio, strict=True):
            for piece in pieces:
                place = begin + piece.offset
                embeds[place : place + len(piece.embeddings)] = piece.embeddings
            begin += len(chunk.keys)
        return embeds

    # Decoding --------------------------------------------------------------------------------

    def make_graphs(self, pages_max: int, batch_max: int) -> None:
        """Have decoding of up to batch_max conversations, pages_max blocks long, ready to be replayed."""
        sizes = sorted({*(size for size in GRAPH_SIZES if size < batch_max), batch_max}, reverse=True)
        memory = None
        for size in sizes:  # the largest first: the others then fit into its memory
            graph = _DecodeGraph(self, size, pages_max)
            if self.device.type == "cuda":
                memory = graph.capture(memory)
            self._graphs[size] = graph

    def _graph_for(self, chunks: Sequence[Chunk]) -> "_DecodeGraph | None":
        if not self._graphs or any(len(chunk.keys) != 1 or not chunk.wants_logits for chunk in chunks):
            return None
        if any(chunk.keys[0] >= self.vocabulary for chunk in chunks):
            return None  # the last row of a clip, with nothing after it
        fitting = [size for size in self._graphs if size >= len(chunks)]
        return self._graphs[min(fitting)] if fitting else None


class _DecodeGraph:
    """One token of each of `size` conversations, always in the same memory, so that it can be captured once
    and launched as one. Rows too many go into the spare block. On a CPU the step is done each time."""

    def __init__(self, runner: ModelRunner, size: int, pages_max: int) -> None:
        self._runner = runner
        self._size = size
        self._n_pages = pages_max
        # All inputs in one tensor, so that a step has one transfer: ids, positions, slots, lengths, pages.
        self._host = torch.zeros(4 * size + size * pages_max, dtype=torch.int64)
        if runner.device.type == "cuda":
            self._host = self._host.pin_memory()
        self._inputs = self._host.to(runner.device, copy=True)
        self._graph: Any = None
        self._logits = torch.empty(0)

    def capture(self, memory: Any) -> Any:
        """Record the step as a CUDA graph in the memory of an earlier one; return its memory."""
        self._write([])
        self._inputs.copy_(self._host)
        side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side), torch.inference_mode():
            for _ in range(2):  # libraries allocate at their first calls, which a graph may not
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.graph(self._graph, pool=memory):
            self._logits = self._step()
        return self._graph.pool()

    def replay(self, chunks: Sequence[Chunk]) -> torch.Tensor:
        """Logits (len(chunks), vocabulary), good until the next replay."""
        self._write(chunks)
        self._inputs.copy_(self._host, non_blocking=True)
        if self._graph is not None:
            self._graph.replay()
        else:
            self._logits = self._step()
        return self._logits[: len(chunks)]

    def _step(self) -> torch.Tensor:
        runner, size = self._runner, self._size
        ids, positions, slots, used = self._inputs[: 4 * size].view(4, size)
        begins = torch.arange(size + 1, dtype=torch.int32, device=runner.device)
        pages = Pages(
            cu_q=begins,
            cu_k=begins * (self._n_pages * runner.pool.block_size),
            n_used=used.to(torch.int32),
            table=self._inputs[4 * size :].view(size, self._n_pages).to(torch.int32),
            max_q=1,
            max_k=self._n_pages * runner.pool.block_size,
        )
        hidden = runner.hidden(runner.embed(ids), positions, Passage(runner.pool, slots, (), pages))
        logits: torch.Tensor = runner.head(hidden)
        return logits

    def _write(self, chunks: Sequence[Chunk]) -> None:
        size, block_size = self._size, self._runner.pool.block_size
        spare = self._runner.spare_block
        host = self._host.numpy()
        rows, table = host[: 4 * size].reshape(4, size), host[4 * size :].reshape(size, self._n_pages)
        rows[:, len(chunks) :] = [[0], [0], [spare * block_size], [1]]
        table[len(chunks) :, 0] = spare
        for row, chunk in enumerate(chunks):
            slot = chunk.blocks[chunk.start // block_size] * block_size + chunk.start % block_size
            rows[:, row] = chunk.keys[0], chunk.start, slot, chunk.end
            table[row, : len(chunk.blocks)] = chunk.blocks
