"""The composition root: what the server is made of, and its HTTP surface."""

import asyncio
import errno
import gc
import resource
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from agent.api import Agent, AgentError, Health
from agent.settings import AgentSettings
from realtime.access.authorization import Access
from realtime.access.client_secrets import ClientSecrets
from realtime.access.tokens import Signer
from realtime.errors import AdmissionRefused, ParlourError, SettingsError
from realtime.metrics import Metrics
from realtime.server.handshake import Handshake
from realtime.server.page import Page
from realtime.server.qr_code import QrCodes
from realtime.session.registry import Sessions, new_ids
from realtime.settings import Settings
from realtime.store.base import Store
from realtime.store.choose import open_store
from realtime.store.memory import MemoryStore
from realtime.transports.chat.completions import ChatCompletions
from realtime.transports.http_error import error_response
from realtime.transports.mqtt.devices import Devices, check_mqtt
from realtime.transports.webrtc.calls import Calls
from realtime.transports.websocket import WebSocketTransport
from realtime.turns.choose import Detectors

HEALTH_WITHIN_S = 2.0
LAG_EVERY_S = 0.25
RECEIVE_BUFFER_BYTES = 32_768

_SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"microphone=(self), speaker-selection=(self)"),
)


async def serve(settings: Settings, report: Callable[[str], None]) -> None:
    """Load the model, open the door, serve until stopped.

    report: takes one line of progress. Raises ParlourError when the start cannot succeed.
    """
    _allow_many_sockets()
    _check_certificate(settings)
    if settings.mqtt_url:
        check_mqtt(settings)
    elif settings.mqtt_hermes:
        raise SettingsError("mqtt_hermes needs mqtt_url: the address of the broker that the sites use.")
    listener = listen(settings)  # first: a port that is taken is known before a model loads
    with listener:
        store = await open_store(settings.store, report)
        agent = await start_agent(settings, report)
        try:
            app = create_app(settings, agent, await agent.health(), store)
            server = _Server(uvicorn_config(app, settings), app.state.sessions)
            address = listener.getsockname()
            scheme = "https" if settings.ssl_certfile else "http"
            host = f"[{address[0]}]" if ":" in address[0] else address[0]
            _settle_memory()
            report(f"Parlour is listening: open {scheme}://{host}:{address[1]}/")
            await server.serve(sockets=[listener])
        finally:
            await agent.aclose()


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
    door = _Door(settings, agent, health, sessions, access, metrics)
    completions = ChatCompletions(settings, agent, health.model, metrics, access.refusal)
    devices = Devices(settings, sessions, metrics, access.bearer) if settings.mqtt_url else None

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
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

    app = Starlette(
        routes=[
            WebSocketRoute("/v1/realtime", _Realtime(door)),
            WebSocketRoute("/{path:path}", door.elsewhere),
            calls.routes(),
            Route("/v1/chat/completions", completions),
            Route("/v1/models", door.models),
            Route("/v1/parlour", door.about),
            Route("/v1/parlour/qr-code", QrCodes(access).create, methods=["POST"]),
            Route("/healthz", door.alive),
            Route("/readyz", door.ready),
            Route("/metrics", door.metrics),
            Mount("/", Page()),
        ],
        middleware=[Middleware(_SecurityHeaders)],
        lifespan=lifespan,
    )
    app.state.sessions = sessions
    return app


class _Server(uvicorn.Server):
    """Ends when the sessions have, or at once when it is told a second time.

    uvicorn raises the signal that stopped it once more, and so would end before the agent is closed.
    """

    def __init__(self, config: uvicorn.Config, sessions: Sessions) -> None:
        super().__init__(config)
        self._sessions = sessions
        self._stopping: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop, number)
        yield

    def _told_to_stop(self, number: int) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(number), name="stop")
        else:
            self.handle_exit(number, None)

    async def _stop(self, number: int) -> None:
        await self._sessions.stop()
        self.handle_exit(number, None)


def uvicorn_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws=Handshake,
        ws_max_size=settings.frame_kib_max * 1024,
        ws_per_message_deflate=False,  # audio does not shrink, and each stream would cost 0.3 MB
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_certfile=settings.ssl_certfile or None,
        ssl_keyfile=settings.ssl_keyfile or None,
        timeout_graceful_shutdown=5,
    )


