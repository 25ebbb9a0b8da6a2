"""Clips behind http addresses, which lists may name: fetched with limits on time, size and redirections."""

import time
from collections.abc import Callable

import httpx

from evaluation.datasets.problems import ClipError, Kind

FETCHED_BYTES_MAX = 256 << 20
FETCHED_S_MAX = 300.0
"""For one clip, however steadily it trickles."""
_TIMEOUT = httpx.Timeout(30, connect=10)
_REDIRECTIONS_MAX = 5


def is_address(path: str) -> bool:
    return path.startswith(("http://", "https://"))


def fetched(
    address: str,
    transport: httpx.BaseTransport | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> bytes:
    """The file behind `address`. Blocks. Raises ClipError where the server has none, or gives too much.

    transport: stands in for the network.
    """
    began = clock()
    content = bytearray()
    with httpx.Client(
        transport=transport, timeout=_TIMEOUT, follow_redirects=True, max_redirects=_REDIRECTIONS_MAX
    ) as client:
        try:
            with client.stream("GET", address) as response:
                if response.status_code != httpx.codes.OK:
                    raise ClipError(Kind.MISSING, f"{address} answers {response.status_code}")
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > FETCHED_BYTES_MAX:
                        raise ClipError(
                            Kind.DAMAGED, f"{address} is larger than {FETCHED_BYTES_MAX >> 20} MiB"
                        )
                    if clock() - began > FETCHED_S_MAX:
                        raise ClipError(Kind.MISSING, f"{address} took more than {FETCHED_S_MAX:.0f} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ClipError(Kind.MISSING, f"{address} cannot be fetched: {reason}") from None
    return bytes(content)
