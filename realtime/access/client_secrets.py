"""Short-lived keys for browsers, each for one kind of session (OpenAI, "Create client secret").

Nothing is stored: a secret carries its session and its end, signed. Gateways with the same PARLOUR_KEYS sign
alike, so one takes what another gave; without keys each process has its own signature.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from realtime.errors import ClientError

PREFIX = "ek_"
SECONDS_MIN, SECONDS_MAX, SECONDS_DEFAULT = 10, 7200, 600
SECRET_CHARS_MAX = 6_000
"""It travels in one header line, of which websockets takes 8,192 bytes."""
_SIGNATURE_BYTES = 32


@dataclass(frozen=True, slots=True)
class ClientSecret:
    value: str
    expires_at: int


class ClientSecrets:
    """Makes and reads them. now: seconds since 1970."""

    def __init__(self, keys: Iterable[str], now: Callable[[], float] = time.time) -> None:
        self._keys = sorted(keys)
        self._now = now

    def issue(self, session: dict[str, Any], seconds: int, is_beta: bool = False) -> ClientSecret:
        """is_beta: its client speaks the wire of the beta. Raises ClientError for a session too large to be
        carried."""
        expires_at = int(self._now()) + seconds
        content = {"e": expires_at, "s": session, "n": secrets.token_hex(8)} | ({"b": 1} if is_beta else {})
        packed = zlib.compress(msgspec.json.encode(content), 9)
        value = f"{PREFIX}{_text(packed)}.{_text(self._signature(packed))}"
        if len(value) > SECRET_CHARS_MAX:
            raise ClientError(
                "invalid_value",
                f"Invalid value for 'session': it is too large for a client secret ({len(value)} "
                f"characters, at most {SECRET_CHARS_MAX}). Send what is long with 'session.update'.",
                "session",
            )
        return ClientSecret(value, expires_at)

    def session_of(self, value: str) -> dict[str, Any] | None:
        """The session that a secret was made for; None if it is none of ours, or has expired."""
        content = self._content(value)
        return content["s"] if content is not None else None

    def is_beta(self, value: str) -> bool:
        """Whether the client that has it speaks the wire of the beta."""
        return "b" in (self._content(value) or {})

    def _content(self, value: str) -> dict[str, Any] | None:
        if len(value) > SECRET_CHARS_MAX or not value.isascii():
            return None
        packed_text, _, signature_text = value.removeprefix(PREFIX).partition(".")
        packed, signature = _bytes(packed_text), _bytes(signature_text)
        if not hmac.compare_digest(signature, self._signature(packed)):
            return None
        content: dict[str, Any] = msgspec.json.decode(zlib.decompress(packed))  # signed by us: as we made it
        return content if self._now() < content["e"] else None

    def _signature(self, packed: bytes) -> bytes:
        return hmac.digest(self._signing_key, packed, "sha256")

    @cached_property
    def _signing_key(self) -> bytes:
        if not self._keys:
            return secrets.token_bytes(_SIGNATURE_BYTES)
        # Slow on purpose: who has a secret could otherwise try out the keys that signed it.
        keys, salt = "\0".join(self._keys).encode(), b"parlour client secrets"
        return hashlib.scrypt(keys, salt=salt, n=2**14, r=8, p=1, dklen=_SIGNATURE_BYTES)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Nothing for what is not base64."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error:
        return b""
