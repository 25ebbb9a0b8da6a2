"""Tokens that this server signs. What they say is in them, so any server with its keys can read them.

KIND_CLAIMS.SIGNATURE, both parts in base64url (RFC 4648 5), the signature an HMAC with SHA-256 (RFC 2104).
"""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Any

TOKEN_CHARS_MAX = 4096
RESUME_TOKEN = "rt"
"""Resumes a session, and lets in the device that does."""


class Signer:
    """With keys, the secret comes from them: servers that share their keys read each other's tokens,
    also after a restart. Without keys it is one of this process."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        known = "\n".join(sorted(keys))
        self._secret = (
            hmac.digest(known.encode(), b"parlour tokens", "sha256") if known else secrets.token_bytes(32)
        )

    def sign(self, kind: str, claims: dict[str, Any], expires_at: float) -> str:
        """expires_at: seconds since the epoch. Two tokens with the same claims differ."""
        told = {**claims, "until": int(expires_at), "nonce": secrets.token_urlsafe(16)}
        body = f"{kind}_{_encode(json.dumps(told, separators=(',', ':')).encode())}"
        return f"{body}.{_encode(self._signature(body))}"

    def read(self, kind: str, token: str, now: float) -> dict[str, Any] | None:
        """The claims of a token that was signed here and is not past its time; else None."""
        claims = claims_of(kind, token)
        body, _, signature = token.rpartition(".")
        if claims is None or not hmac.compare_digest(_encode(self._signature(body)), signature):
            return None
        until = claims.get("until")
        return claims if isinstance(until, int) and until > now else None

    def _signature(self, body: str) -> bytes:
        return hmac.digest(self._secret, body.encode(), "sha256")


def claims_of(kind: str, token: str) -> dict[str, Any] | None:
    """What a token says, whoever has signed it; None for what is no token of that kind."""
    if len(token) > TOKEN_CHARS_MAX or not token.startswith(f"{kind}_") or not token.isascii():
        return None
    text = token.removeprefix(f"{kind}_").rpartition(".")[0]
    try:
        claims = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def hash_of(token: str) -> str:
    """What is kept of a token where others may read it."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
