"""Who may come in: keys, and for browsers the page they come from."""

import hmac
import ipaddress
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from realtime.settings import Settings, is_loopback
from realtime.tokens import RESUME_TOKEN, Signer, hash_of

KEY_PROTOCOL = "openai-insecure-api-key."
"""Browsers cannot set headers on a WebSocket: their key comes as one of the subprotocols."""


class Access:
    """Decides before a socket is accepted. All keys are compared in constant time."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        self._signer = signer
        self._keys = [key.encode() for key in sorted(settings.key_set)]
        self._origins = settings.origin_set

    @property
    def needs_key(self) -> bool:
        return bool(self._keys)

    def refusal(self, headers: Headers, subprotocols: Iterable[str] = ()) -> tuple[int, str] | None:
        """None to come in; else an HTTP status and a sentence."""
        if self._keys:
            key = presented_key(headers, subprotocols)
            if key is None:
                return 401, "A key is required: send it as 'Authorization: Bearer KEY'."
            return None if self._owner_of(key) is not None else (401, "Incorrect API key provided.")
        # Nobody is asked for a key, so another site's page must not use the visitor's way in:
        # neither through an origin of its own, nor through a name that it made point here.
        host = _hostname(f"//{headers.get('host', '')}")
        if not (is_loopback(host) or _is_address(host)):
            return (
                403,
                "Without keys, this server answers only to localhost and to addresses, not to other names.",
            )
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            same_origin = origin.partition("://")[2] == headers.get("host")
            if not same_origin:
                return 403, "This page's origin is not allowed: see the setting allowed_origins."
        return None

    def identity(self, headers: Headers, subprotocols: Iterable[str] = ()) -> str:
        """Whose sessions one who may come in can resume: by their key; "" where nobody is asked for one."""
        key = presented_key(headers, subprotocols) if self._keys else None
        return (self._owner_of(key) if key else None) or ""

    def _owner_of(self, key: str) -> str | None:
        """Who has such a key; None for one that opens nothing."""
        matches = [hmac.compare_digest(key.encode(), known) for known in self._keys]
        if any(matches):
            return f"key:{hash_of(key)[:32]}"
        claims = self._signer.read(RESUME_TOKEN, key, time.time())  # a device that takes a session over
        return str(claims.get("owner", "")) if claims else None


def presented_key(headers: Headers, subprotocols: Iterable[str]) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    for protocol in subprotocols:
        if protocol.startswith(KEY_PROTOCOL):
            return protocol.removeprefix(KEY_PROTOCOL)
    return None


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
