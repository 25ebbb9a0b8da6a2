"""Samples -> log-mel features -> embeddings, at a cost that grows with the speech, not with 30 s.

transformers pads each clip to 30 s and masks the padding out. The same numbers come of the clip
alone, with a few frames of what follows it, since nothing that is kept depends on more.
"""

from typing import Any

import numpy as np
import torch

from agent.api import LISTENING_HZ
from agent.asr.windows import Samples
from agent.engine.clips import Clip

FRAMES_AFTER = 2
"""Frames of the silence after a clip that its last position sees through the two convolutions."""


class Features:
    """extractor: transformers' WhisperFeatureExtractor of the checkpoint."""

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor
        self._hop: int = extractor.hop_length
        self._most: int = extractor.nb_max_frames

    def clip(self, digest: bytes, samples: Samples) -> Clip:
        """samples: (n,) at LISTENING_HZ, 0.1 to 30 s."""
        n_frames = min(-(-len(samples) // self._hop), self._most)
        kept = min(n_frames + FRAMES_AFTER, self._most)
        # Silence to the end of the last frame that is kept, and beyond it as far as a frame reaches.
        needed = min(kept + 4, self._most) * self._hop
        padded = np.pad(samples, (0, max(0, needed - len(samples))))
        features = self._extractor(
            padded, sampling_rate=LISTENING_HZ, padding=False, truncation=False, return_tensors="np"
        )["input_features"][0]
        kept_features = torch.from_numpy(np.ascontiguousarray(features[:, :kept]))
        return Clip(digest, kept_features, n_frames, tokens_of(n_frames))


def positions_of(n_frames: int) -> int:
    """Positions after the encoder's second convolution, for so many frames."""
    return (n_frames - 1) // 2 + 1


def tokens_of(n_frames: int) -> int:
    """Embeddings of a clip of so many frames: 25 a second."""
    return (positions_of(n_frames) - 2) // 2 + 1


class Encoder:
    """tower: Qwen2AudioEncoder; projector: what brings its output to the language model's width."""

    def __init__(self, tower: Any, projector: Any) -> None:
        self._tower = tower
        self._projector = projector

    @torch.inference_mode()
    def encode(self, clip: Clip) -> torch.Tensor:
        """Return (clip.n_tokens, d_model) of the language model."""
        tower = self._tower
        weight = tower.conv1.weight
        features = clip.features
        if weight.device.type == "cuda":
            features = features.pin_memory().to(weight.device, non_blocking=True)
        features = features.to(weight.dtype)[None]
        hidden = torch.nn.functional.gelu(tower.conv1(features))
        hidden = torch.nn.functional.gelu(tower.conv2(hidden)).permute(0, 2, 1)
        n_positions = positions_of(clip.n_frames)
        hidden = hidden[:, :n_positions] + tower.embed_positions.weight[:n_positions]
        for layer in tower.layers:
            hidden = layer(hidden, None)
        pooled = tower.avg_pooler(hidden.permute(0, 2, 1)).permute(0, 2, 1)
        embeddings: torch.Tensor = self._projector(tower.layer_norm(pooled))[0]
        return embeddings[: clip.n_tokens]
