"""Fixtures that several kinds of test share."""

import asyncio
import os
import shutil
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
from realtime.session.registry import Sessions
from realtime.settings import Settings
from realtime.store.base import Store
from tests.schedule import pytest_collection_modifyitems as pytest_collection_modifyitems
from tests.schedule import pytest_runtest_logreport as pytest_runtest_logreport
from tests.schedule import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler
from tests.schedule import remember_measured

hypothesis.settings.register_profile("parlour", deadline=None)  # a test never asserts a time
hypothesis.settings.load_profile("parlour")


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


@asynccontextmanager
async def running_server(
    agent: Agent | None = None, store_opened: Store | None = None, **settings: object
) -> AsyncIterator[Server]:
    """The real server in this test's event loop; by default the scripted agent answers, and sessions that
    can be resumed are in memory."""
    agent = agent or ScriptedAgent()
    chosen = Settings(port=0, **settings)  # type: ignore[arg-type]
    app = create_app(chosen, agent, await agent.health(), store_opened)
    server = uvicorn.Server(uvicorn_config(app, chosen))
    listener = listen(chosen)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="server under test")
    while not server.started:
        if serving.done():
            await serving
        await asyncio.sleep(0.005)
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
