"""What is fuzzed: a function of bytes, or a live server that gets them.

A target is a module of `tests/fuzz/targets` with a `TARGET`; its name is the module's.
"""

import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).parent
CORPUS = FOLDER / "corpus"

Mutate = Callable[[bytes, random.Random], bytes]
"""An input and its changed form; the same for the same state of the generator."""

Attack = Callable[[bytes], Awaitable[None]]
"""Gives one input to a live server."""


@dataclass(frozen=True)
class Pure:
    """run: one input; it raises nothing but what is a finding. bytes_max: of an input.

    words: what a mutation may put in, besides bytes. mutate: one that knows the input's structure; about
    half of the mutations are its. is_guided: what it reaches can be seen, as its work is done in Python.
    """

    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...] = ()
    mutate: Mutate | None = None
    bytes_max: int = 4096
    is_guided: bool = True


@dataclass(frozen=True)
class Live:
    """opened: a server that runs, and how it is given one input. per_s: inputs a second at most.

    Whoever gives an input makes sure, now and then, that the others are still served.
    """

    opened: Callable[[], AbstractAsyncContextManager[Attack]]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...] = ()
    mutate: Mutate | None = None
    bytes_max: int = 4096
    per_s: float = 500.0


Target = Pure | Live


class Unkept(AssertionError):
    """A promise that an input broke, without an exception of the product: said in one sentence."""


def names() -> list[str]:
    return sorted(path.stem for path in (FOLDER / "targets").glob("[a-z]*.py"))


def load(name: str) -> Target:
    target: Target = import_module(f"tests.fuzz.targets.{name}").TARGET
    return target


def kept(name: str) -> list[bytes]:
    """The inputs that broke something once."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*")) if path.is_file()]


def packed(*parts: bytes) -> bytes:
    """Several messages as one input: each after its length, two bytes little-endian."""
    return b"".join(len(part).to_bytes(2, "little") + part for part in parts)


def parts_of(data: bytes) -> list[bytes]:
    """The reverse, of whatever bytes: the last part may be cut off."""
    parts, at = [], 0
    while at + 2 <= len(data):
        size = int.from_bytes(data[at : at + 2], "little")
        parts.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return parts
