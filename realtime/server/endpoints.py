"""The endpoints over HTTP: the realtime socket, models, health, metrics, and what the page asks."""

import asyncio
import time
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from agent.api import Agent, AgentError, Health
from realtime.access.authorization import Access
from realtime.errors import AdmissionRefused, ClientError
from realtime.metrics import Metrics
from realtime.protocol.beta import BetaCodec
from realtime.protocol.codec import GA
from realtime.session.registry import Sessions, new_ids
from realtime.settings import Settings
from realtime.transports.http_error import error_response
from realtime.transports.webrtc.calls import Calls
from realtime.transports.websocket import WebSocketTransport

HEALTH_WITHIN_S = 2.0


class Endpoints:
    """One method each."""

    def __init__(
        self,
        settings: Settings,
        agent: Agent,
        health: Health,
        sessions: Sessions,
        access: Access,
        metrics: Metrics,
        calls: Calls,
    ) -> None:
        self._calls = calls
        self._settings = settings
        self._agent = agent
        self._health = health
        self._sessions = sessions
        self._access = access
        self._metrics = metrics
        self._opened_at = int(time.time())

    def routes(self) -> list[BaseRoute]:
        return [
            WebSocketRoute("/v1/realtime", RealtimeSocket(self)),
            WebSocketRoute("/{path:path}", self.elsewhere),
            Route("/v1/models", self.models),
            Route("/v1/models/{name:path}", self.model),
            Route("/v1/parlour", self.about),
            Route("/healthz", self.alive),
            Route("/health", self.alive),  # vLLM's name: load generators ask for it before they start
            Route("/readyz", self.ready),
            Route("/metrics", self.metrics),
        ]

    async def realtime(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /v1/realtime: everything is decided before the socket is accepted."""
        socket = WebSocket(scope, receive, send)
        offered = socket.scope.get("subprotocols", [])
        call_id = socket.query_params.get("call_id")
        # A client secret is given to a page: its user joins nobody's call, and has their own already.
        refusal = self._access.refusal(socket.headers, offered, opens_session=call_id is None)
        if refusal is not None:
            self._metrics.refused.labels("access").inc()
            status, sentence = refusal
            code = "invalid_api_key" if status == 401 else "forbidden"
            await socket.send_denial_response(error_response(status, code, sentence))
            return
        peer = socket.client.host if socket.client else ""
        fixed = self._access.session_of(socket.headers, offered)
        try:
            beginning = self._beginning(socket.query_params.get("intent", ""), fixed)
        except ClientError as error:
            refused = error_response(400, error.code, error.message, error.param)
            await socket.send_denial_response(refused)
            return
        owner = self._access.identity(socket.headers, offered)
        if call_id is not None and not self._calls.may_join(call_id, owner):
            no_call = error_response(
                404, "call_not_found", "There is no such call, or it is over.", "call_id"
            )
            await socket.send_denial_response(no_call)
            return
        try:
            with self._sessions.admitted(peer):
                await socket.accept("realtime" if "realtime" in offered else None)
                codec = BetaCodec() if self._access.speaks_beta(socket.headers, offered) else GA
                settings = self._settings
                event_bytes_max = settings.frame_kib_max * 1024
                transport = WebSocketTransport(receive, send, settings.slow_peer_s, codec, event_bytes_max)
                if call_id is not None:
                    await self._join(call_id, transport)
                    return
                model = socket.query_params.get("model", "")
                await self._sessions.run(transport, new_ids(), model, owner, beginning, fixed)
        except AdmissionRefused as full:
            response = error_response(503, "server_full", full.reason, retry_after_s=full.retry_after_s)
            await socket.send_denial_response(response)

    async def _join(self, call_id: str, sideband: WebSocketTransport) -> None:
        session = await self._calls.session_of(call_id)
        if session is None:
            await sideband.close(1000, "the call is over")
        else:
            await session.join(sideband)

    def _beginning(self, intent: str, fixed: dict[str, Any]) -> dict[str, Any]:
        """What the session begins with. Raises ClientError."""
        if intent not in ("", "realtime", "transcription"):
            raise ClientError("invalid_value", "Invalid intent: expected 'transcription', or none.", "intent")
        if not intent or intent == fixed.get("type", intent):
            beginning = fixed | ({"type": intent} if intent else {})
            self._sessions.checked_config(beginning)
            return beginning
        raise ClientError(
            "invalid_value", "The key is for another type of session than the intent.", "intent"
        )

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
        """GET /v1/models: the one that answers. A session or a completion may call it by any name."""
        return self._refused(request) or JSONResponse({"object": "list", "data": [self._model()]})

    async def model(self, request: Request) -> Response:
        """GET /v1/models/NAME: there is one, and it is found by its own name only."""
        refused = self._refused(request)
        if refused is not None:
            return refused
        if request.path_params["name"] != self._health.model:
            sentence = f"There is no model of that name here: expected {self._health.model!r}."
            return error_response(404, "model_not_found", sentence, "model")
        return JSONResponse(self._model())

    async def alive(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(self, _: Request) -> Response:
        """200 when a new session would be answered at once.

        status: "ready", or why not: "starting", "failed", "away" (the chat server does not answer), "full",
        "stopping". detail: one sentence for a person.
        """
        health = await self._agent_health()
        status, detail = str(health.status), health.detail or health.status
        if self._sessions.is_going:
            status, detail = "stopping", "the server is restarting"
        elif status == "ready" and self._sessions.is_full:
            status, detail = "full", "every seat is taken"
        ready = status == "ready"
        shown = {"ready": ready, "full": self._sessions.is_full, "status": status, "detail": detail}
        return JSONResponse(shown, 200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        """GET /metrics, with a key where one is required: how much a server is used is its owner's."""
        refusal = self._access.refusal(request.headers) if self._access.needs_key else None
        if refusal is not None:
            return error_response(refusal[0], "invalid_api_key", refusal[1])
        health = await self._agent_health()
        self._metrics.agent_ready.set(health.status == "ready")
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    def _refused(self, request: Request) -> Response | None:
        refusal = self._access.refusal(request.headers)
        if refusal is None:
            return None
        status, sentence = refusal
        return error_response(status, "invalid_api_key" if status == 401 else "forbidden", sentence)

    def _model(self) -> dict[str, str | int]:
        """A Model of OpenAI's API."""
        return {
            "id": self._health.model,
            "object": "model",
            "created": self._opened_at,
            "owned_by": "parlour",
        }

    async def _agent_health(self) -> Health:
        try:
            async with asyncio.timeout(HEALTH_WITHIN_S):
                return await self._agent.health()
        except (AgentError, TimeoutError):
            return Health("failed", self._health.model, "the agent does not answer")


class RealtimeSocket:
    """`Endpoints.realtime` as an ASGI app of its own: its socket is spared a layer on each message."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoints.realtime(scope, receive, send)
