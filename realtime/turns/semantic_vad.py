"""Semantic VAD: how eager the assistant is to take its turn.

For now eagerness only chooses how much silence ends a turn. A better detector hears from the sound
whether a sentence is complete; it will take the place of this one behind the same function.
"""

from typing import Literal

from realtime.audio.endpointer import Endpointing

Eagerness = Literal["low", "medium", "high", "auto"]

_SILENCE_MS: dict[Eagerness, int] = {"low": 1000, "medium": 600, "high": 400, "auto": 600}


def semantic_endpointing(eagerness: Eagerness = "auto") -> Endpointing:
    """The times for a `ServerVad` that ends turns as eagerly as asked ("auto" is "medium")."""
    return Endpointing(silence_ms=_SILENCE_MS[eagerness])
