"""A client's WebSocket to the realtime wire, or why there is none."""

from urllib.parse import quote, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

from realtime.commands.server_address import obstacle, refusal, split_url
from realtime.errors import SettingsError

CONNECT_S = 10.0
MESSAGE_BYTES_MAX = 16 * 1024 * 1024


class CannotConnect(Exception):
    """There is no conversation; the rest of a sentence says why. status: HTTP's, where the server refused."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


def realtime_address(url: str, model: str) -> str:
    """The WebSocket's address, from that or from the address of the page.

    Raises SettingsError for what is no address.
    """
    parts, _ = split_url(url, "ws")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = "/v1/realtime" if parts.path in ("", "/", "/v1", "/v1/") else parts.path
    query = f"{parts.query}&model={quote(model)}".lstrip("&") if model else parts.query
    return urlunsplit((scheme, parts.netloc, path, query, ""))


async def connected(url: str, key: str, model: str) -> ClientConnection:
    """Raises CannotConnect, and SettingsError for what is no address."""
    try:
        return await connect(
            realtime_address(url, model),
            additional_headers={"Authorization": f"Bearer {key}"} if key else None,
            open_timeout=CONNECT_S,
            max_size=MESSAGE_BYTES_MAX,
            compression=None,
        )
    except (InvalidURI, ValueError):
        raise SettingsError(f"'{url}' is no server's address: expected http://HOST:PORT.") from None
    except InvalidStatus as refused:
        status = refused.response.status_code
        raise CannotConnect(refusal(status), status) from None
    except (OSError, WebSocketException) as failure:  # a TimeoutError is an OSError
        parts, port = split_url(url, "ws")
        found = obstacle(failure, f"{parts.hostname}:{port}", parts.scheme in ("https", "wss"))
        raise CannotConnect(f"{found.what}: {found.cure}") from None


def farewell(closed: ConnectionClosed) -> str:
    reason = closed.rcvd.reason if closed.rcvd is not None else ""
    return f"the server closed the connection: {reason or 'without a reason'}."
