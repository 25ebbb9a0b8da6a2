"""The process that serves: its socket, its signals, its memory, from the first line to the last session."""

import asyncio
import errno
import gc
import resource
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from realtime.errors import SettingsError
from realtime.server.app import create_app, start_agent
from realtime.server.handshake import MESSAGE_BYTES_MAX, Handshake
from realtime.session.registry import Sessions
from realtime.settings import Settings
from realtime.store.choose import open_store
from realtime.transports.hermes.sites import sites_of
from realtime.transports.mqtt.devices import check_mqtt

RECEIVE_BUFFER_BYTES = 32_768


async def serve(settings: Settings, report: Callable[[str], None]) -> None:
    """Load the model, listen, serve until stopped.

    report: takes one line of progress. Raises ParlourError when the start cannot succeed.
    """
    _allow_many_sockets()
    _check_certificate(settings)
    check_devices(settings)
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
        ws_max_size=max(MESSAGE_BYTES_MAX, settings.frame_kib_max * 1024),
        ws_per_message_deflate=False,  # audio does not shrink, and each stream would cost 0.3 MB
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        log_config=None,
        access_log=False,
        server_header=False,
        # uvicorn's default believes any program of this machine.
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
        ssl_certfile=settings.ssl_certfile or None,
        ssl_keyfile=settings.ssl_keyfile or None,
        timeout_graceful_shutdown=5,
    )


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


def check_devices(settings: Settings) -> None:
    """Raises SettingsError, before a model loads."""
    if settings.mqtt_url:
        check_mqtt(settings)
    if settings.mqtt_hermes:
        if not settings.mqtt_url:
            raise SettingsError("mqtt_hermes needs mqtt_url: the address of the broker that the sites use.")
        sites_of(settings.mqtt_hermes)


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
