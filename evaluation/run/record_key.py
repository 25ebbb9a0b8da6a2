"""The name of an answer: the hash of all that determines it."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import msgspec

VERSION = 1
"""Of what is sent for one and the same sample. A change of that raises it, and old answers do not count."""


class Asked(msgspec.Struct, frozen=True):
    """What one sample brings of its own."""

    audio_sha256: str
    prompt: str


def keys(asked: Sequence[Asked], route: Mapping[str, object]) -> list[str]:
    """Of samples that are asked together, in their order.

    route: its description. Samples of one batch name each other: padding makes answers depend on the
    neighbours.
    """
    shared = hashlib.sha256(_canonical({"version": VERSION, "route": dict(route)}))
    if len(asked) > 1:
        shared.update(_canonical([[one.audio_sha256, one.prompt] for one in asked]))
    found = []
    for one in asked:
        key = shared.copy()
        key.update(_canonical([one.audio_sha256, one.prompt]))
        found.append(key.hexdigest())
    return found


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
