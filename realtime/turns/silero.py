"""Silero VAD v6 as an ONNX model: the voice activity that decides by default.

One model serves all sessions of a process; each session keeps 320 numbers of state. The model's
first axis is time: several frames of one session cost less together than one by one (58
microseconds for one, 40 each for four), with the same result to the bit, and no session waits for
another. That is why there is no batching across sessions: it would save no more (36 each for eight).

The file comes from an installed package that carries it; that package, which asks for torch, is never
imported.
"""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from realtime.audio.pcm import BYTES_PER_SAMPLE
from realtime.errors import SettingsError
from realtime.turns.onnx import onnxruntime

FRAME_SAMPLES = 512
_FRAME_BYTES = FRAME_SAMPLES * BYTES_PER_SAMPLE
_CONTEXT_SAMPLES = 64  # of the frame before, put in front of each frame
_STATE = (1, 1, 128)
_LONGEST_RUN = 16  # frames in one run; longer calls are split, which bounds the buffers


@dataclass(frozen=True, slots=True)
class _ModelFile:
    """A file of the model inside an installed package. Inputs input (n, 576), h, c (1, 1, 128)."""

    package: str
    path: str
    sha256: str


# The best first. Of 36 recorded utterances through a telephone's band (300 to 3,400 Hz, steep), 6.2.3 misses
# one and the file in faster-whisper 24.
_MODEL_FILES = (
    _ModelFile(
        package="silero_vad",
        path="data/silero_vad_16k_sequence.onnx",
        sha256="9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
    ),
    _ModelFile(
        package="faster_whisper",
        path="assets/silero_vad_v6.onnx",
        sha256="4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2",
    ),
)


class SileroModel:
    """The model, loaded once. Used by one thread at a time: all sessions share its buffers."""

    def __init__(self) -> None:
        """Raises SettingsError when no installed package has the file, or it is damaged."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            _checked_model_file(), options, providers=["CPUExecutionProvider"]
        )
        self._runs: dict[int, _Run] = {}

    def new_session(self) -> "Silero":
        return Silero(self)

    def run_for(self, n_frames: int) -> "_Run":
        run = self._runs.get(n_frames)
        if run is None:
            run = self._runs[n_frames] = _Run(self._session, n_frames)
        return run


class Silero:
    """One session's voice activity."""

    frame_samples = FRAME_SAMPLES

    def __init__(self, model: SileroModel) -> None:
        self._model = model
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)
        self._h = np.zeros(_STATE, np.float32)
        self._c = np.zeros(_STATE, np.float32)

    def reset(self) -> None:
        for remembered in (self._context, self._h, self._c):
            remembered.fill(0)

    def probability(self, frame: bytes) -> float:
        """Raises ValueError for anything but one frame."""
        [probability] = self.probabilities(frame)
        return probability

    def probabilities(self, frames: bytes) -> list[float]:
        """Raises ValueError for anything but whole frames."""
        n_frames, rest = divmod(len(frames), _FRAME_BYTES)
        if rest:
            raise ValueError(f"expected whole frames of {_FRAME_BYTES} bytes, got {len(frames)} bytes")
        if n_frames <= _LONGEST_RUN:
            return self._probabilities(frames, n_frames) if n_frames else []
        step = _LONGEST_RUN * _FRAME_BYTES
        return [p for at in range(0, len(frames), step) for p in self.probabilities(frames[at : at + step])]

    def _probabilities(self, frames: bytes, n_frames: int) -> list[float]:
        run = self._model.run_for(n_frames)
        samples = np.frombuffer(frames, "<i2").reshape(n_frames, FRAME_SAMPLES)
        np.multiply(samples, np.float32(1 / 32768), out=run.fresh)
        run.first_context[:] = self._context
        if n_frames > 1:
            run.later_contexts[:] = run.frame_ends[:-1]
        self._context[:] = run.frame_ends[-1]
        run.h_in[:] = self._h
        run.c_in[:] = self._c
        run()
        self._h[:] = run.h_out
        self._c[:] = run.c_out
        probabilities: list[float] = run.probabilities.tolist()
        return probabilities


class _Run:
    """The model bound to buffers for `n_frames` frames: nothing is allocated or looked up per run."""

    def __init__(self, session: onnxruntime.InferenceSession, n_frames: int) -> None:
        frames = np.zeros((n_frames, _CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)
        self.fresh = frames[:, _CONTEXT_SAMPLES:]
        self.frame_ends = frames[:, FRAME_SAMPLES:]
        self.first_context = frames[0, :_CONTEXT_SAMPLES]
        self.later_contexts = frames[1:, :_CONTEXT_SAMPLES]
        self.h_in, self.c_in, self.h_out, self.c_out = (np.zeros(_STATE, np.float32) for _ in range(4))
        self.probabilities = np.zeros(n_frames, np.float32)

        self._session = session
        self._binding = session.io_binding()
        for name, array in {"input": frames, "h": self.h_in, "c": self.c_in}.items():
            self._binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in {"speech_probs": self.probabilities, "hn": self.h_out, "cn": self.c_out}.items():
            self._binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        self._frames: npt.NDArray[np.float32] = frames  # the binding knows addresses only

    def __call__(self) -> None:
        self._session.run_with_iobinding(self._binding)


def _checked_model_file() -> bytes:
    for file in _MODEL_FILES:
        spec = find_spec(file.package)
        if spec is None or not spec.submodule_search_locations:
            continue
        path = Path(spec.submodule_search_locations[0], file.path)
        if not path.is_file():
            continue
        model = path.read_bytes()
        if hashlib.sha256(model).hexdigest() != file.sha256:
            raise SettingsError(
                f"The Silero VAD model of the package {file.package} is damaged or of another version: "
                f"install the packages of models.txt again."
            )
        return model
    raise SettingsError(
        "No Silero VAD model is installed: install the packages of models.txt (it is in silero-vad), "
        "or choose the voice activity 'webrtc'."
    )
