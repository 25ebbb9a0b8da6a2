"""Reads the weights of a CTranslate2 model file (`model.bin`) as numpy arrays.

Format: ctranslate2/specs/model_spec.py, `ModelSpec._serialize`, binary version 6. All numbers are
little-endian; a string is its length with the closing zero (u16), its bytes, and that zero.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_BINARY_VERSION = 6
# The DataType enum of include/ctranslate2/types.h; numpy has no bfloat16 (5), and nobody here needs it.
_TYPES = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}


@dataclass(frozen=True, slots=True)
class Ct2Weights:
    """spec: the kind of model, such as "WhisperSpec". arrays: by CTranslate2's names, as stored."""

    spec: str
    arrays: Mapping[str, npt.NDArray[np.generic]]

    def float32(self, name: str) -> npt.NDArray[np.float32]:
        return self.arrays[name].astype(np.float32)

    def integer(self, name: str) -> int:
        return int(self.arrays[name].item())


def read_ct2(path: Path) -> Ct2Weights:
    """Return what the file holds. Raises ValueError for another format, another version, or half a file."""
    reader = _Reader(path.read_bytes())
    try:
        version = reader.number("<I")
        if version != _BINARY_VERSION:
            raise ValueError(f"{path} has binary version {version}, expected {_BINARY_VERSION}")
        spec, _revision, count = reader.string(), reader.number("<I"), reader.number("<I")
        arrays = dict(reader.array() for _ in range(count))
        aliases = [(reader.string(), reader.string()) for _ in range(reader.number("<I"))]
    except (struct.error, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a whole CTranslate2 model") from error
    return Ct2Weights(spec, arrays | {alias: arrays[name] for alias, name in aliases})


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._content, self._place)
        self._place += struct.calcsize(form)
        return int(value)

    def string(self) -> str:
        length = self.number("<H")
        return self._bytes(length)[:-1].decode()

    def array(self) -> tuple[str, npt.NDArray[np.generic]]:
        name, rank = self.string(), self.number("B")
        shape = tuple(self.number("<I") for _ in range(rank))
        kind = np.dtype(_TYPES[self.number("B")])
        return name, np.frombuffer(self._bytes(self.number("<I")), kind).reshape(shape)

    def _bytes(self, length: int) -> bytes:
        taken = self._content[self._place : self._place + length]
        if len(taken) < length:
            raise struct.error(f"{length} bytes expected, {len(taken)} left")
        self._place += length
        return taken
