"""Silero's probability that somebody speaks, for each 32 ms of a clip. Blocks.

One model for the process: onnxruntime runs it for several threads at a time.
"""

import numpy as np
import numpy.typing as npt
from faster_whisper.vad import get_vad_model

import agent.onnx  # noqa: F401 - silences onnxruntime before faster_whisper loads it
from agent.asr.windows import VOICE_FRAME_SAMPLES, Samples


def voice_probabilities(samples: Samples) -> npt.NDArray[np.float32]:
    """(n_frames + 1,): of each VOICE_FRAME_SAMPLES that have at least begun, and of silence after them."""
    # That frame more because of the last one that it gets, faster-whisper overwrites the end.
    padded = np.pad(samples, (0, -len(samples) % VOICE_FRAME_SAMPLES + VOICE_FRAME_SAMPLES))
    return np.asarray(get_vad_model()(padded.astype(np.float32)), np.float32).reshape(-1)
