"""The composition root: what the server is made of."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from agent.api import Agent, AgentError, Health
from agent.settings import AgentSettings
from realtime.access.authorization import Access
from realtime.access.client_secrets import ClientSecrets
from realtime.access.tokens import Signer
from realtime.errors import ParlourError
from realtime.metrics import Metrics
from realtime.server.endpoints import Endpoints
from realtime.server.page import Page, SecurityHeaders
from realtime.server.qr_code import QrCodes
from realtime.session.registry import Sessions
from realtime.settings import Settings
from realtime.store.base import Store
from realtime.store.memory import MemoryStore
from realtime.transports.chat.completions import ChatCompletions
from realtime.transports.hermes.sites import HermesSites
from realtime.transports.mqtt.devices import Devices
from realtime.transports.mqtt.link import Dialect
from realtime.transports.mqtt.speakers import Speakers
from realtime.transports.webrtc.calls import Calls
from realtime.turns.choose import Detectors

LAG_EVERY_S = 0.25


def create_app(settings: Settings, agent: Agent, health: Health, store: Store | None = None) -> Starlette:
    """The ASGI application, for uvicorn here or for any other host.

    store: where sessions are that can be resumed, in memory unless one is given; it is closed at the end.
    """
    metrics = Metrics()
    detectors = Detectors(settings.vad, settings.utterance_s_max)
    signer, client_secrets = Signer(settings.key_set), ClientSecrets(settings.key_set)
    sessions = Sessions(settings, agent, health, detectors.make, metrics, store or MemoryStore(), signer)
    access = Access(settings, signer, client_secrets)
    calls = Calls(settings, sessions, access, client_secrets)
    endpoints = Endpoints(settings, agent, health, sessions, access, metrics, calls)
    completions = ChatCompletions(settings, agent, health.model, metrics, access.refusal)
    dialects: list[Dialect] = [Speakers(settings, sessions, metrics, access.bearer)]
    if settings.mqtt_hermes:
        dialects.append(HermesSites(settings, sessions, metrics))
    devices = None
    if settings.mqtt_url:
        devices = Devices(settings, metrics, dialects, lambda: sessions.is_going)

    app = Starlette(
        routes=[
            *endpoints.routes(),
            *calls.routes(),
            Route("/v1/chat/completions", completions),
            Route("/v1/parlour/qr-code", QrCodes(access).create, methods=["POST"]),
            Mount("/", Page()),
        ],
        middleware=[Middleware(SecurityHeaders)],
        lifespan=lambda _: _running(sessions, calls, devices, metrics),
    )
    app.state.sessions = sessions
    return app


@asynccontextmanager
async def _running(
    sessions: Sessions, calls: Calls, devices: Devices | None, metrics: Metrics
) -> AsyncIterator[None]:
    """What goes on beside the requests, from the server's start to its end."""
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(_watch_lag(metrics), name="loop lag"),
            tasks.create_task(sessions.keep(), name="session store"),
        ]
        if devices is not None:
            running.append(tasks.create_task(devices.run(), name="mqtt devices"))
        calls.begin(tasks)
        yield
        calls.end()
        if devices is not None:
            devices.stop()
        for task in running:
            task.cancel()
    await sessions.aclose()


async def start_agent(settings: Settings, report: Callable[[str], None]) -> Agent:
    """The agent of this server, warm. Raises ParlourError with the agent's one sentence."""
    wanted = AgentSettings(
        model=settings.model,
        llm_url=settings.llm_url,
        llm_key=settings.llm_key,
        llm_thinking_s=settings.llm_thinking_s,
        llm_context_tokens=settings.llm_context_tokens,
        answer_tokens_max=settings.answer_tokens_max,
        answer_s_max=settings.answer_s_max,
        recogniser=settings.recogniser,
        language=settings.language,
        voice=settings.voice,
        threads=settings.threads,
        hub=settings.hub,
        dtype=settings.dtype,
    )
    try:
        if settings.in_process:
            from agent.builder import build_agent

            return await build_agent(wanted, report)
        from agent.client import Timeouts
        from agent.supervisor import SupervisedAgent

        waits = Timeouts(first_event_s=settings.agent_first_event_s, next_event_s=settings.agent_next_event_s)
        agent = SupervisedAgent(wanted, report, memory_limit_mb=settings.agent_memory_mb, timeouts=waits)
        await agent.start()
        return agent
    except AgentError as error:
        raise ParlourError(error.message) from error


async def _watch_lag(metrics: Metrics) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        metrics.loop_lag.observe(max(0.0, loop.time() - due))
