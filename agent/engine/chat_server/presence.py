"""Whether a chat server can be reached: found out by opening a connection, which costs it nothing."""

import asyncio
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx

CHECK_S = 10.0
"""How long a server that was reached is taken to be there."""
AWAY_CHECK_S = 1.0
"""The same of one that is away: so long after its return, it is known to be there."""
CONNECT_S = 1.5

_STARTED_BY = {11434: "ollama serve", 1234: "lms server start", 8000: "vllm serve", 8080: "llama-server"}
"""What listens at these ports where nobody changed them: Ollama, LM Studio, vLLM, llama.cpp."""

Connect = Callable[[str, int], Awaitable[None]]


class Presence:
    """connect: to a host and a port, and hang up; raises OSError. now: seconds, monotonic."""

    def __init__(
        self,
        url: str,
        now: Callable[[], float],
        connect: Connect | None = None,
        is_proxied: bool | None = None,
    ) -> None:
        self._url = httpx.URL(url)
        self._port = self._url.port or (443 if self._url.scheme == "https" else 80)
        self._now = now
        self._connect = connect or _connect
        self._is_proxied = _is_proxied(self._url) if is_proxied is None else is_proxied
        self._is_away: bool | None = None
        self._known_at = 0.0

    @property
    def sentence(self) -> str:
        """What is away, at which address, and how it is started; for a person."""
        host = f"[{self._url.host}]" if ":" in self._url.host else self._url.host
        place = f"{self._url.scheme}://{host}:{self._port}"
        if self._url.host not in ("localhost", "127.0.0.1", "::1"):
            cure = "start it there, look at the network between, or name another address with --llm-url"
        else:
            started_by = _STARTED_BY.get(self._port)
            cure = f"start it{f' ({started_by})' if started_by else ''}, or name another with --llm-url"
        return f"The chat server at {place} does not answer: {cure}. It is used again as soon as it answers."

    def seen(self, is_away: bool) -> None:
        """An answer was asked of it, and it could be reached or not."""
        self._is_away, self._known_at = is_away, self._now()

    async def is_away(self) -> bool:
        """Asked at most every CHECK_S. Behind a proxy, which this does not go through, it counts as there."""
        if self._is_proxied:
            return False
        fresh_s = AWAY_CHECK_S if self._is_away else CHECK_S
        if self._is_away is None or self._now() - self._known_at >= fresh_s:
            try:
                async with asyncio.timeout(CONNECT_S):
                    await self._connect(self._url.host, self._port)
            except OSError:  # TimeoutError is one
                self.seen(is_away=True)
            else:
                self.seen(is_away=False)
        return bool(self._is_away)


async def _connect(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _is_proxied(url: httpx.URL) -> bool:
    """Whether httpx takes a proxy to it, which it finds in the environment."""
    proxies = urllib.request.getproxies()
    named = url.scheme in proxies or "all" in proxies
    return named and not urllib.request.proxy_bypass(f"{url.host}:{url.port}" if url.port else url.host)