async def start_agent(settings: Settings, report: Callable[[str], None]) -> Agent:
    """The agent of this server, warm. Raises ParlourError with the agent's one sentence."""
    wanted = AgentSettings(
        model=settings.model,
        llm_url=settings.llm_url,
        llm_key=settings.llm_key,
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


class _Door:
    """The server's endpoints."""

    def __init__(
        self,
        settings: Settings,
        agent: Agent,
        health: Health,
        sessions: Sessions,
        access: Access,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._agent = agent
        self._health = health
        self._sessions = sessions
        self._access = access
        self._metrics = metrics
        self._opened_at = int(time.time())

    async def realtime(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /v1/realtime: everything is decided before the socket is accepted."""
        socket = WebSocket(scope, receive, send)
        offered = socket.scope.get("subprotocols", [])
        refusal = self._access.refusal(socket.headers, offered, opens_session=True)
        if refusal is not None:
            self._metrics.refused.labels("access").inc()
            status, sentence = refusal
            code = "invalid_api_key" if status == 401 else "forbidden"
            await socket.send_denial_response(error_response(status, code, sentence))
            return
        peer = socket.client.host if socket.client else ""
        try:
            with self._sessions.admitted(peer):
                await socket.accept("realtime" if "realtime" in offered else None)
                transport = WebSocketTransport(receive, send, self._settings.slow_peer_s)
                owner = self._access.identity(socket.headers, offered)
                fixed = self._access.session_of(socket.headers, offered)
                model = socket.query_params.get("model", "")
                await self._sessions.run(transport, new_ids(), model, owner, fixed, fixed)
        except AdmissionRefused as full:
            response = error_response(503, "server_full", full.reason, retry_after_s=full.retry_after_s)
            await socket.send_denial_response(response)

    async def elsewhere(self, socket: WebSocket) -> None:
        where = "There is no socket at this path: use /v1/realtime (base URLs end in /v1)."
        await socket.send_denial_response(error_response(404, "not_found", where))

    async def about(self, _: Request) -> Response:
        """GET /v1/parlour: what the page tells of the brain behind it."""
        facts = self._health.facts
        return JSONResponse(
            {
                "model": self._health.model,
                "model_title": facts.get("title", self._health.model),
                "about": facts.get("about", ""),
                "upgrade": facts.get("upgrade", ""),
                "voices": list(self._health.voices),
                "needs_key": self._access.needs_key,
                "turn": bool(self._settings.turn_url),
            }
        )

    async def models(self, request: Request) -> Response:
        """GET /v1/models: the one that answers. Any name is taken for it."""
        refusal = self._access.refusal(request.headers)
        if refusal is not None:
            status, sentence = refusal
            return error_response(status, "invalid_api_key" if status == 401 else "forbidden", sentence)
        model = {
            "id": self._health.model,
            "object": "model",
            "created": self._opened_at,
            "owned_by": "parlour",
        }
        return JSONResponse({"object": "list", "data": [model]})

    async def alive(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(self, _: Request) -> Response:
        """200 when a new session would be answered at once."""
        health = await self._agent_health()
        ready = health.status == "ready" and not self._sessions.is_full
        detail = "the server is restarting" if self._sessions.is_going else health.detail or health.status
        shown = {"ready": ready, "full": self._sessions.is_full, "detail": detail}
        return JSONResponse(shown, 200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        """GET /metrics, with a key where one is required: how much a server is used is its owner's."""
        refusal = self._access.refusal(request.headers) if self._access.needs_key else None
        if refusal is not None:
            return error_response(refusal[0], "invalid_api_key", refusal[1])
        health = await self._agent_health()
        self._metrics.agent_ready.set(health.status == "ready")
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def _agent_health(self) -> Health:
        try:
            async with asyncio.timeout(HEALTH_WITHIN_S):
                return await self._agent.health()
        except (AgentError, TimeoutError):
            return Health("failed", self._health.model, "the agent does not answer")


class _Realtime:
    """As an ASGI app of its own, its socket is spared a layer on each message."""

    def __init__(self, door: _Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._door.realtime(scope, receive, send)


class _SecurityHeaders:
    """What a browser may do with our pages; the same on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_SECURITY_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _watch_lag(metrics: Metrics) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        metrics.loop_lag.observe(max(0.0, loop.time() - due))


def _allow_many_sockets() -> None:
    """A session takes a socket, its answers another: the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _settle_memory() -> None:
    """What was loaded stays: keep it out of garbage collections, which would otherwise walk all
    sessions' objects now and then (measured at 200 sessions: 13 ms at worst, 4 ms with this)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _check_certificate(settings: Settings) -> None:
    """Raises SettingsError: uvicorn would find out late, and with a traceback."""
    if not settings.ssl_certfile:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password="")
    except OSError as error:
        raise SettingsError(
            f"ssl_certfile {settings.ssl_certfile} and ssl_keyfile {settings.ssl_keyfile} cannot be used "
            f"({error.strerror or error}): expected a PEM certificate and its PEM key without a password."
        ) from error


def listen(settings: Settings) -> socket.socket:
    """Bind the address. Raises SettingsError with one sentence when it cannot be had."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            advice = "is that a name or an address of this machine? Choose one with --host."
        else:
            advice = "is another program using that port? Choose one with --port."
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror or error}): {advice}"
        ) from error
    listener.setblocking(False)
    # All that a socket holds is read and parsed in one go: less of it, and a flood of tiny frames
    # delays the other sessions by less (78 ms without this, 24 to 50 with it).
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    # A peer that reads nothing would keep its socket for ever: closing waits until it has read what
    # was sent. Accepted sockets inherit this, and Linux gives up on a window that stays shut (tcp(7)).
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        patience_ms = round(settings.slow_peer_s * 2000)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience_ms)
    return listener
