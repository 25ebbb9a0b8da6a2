"""The server under test: the real gateway with the scripted agent, or the fake one.

`TESTS_BROWSER_GATEWAY=fake` runs the tests against the fake: to work on the page alone.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from agent.api import Health, TranscribeRequest, Transcript
from agent.scripted.agent import ScriptedAgent
from realtime.server.app import create_app
from realtime.server.serve import uvicorn_config
from realtime.settings import Settings
from tests.agent.reciter import Reciter
from tests.e2e.browser.fake_gateway import HEARD_AS, Behaviour, make_app
from tests.e2e.browser.patience import Patient
from tests.waiting import HANGS_S

REAL = os.environ.get("TESTS_BROWSER_GATEWAY", "real") != "fake"
PATIENT = {
    "resume_grace_s": HANGS_S,
    "slow_peer_s": HANGS_S,
    "utterance_s_max": HANGS_S,
    "mqtt_follow_up_s": HANGS_S,
}
"""Settings of the real gateway for a client that may be slow."""


class HearingAgent(ScriptedAgent):
    """The scripted agent, with an ear that hears the same sentence in everything."""

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        return Transcript(HEARD_AS, len(request.pcm) / 32_000)

    async def health(self) -> Health:
        return replace(await super().health(), transcribes=True)


class HearingReciter(Reciter, HearingAgent):
    """Recites without end in answer to that sentence."""


class Gateway:
    """A server on a loopback port that can be stopped and started again there."""

    def __init__(
        self,
        keys: str = "",
        sessions_max: int = 8,
        fake: Behaviour | None = None,
        limits_as_shipped: frozenset[str] = frozenset(),
        **settings: Any,
    ) -> None:
        """limits_as_shipped: of the page (patience.LIMITS). settings: others of the real one."""
        self._settings = PATIENT | settings
        self.agent: ScriptedAgent = HearingAgent()
        self._keys = keys
        self._sessions_max = sessions_max
        self._fake = fake
        self._limits_as_shipped = limits_as_shipped
        self._serving: asyncio.Task[None] | None = None
        self._server: _Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Of the page, over a WebSocket: that is what most tests look at and break."""
        return f"{self.origin}?transport=websocket"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def enough(self) -> None:
        """Let the answers of a Reciter come to their end."""
        assert isinstance(self.agent, Reciter)
        self.agent.enough()

    async def start(self) -> None:
        self._server = _Server(await self._config())
        self._serving = asyncio.create_task(self._server.serve(), name="gateway under test")
        is_up = asyncio.create_task(self._server.is_up.wait(), name="gateway is up")
        await asyncio.wait((self._serving, is_up), return_when=asyncio.FIRST_COMPLETED)
        is_up.cancel()
        if self._serving.done():
            await self._serving
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection and the port. Idempotent."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await self._serving
        self._server = self._serving = None

    async def _config(self) -> uvicorn.Config:
        if REAL and self._fake is None:
            own = {"port": self.port, "keys": self._keys, "sessions_max": self._sessions_max}
            settings = Settings(**own, **self._settings)
            health = await self.agent.health()
            app: ASGIApp = create_app(settings, self.agent, health)
            config = uvicorn_config(Patient(app, self._limits_as_shipped), settings)
            config.host, config.port = "127.0.0.1", self.port
            config.ws_ping_timeout = HANGS_S
            return config
        behaviour = self._fake or Behaviour(api_key=self._keys, max_sessions=self._sessions_max)
        return uvicorn.Config(
            Patient(make_app(behaviour), self._limits_as_shipped),
            host="127.0.0.1",
            port=self.port,
            ws="websockets-sansio",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )


class _Server(uvicorn.Server):
    """Tells when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()
