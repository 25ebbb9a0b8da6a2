"""Reads a GGUF file: its weights as float32 arrays, its settings and its vocabulary as Python values."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader
from gguf.quants import dequantize


class GgufWeights:
    """An open file, mapped into memory: a weight is read when it is asked for."""

    def __init__(self, path: Path) -> None:
        """Reads the header (2 to 3 s for 49,152 words). Raises ValueError for another format."""
        self._reader = GGUFReader(path)
        self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}

    def setting(self, key: str) -> Any:
        """The value of a metadata key, such as "llama.block_count". Raises KeyError."""
        return self._reader.fields[key].contents()

    def weight(self, name: str) -> npt.NDArray[np.float32]:
        """Dequantised: a matrix is (n_out, n_in), as in torch. Raises KeyError."""
        tensor = self._tensors[name]
        # A copy also of what is stored as float32: that is the file itself, and cannot be written to.
        return np.array(dequantize(tensor.data, tensor.tensor_type), np.float32)
