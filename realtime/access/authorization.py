"""Who may come in: keys, and for browsers the page they come from."""

import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from realtime.access.client_secrets import PREFIX, ClientSecrets
from realtime.access.tokens import RESUME_TOKEN, Signer, hash_of
from realtime.settings import Settings, is_address, is_loopback

KEY_PROTOCOL = "openai-insecure-api-key."
"""Browsers cannot set headers on a WebSocket: their key comes as one of the subprotocols."""
BETA = "realtime=v1"
CLIENT_SECRET = "client secret"
"""The identity of all who come with one."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a resume token gives. session_id: "" for what is no token of this server."""

    session_id: str
    owner: str


class Access:
    """Decides before a socket is accepted. All keys are compared in constant time."""

    def __init__(self, settings: Settings, signer: Signer, client_secrets: ClientSecrets) -> None:
        self._signer = signer
        self._client_secrets = client_secrets
        self._keys = [key.encode() for key in sorted(settings.key_set)]
        self._origins = settings.origin_set

    @property
    def needs_key(self) -> bool:
        return bool(self._keys)

    def refusal(
        self, headers: Headers, subprotocols: Iterable[str] = (), opens_session: bool = False
    ) -> tuple[int, str] | None:
        """None to come in; else an HTTP status and a sentence.

        opens_session: whether a client secret is enough, which opens sessions and nothing else, or the
        token with which a device takes a session over.
        """
        key = presented_key(headers, subprotocols)
        if key is not None and key.startswith(PREFIX) and not self._is_key(key):
            if not opens_session:
                return 401, "A client secret opens a realtime session, and nothing else."
            if self._client_secrets.session_of(key) is None:
                return 401, "This client secret is not valid, or it has expired."
            if self._keys:
                return None
        elif self._keys:
            if key is None:
                return 401, "A key is required: send it as 'Authorization: Bearer KEY'."
            if self._is_key(key) or (opens_session and self._resume_claims(key) is not None):
                return None
            return 401, "Incorrect API key provided."
        # Nobody is asked for a key, so another site's page must not use the visitor's way in:
        # neither through an origin of its own, nor through a name that it made point here.
        host = _hostname(f"//{headers.get('host', '')}")
        if not (is_loopback(host) or is_address(host)):
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

    def session_of(self, headers: Headers, subprotocols: Iterable[str] = ()) -> dict[str, Any]:
        """What the client secret fixes the session to that it opens; nothing where it is another key."""
        key = presented_key(headers, subprotocols)
        return self._client_secrets.session_of(key) or {} if key and key.startswith(PREFIX) else {}

    def speaks_beta(self, headers: Headers, subprotocols: Iterable[str] = ()) -> bool:
        """Whether the client says that its wire is the one of OpenAI's beta.

        By a header, by a subprotocol where it can set none, or by a secret that was made for such a one.
        """
        offered = list(subprotocols)
        if BETA in headers.get("openai-beta", "") or f"openai-beta.{BETA.replace('=', '-')}" in offered:
            return True
        key = presented_key(headers, offered)
        return key is not None and key.startswith(PREFIX) and self._client_secrets.is_beta(key)

    def identity(self, headers: Headers, subprotocols: Iterable[str] = ()) -> str:
        """Whose sessions one who may come in can resume; "" where nobody is asked for a key.

        All who have the same key are one, and all who come with a client secret: for those, who has the
        token is who may.
        """
        key = presented_key(headers, subprotocols) if self._keys else None
        if key is None:
            return ""
        if self._is_key(key):
            return f"key:{hash_of(key)[:32]}"
        if key.startswith(PREFIX):
            return CLIENT_SECRET
        return self.bearer(key).owner

    def bearer(self, token: str) -> "Bearer":
        """Of a resume token: who shows it may go on with that session."""
        claims = self._resume_claims(token) or {}
        return Bearer(str(claims.get("session", "")), str(claims.get("owner", "")))

    def _is_key(self, key: str) -> bool:
        matches = [hmac.compare_digest(key.encode(), known) for known in self._keys]
        return any(matches)  # all of them, so that the time it takes tells nothing

    def _resume_claims(self, key: str) -> dict[str, Any] | None:
        return self._signer.read(RESUME_TOKEN, key, time.time())


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
