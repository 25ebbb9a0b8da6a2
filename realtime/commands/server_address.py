"""What all commands that go to a server share: its address, its key, and why it is not reached."""

import os
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

from realtime.errors import SettingsError
from realtime.settings import is_loopback

NOT_PARLOUR = "is --url the address of a Parlour server, and not of something else?"
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """what: is in the way, cure: what to do about it; each the rest of a sentence."""

    what: str
    cure: str


def split_url(url: str, scheme: str) -> tuple[SplitResult, int]:
    """The parts of a server's address, and its port. scheme: where the address names none.

    Raises SettingsError for what is no address.
    """
    try:
        parts = urlsplit(url if "://" in url else f"{scheme}://{url}")
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    if port == 0 or not parts.hostname:
        raise SettingsError(f"'{url}' is no server's address: expected http://HOST:PORT.")
    return parts, port


def http_address(url: str, path: str) -> str:
    """Of something the server has, from its own address or that of its WebSocket. path: after `/v1`.

    Raises SettingsError for what is no address.
    """
    parts, _ = split_url(url, "http")
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    if scheme not in ("http", "https"):
        raise SettingsError(f"'{url}' is no server's address: expected http://HOST:PORT.")
    base = parts.path.removesuffix("/realtime").rstrip("/").removesuffix("/v1")
    return urlunsplit((scheme, parts.netloc, f"{base}/v1{path}", parts.query, ""))


def refusal(status: int) -> str:
    """Why an HTTP status is no conversation, as the rest of a sentence."""
    match status:
        case 401 | 403:
            return "the server wants another key: give it with --key"
        case 503 | 429:
            return "the server is full or not ready yet: try again in a moment"
        case _:
            return f"it answered with HTTP status {status}: {NOT_PARLOUR}"


def own_key(url: str) -> str:
    """This machine's key, for this machine's server alone."""
    if not is_loopback(urlsplit(url if "://" in url else f"http://{url}").hostname or ""):
        return ""
    return os.environ.get("PARLOUR_KEYS", "").partition(",")[0].strip()


def obstacle(failure: Exception, where: str, is_tls: bool) -> Obstacle:
    """Why no connection came about. where: HOST:PORT."""
    match failure:
        case socket.gaierror():
            return Obstacle(f"no machine of that name is known ({where})", "is the name in --url right?")
        case ssl.SSLCertVerificationError():
            return Obstacle(
                f"its certificate is not trusted here: {failure.verify_message}",
                "it needs one that names this host, from an authority that this machine knows",
            )
        case TimeoutError():
            return Obstacle("it does not answer in time", "does a firewall swallow what is sent?")
        case ConnectionRefusedError():
            cure = "start the server with `make run` or `parlour serve`, or say with --url where it is"
            return Obstacle(f"nothing listens at {where}", cure)
        case ssl.SSLError() | ConnectionError() | EOFError() if is_tls:
            return Obstacle("what listens there does not speak TLS", "is it http:// instead of https://?")
        case OSError():
            cure = "is this machine in the same network, and does a firewall let it through?"
            return Obstacle(f"{where}: {failure.strerror or failure}", cure)
        case _:
            return Obstacle("what listens there does not answer as a Parlour server does", NOT_PARLOUR)
