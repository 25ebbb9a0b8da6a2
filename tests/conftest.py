"""Fixtures that several kinds of test share."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
import uvicorn

from agent.api import Agent
from agent.models.files import present
from agent.models.manifest import SMOLLM2, WHISPER_TINY_EN
from agent.scripted.agent import ScriptedAgent
from realtime.server.app import create_app
from realtime.server.serve import listen, uvicorn_config
from realtime.session import registry
from realtime.session.registry import Sessions
from realtime.settings import Settings
from realtime.store.base import Store
from realtime.transports.mqtt import broker, devices, link
from realtime.transports.mqtt import transport as mqtt_transport
from realtime.transports.webrtc import peer, secure_path
from tests.schedule import pytest_collection_modifyitems as pytest_collection_modifyitems
from tests.schedule import pytest_runtest_logreport as pytest_runtest_logreport
from tests.schedule import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler
from tests.schedule import remember_measured
from tests.waiting import HANGS_S, Lateness, polled

hypothesis.settings.register_profile("parlour", deadline=None)  # a test never asserts a time
hypothesis.settings.load_profile("parlour")


UNHURRIED = {"slow_peer_s": HANGS_S, "agent_first_event_s": HANGS_S, "agent_next_event_s": HANGS_S}
"""Settings that give nobody up because the machine is slow; a test of giving up sets its own."""


PATIENCE_S = 60
CLOSING_LIMITS = (
    (broker, "ANSWER_WITHIN_S"),
    (broker, "KEEPALIVE_S"),
    (link, "LAST_PUBLISH_WITHIN_S"),
    (mqtt_transport, "CLOSE_WITHIN_S"),
    (devices, "PART_WITHIN_S"),
    (registry, "END_WITHIN_S"),
    (peer, "_CLOSE_WITHIN_S"),
    (secure_path, "_CLOSE_WITHIN_S"),
)
"""How long the product waits for a broker, and for what is said and closed last: what is not said by then is
never said, and what is not closed stays open."""


@pytest.fixture(scope="session", autouse=True)
def unhurried() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name in CLOSING_LIMITS:
            patch.setattr(module, name, PATIENCE_S)
        yield


class _Started(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set_result(None)


@dataclass(frozen=True)
class Server:
    """A gateway on a real loopback socket."""

    port: int
    sessions: Sessions

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def left(self) -> None:
        """Wait until no connection has a session; sessions may wait for their clients."""
        await polled(lambda: not self.sessions.open_count, "the end of the connections")

    async def emptied(self) -> None:
        """Wait until there is no session, neither."""
        await polled(lambda: not self.sessions.running_count, "the end of the sessions")
        await self.left()


@asynccontextmanager
async def running_server(
    agent: Agent | None = None, store_opened: Store | None = None, **settings: object
) -> AsyncIterator[Server]:
    """The real server in this test's event loop; by default the scripted agent answers, and sessions that
    can be resumed are in memory."""
    agent = agent or ScriptedAgent()
    chosen = Settings(port=0, **{**UNHURRIED, **settings})  # type: ignore[arg-type]
    app = create_app(chosen, agent, await agent.health(), store_opened)
    server = _Started(uvicorn_config(app, chosen))
    listener = listen(chosen)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="server under test")
    await asyncio.wait({serving, server.listens}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    try:
        yield Server(listener.getsockname()[1], app.state.sessions)
    finally:
        server.should_exit = True
        await serving
        listener.close()
        await agent.aclose()


@pytest.fixture
def start_server() -> Callable[..., AbstractAsyncContextManager[Server]]:
    return running_server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server() as running:
        yield running


@pytest.fixture(autouse=True)
def unhurried_models(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where models compute, on a machine that may have other things to do."""
    if request.node.get_closest_marker("models") is None:
        return
    for module, name in (
        ("realtime.session.agent_calls", "TRANSCRIBE_WITHIN_S"),
        ("agent.asr.queue", "RECOGNITION_TIMEOUT_S"),
        ("agent.engine.llama_cpp", "FIRST_TOKEN_TIMEOUT_S"),
        ("agent.engine.speech_lm", "FIRST_TOKEN_TIMEOUT_S"),
        ("agent.tts.threaded", "CLAUSE_TIMEOUT_S"),
    ):
        if module in sys.modules:
            monkeypatch.setattr(sys.modules[module], name, HANGS_S)


@pytest.fixture
async def lateness() -> AsyncIterator[Lateness]:
    """Measured beside the test: what it may allow besides a promise in real time."""
    async with Lateness() as measured:
        yield measured


@pytest.fixture(scope="session")
def small_qwen2_audio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the small checkpoint of real parts, which takes seconds to make."""
    for package in ("torch", "transformers", "gguf"):
        pytest.importorskip(package)
    from agent.models.small_qwen2_audio import build_small

    if not present([SMOLLM2, *WHISPER_TINY_EN["model.bin"]]):
        pytest.skip("the packages of models.txt are not installed")
    folder = tmp_path_factory.mktemp("small-qwen2-audio")
    build_small(folder)
    yield folder
    shutil.rmtree(folder)  # 0.7 GB


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With TESTS_NO_SKIP set, a test that was skipped fails the run."""
    remember_measured(session)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("TESTS_NO_SKIP"):
        reporter.write_line(f"{len(skipped)} skipped, and TESTS_NO_SKIP is set: this run has failed.")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
