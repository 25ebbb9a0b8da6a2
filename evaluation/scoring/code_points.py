"""Texts as arrays of code points, and what becomes of each character, looked up for many at once."""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.uint32]
"""(n_characters,)."""

_UNKNOWN = 0xFFFF_FFFF
_GONE = 0xFFFF_FFFE


def points_of(text: str) -> Points:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def text_of(points: Points) -> str:
    return points.tobytes().decode("utf-32-le", "surrogatepass")


class CharacterTable:
    """As str.translate, ten times as fast on long texts. What becomes of a character is asked for once.

    becomes: one character to one or none.
    """

    def __init__(self, becomes: Callable[[str], str]) -> None:
        self._becomes = becomes
        self._table = np.full(sys.maxunicode + 1, _UNKNOWN, np.uint32)

    def __call__(self, text: str) -> str:
        points = points_of(text)
        translated = self._table[points]
        is_unknown = translated == _UNKNOWN
        if is_unknown.any():
            for point in np.unique(points[is_unknown]).tolist():
                becomes = self._becomes(chr(point))
                self._table[point] = ord(becomes) if becomes else _GONE
            translated = self._table[points]
        return text_of(translated[translated != _GONE])
