"""Mutations: of bytes, of messages in a row, of JSON. The same generator gives the same ones."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.fuzz.target import Mutate, packed, parts_of

_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0xC0, 0x20, 0x22, 0x0A)
_NUMBERS = (0, -1, 1, 2**31, 2**32, 2**53, 2**63, 2**64, 10**30, -(2**63), 1e308, 0.5, -0.0)
_STRINGS = ("", "\x00", "\ud800", "é", "x" * 300, "../..", "inf", "null", "a.b", "\U0001f600", "\r\n")
PARTS_MAX = 64


def bytes_changed(data: bytes, chance: random.Random, words: Sequence[bytes] = ()) -> bytes:
    """A few small changes."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(out) + 1)
        size = chance.choice((1, 1, 2, 4, 8, 32))
        match chance.randrange(8):
            case 0 if out:
                out[at % len(out)] ^= 1 << chance.randrange(8)
            case 1 if out:
                out[at % len(out)] = chance.choice(_INTERESTING)
            case 2:
                out[at:at] = chance.randbytes(size)
            case 3:
                del out[at : at + size]
            case 4:
                out[at:at] = out[at : at + size] * chance.choice((1, 2, 8))
            case 5 if words:
                out[at:at] = chance.choice(words)
            case 6:
                value = chance.choice((0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF))
                width = chance.choice((2, 4))
                out[at : at + width] = (value & (256**width - 1)).to_bytes(width, "big")
            case _:
                del out[at:]
    return bytes(out)


def in_parts(of_part: Mutate) -> Mutate:
    """Of inputs that are several messages: one is changed, or they come in another order."""

    def mutate(data: bytes, chance: random.Random) -> bytes:
        parts = parts_of(data)[:PARTS_MAX]
        if not parts:
            return packed(of_part(b"", chance))
        at = chance.randrange(len(parts))
        match chance.randrange(6):
            case 0:
                parts.insert(chance.randrange(len(parts) + 1), parts[at])
            case 1 if len(parts) > 1:
                del parts[at]
            case 2:
                other = chance.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
            case _:
                parts[at] = of_part(parts[at], chance)[:0xFFFF]
        return packed(*parts)

    return mutate


def in_lines(of_line: Mutate) -> Mutate:
    """As `in_parts`, of lines of text."""

    def mutate(data: bytes, chance: random.Random) -> bytes:
        return b"\n".join(parts_of(of_parts(packed(*data.split(b"\n")), chance)))

    of_parts = in_parts(of_line)
    return mutate


def json_changed(data: bytes, chance: random.Random) -> bytes:
    """One place of a JSON text has another value, or its bytes are changed where it is none."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return bytes_changed(data, chance)
    if chance.random() < 0.1:
        return bytes_changed(data, chance)
    return json.dumps(tree_changed(tree, chance)).encode()


def tree_changed(tree: Any, chance: random.Random) -> Any:
    """tree: objects, lists and leaves; changed in place, where it can be."""
    places: list[tuple[Callable[[Any], None], Callable[[], None] | None, Any]] = []
    root = [tree]

    def collect(node: Any) -> None:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            child = node[key]
            places.append((_setter(node, key), _deleter(node, key), child))
            if isinstance(child, dict | list):
                collect(child)

    collect(root)
    put, drop, value = chance.choice(places)
    match chance.randrange(8):
        case 0 if value is not tree and drop is not None:
            drop()
        case 1:
            put(chance.choice(_NUMBERS))
        case 2:
            put(chance.choice(_STRINGS))
        case 3:
            put(chance.choice((None, True, False, [], {}, [[]], {"type": None})))
        case 4:
            put([value] * chance.choice((1, 2, 40)))
        case 5:
            put({chance.choice(("type", "a", "")): value})
        case 6 if isinstance(value, str):
            put(bytes_changed(value.encode(errors="replace"), chance).decode(errors="replace"))
        case _:
            put(chance.choice(places)[2])
    try:
        json.dumps(root)
    except (ValueError, RecursionError):
        return None  # it was put into itself
    return root[0]


def _setter(node: Any, key: Any) -> Callable[[Any], None]:
    def put(value: Any) -> None:
        node[key] = value

    return put


def _deleter(node: Any, key: Any) -> Callable[[], None]:
    def drop() -> None:
        del node[key]

    return drop
