"""The server under test: the real gateway with the scripted agent, or the fake one.

`TESTS_BROWSER_GATEWAY=fake` runs the tests against the fake: to work on the page alone.
"""

import asyncio
import os
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
from tests.e2e.browser.fake_gateway import HEARD_AS, Behaviour, make_app

REAL = os.environ.get("TESTS_BROWSER_GATEWAY", "real") != "fake"


class HearingAgent(ScriptedAgent):
    """The scripted agent, with an ear that hears the same sentence in everything."""

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        return Transcript(HEARD_AS, len(request.pcm) / 32_000)

    async def health(self) -> Health:
        return replace(await super().health(), transcribes=True)


class Gateway:
    """A server on a loopback port that can be stopped and started again there."""

    def __init__(
        self, keys: str = "", sessions_max: int = 8, fake: Behaviour | None = None, **settings: Any
    ) -> None:
        """settings: others of the real one."""
        self._settings = settings
        self.agent: ScriptedAgent = HearingAgent()
        self._keys = keys
        self._sessions_max = sessions_max
        self._fake = fake
        self._serving: asyncio.Task[None] | None = None
        self._server: uvicorn.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Of the page, over a WebSocket: that is what most tests look at and break."""
        return f"{self.origin}?transport=websocket"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        config = await self._config()
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve(), name="gateway under test")
        while not self._server.started:
            if self._serving.done():
                await self._serving
            await asyncio.sleep(0.005)
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
            config = uvicorn_config(create_app(settings, self.agent, health), settings)
            config.host, config.port = "127.0.0.1", self.port
            return config
        behaviour = self._fake or Behaviour(api_key=self._keys, max_sessions=self._sessions_max)
        app: ASGIApp = make_app(behaviour)
        return uvicorn.Config(
            app,
            host="127.0.0.1",
            port=self.port,
            ws="websockets-sansio",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()
