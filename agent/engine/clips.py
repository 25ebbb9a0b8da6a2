"""Audio in prompts: each clip gets numbers of its own as keys, and its embeddings are kept for a while."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch

from agent.engine.kv_cache import Keys

KNOWN_CLIPS = 4096
"""Clips whose keys are remembered: more than a full KV cache can hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A stretch of audio that the model hears at once. digest: of its samples.

    features: (n_mels, n_frames or some more) of the log-mel spectrogram; n_frames are the clip's own.
    """

    digest: bytes
    features: torch.Tensor
    n_frames: int
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Span:
    """A clip's place in a prompt: positions start to start + clip.n_tokens, with keys from first_key on."""

    clip: Clip
    start: int
    first_key: int

    @property
    def end(self) -> int:
        return self.start + self.clip.n_tokens


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids and clips, in order. is_cut: a text in it was too long, and was shortened."""

    pieces: tuple[Keys | Clip, ...]
    is_cut: bool = False

    @property
    def n_tokens(self) -> int:
        return sum(piece.n_tokens if isinstance(piece, Clip) else len(piece) for piece in self.pieces)

    @property
    def n_audio_tokens(self) -> int:
        return sum(piece.n_tokens for piece in self.pieces if isinstance(piece, Clip))

    def ids(self, audio_id: int) -> Keys:
        """As the tokenizer would name it: `audio_id` for each embedding of a clip."""
        return np.concatenate(
            [np.full(piece.n_tokens, audio_id) if isinstance(piece, Clip) else piece for piece in self.pieces]
        )


class Clips:
    """The keys and the embeddings of clips, the least recently used of which go. One thread owns it."""

    def __init__(self, first_key: int, embeddings_bytes: int) -> None:
        self._next_key = first_key  # beyond all token ids; never used twice
        self._limit_bytes = embeddings_bytes
        self._held_bytes = 0
        self._first_keys: OrderedDict[bytes, int] = OrderedDict()
        self._embeddings: OrderedDict[bytes, torch.Tensor] = OrderedDict()

    def keys(self, prompt: Prompt) -> tuple[Keys, tuple[Span, ...]]:
        """The prompt's keys (n_tokens,), and where its clips are."""
        keys: list[Keys] = []
        spans: list[Span] = []
        start = 0
        for piece in prompt.pieces:
            if isinstance(piece, Clip):
                first = self._first_key(piece)
                spans.append(Span(piece, start, first))
                keys.append(np.arange(first, first + piece.n_tokens))
            else:
                keys.append(piece)
            start += len(keys[-1])
        return np.concatenate(keys).astype(np.int64), tuple(spans)

    def embeddings(self, clip: Clip) -> torch.Tensor | None:
        """(n_tokens, d_model), where they are still held."""
        found = self._embeddings.get(clip.digest)
        if found is not None:
            self._embeddings.move_to_end(clip.digest)
        return found

    def keep(self, clip: Clip, embeddings: torch.Tensor) -> None:
        self._embeddings[clip.digest] = embeddings
        self._held_bytes += embeddings.nbytes
        while self._held_bytes > self._limit_bytes and len(self._embeddings) > 1:
            _, dropped = self._embeddings.popitem(last=False)
            self._held_bytes -= dropped.nbytes

    def _first_key(self, clip: Clip) -> int:
        if clip.digest not in self._first_keys:
            self._first_keys[clip.digest] = self._next_key
            self._next_key += clip.n_tokens
        self._first_keys.move_to_end(clip.digest)
        if len(self._first_keys) > KNOWN_CLIPS:
            self._first_keys.popitem(last=False)
        return self._first_keys[clip.digest]
