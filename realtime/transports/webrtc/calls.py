"""`/v1/realtime/calls` and `/v1/realtime/client_secrets`: how a WebRTC session comes to be, over HTTP.

A call is answered at once and connects later; from its answer on it has its place, and a task that
holds it. Reference: OpenAI, "Realtime API with WebRTC", "Create client secret".
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from realtime.access.authorization import CLIENT_SECRET, Access
from realtime.access.client_secrets import (
    SECONDS_DEFAULT,
    SECONDS_MAX,
    SECONDS_MIN,
    ClientSecret,
    ClientSecrets,
)
from realtime.errors import AdmissionRefused, ClientError
from realtime.protocol.beta import BetaCodec, beta_path, beta_session
from realtime.protocol.codec import GA, EventCodec, decode
from realtime.protocol.config import SessionConfig
from realtime.protocol.config_update import merge, with_fixed
from realtime.protocol.events import SessionUpdate
from realtime.session.registry import Sessions, new_ids
from realtime.session.runner import Runner
from realtime.session.transport import PeerGone
from realtime.settings import Settings
from realtime.transports.http_error import error_response
from realtime.transports.webrtc.ice import IceSettings
from realtime.transports.webrtc.offer import Offer, parse_offer
from realtime.transports.webrtc.transport import WebRtcTransport

logger = logging.getLogger("parlour.call")

BODY_BYTES_MAX = 320 * 1024
"""An offer of 64 KiB, and a session as large as a data channel would take it."""
BODY_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a peer asks for. beginning, fixed: of the session's configuration. owner: who it is. codec: of its
    events."""

    offer: Offer
    owner: str
    model: str
    beginning: dict[str, Any]
    fixed: dict[str, Any]
    codec: EventCodec


class Calls:
    """The calls of one server. tasks: where each has its own, from the server's start on."""

    def __init__(
        self, settings: Settings, sessions: Sessions, access: Access, secrets: ClientSecrets
    ) -> None:
        self._settings = settings
        self._ice = IceSettings.of(settings)
        self._sessions = sessions
        self._access = access
        self._secrets = secrets
        self._tasks: asyncio.TaskGroup | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._transports: dict[str, WebRtcTransport] = {}
        self._owners: dict[str, str] = {}

    def routes(self) -> list[BaseRoute]:
        """With what a page of another site needs to use them (Fetch, "CORS protocol")."""
        origins = ["*"] if self._access.needs_key else sorted(self._settings.origin_set)
        cors = Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["POST"],
            allow_headers=["*"],
            expose_headers=["location"],
        )
        routes = [
            Route("/calls", self.create, methods=["POST"]),
            Route("/calls/{call_id}/hangup", self.hang_up, methods=["POST"]),
            Route("/client_secrets", self.create_secret, methods=["POST"]),
            Route("/sessions", self.create_beta_secret, methods=["POST"]),
            Route("/transcription_sessions", self.create_beta_secret, methods=["POST"]),
        ]
        return [
            # The beta's path of a call. A Route hands its middleware no method that it does not name.
            Route("/v1/realtime", self.create, methods=["POST", "OPTIONS"], middleware=[cors]),
            Mount("/v1/realtime", routes=routes, middleware=[cors]),
        ]

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks

    def end(self) -> None:
        """End all calls; their tasks are done soon after."""
        for task in self._running.values():
            task.cancel()

    def may_join(self, call_id: str, owner: str) -> bool:
        """Whether there is such a call, and this is its maker's key; or any, where a secret made it."""
        return self._owners.get(call_id) in (owner, CLIENT_SECRET)

    async def session_of(self, call_id: str) -> Runner | None:
        """Once it has begun: who has offered a call may join it before its answer is with the peer.

        None where the call is over.
        """
        transport = self._transports.get(call_id)
        if transport is None:
            return None
        await transport.begun.wait()
        return self._sessions.serving(transport)

    # The endpoints ------------------------------------------------------------------------

    async def create(self, request: Request) -> Response:
        refusal = self._access.refusal(request.headers, opens_session=True)
        if refusal is not None:
            return _refused(*refusal)
        try:
            wanted = await self._wanted(request)
        except ClientError as error:
            return error_response(400, error.code, error.message, error.param)
        if self._tasks is None:
            return error_response(503, "not_ready", "This server takes no calls.", retry_after_s=10)
        call_id = f"rtc_{secrets.token_hex(12)}"
        peer = request.client.host if request.client else ""
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = self._tasks.create_task(self._hold(call_id, peer, wanted, answered), name=f"call {call_id}")
        self._running[call_id] = task
        task.add_done_callback(lambda _: self._running.pop(call_id))
        try:
            answer = await answered
        except AdmissionRefused as full:
            return error_response(503, "server_full", full.reason, retry_after_s=full.retry_after_s)
        except PeerGone as gone:
            return error_response(500, "call_failed", f"The call could not be set up: {gone.reason}.")
        location = f"/v1/realtime/calls/{call_id}"
        return Response(answer, 201, {"location": location}, "application/sdp")

    async def hang_up(self, request: Request) -> Response:
        refusal = self._access.refusal(request.headers, opens_session=True)
        if refusal is not None:
            return _refused(*refusal)
        call_id = request.path_params["call_id"]
        if not self.may_join(call_id, self._access.identity(request.headers)):
            return error_response(404, "call_not_found", "There is no such call, or it is over.", "call_id")
        self._transports[call_id].hang_up()
        return Response(status_code=200)

    async def create_secret(self, request: Request) -> Response:
        refusal = self._access.refusal(request.headers)
        if refusal is not None:
            return _refused(*refusal)
        try:
            body = await _json_object(request)
            seconds = _seconds(body.get("expires_after"))
            session = session_patch(body["session"] if body.get("session") is not None else {})
            secret, shown = self._secret(session, seconds)
        except ClientError as error:
            return error_response(400, error.code, error.message, error.param)
        return JSONResponse({"value": secret.value, "expires_at": secret.expires_at, "session": shown})

    async def create_beta_secret(self, request: Request) -> Response:
        """The same in the beta: the session is the body, flat, and the secret is in the session."""
        refusal = self._access.refusal(request.headers)
        if refusal is not None:
            return _refused(*refusal)
        try:
            body = await _json_object(request)
            wanted = body.pop("client_secret", None)
            seconds = _seconds(wanted.get("expires_after") if isinstance(wanted, dict) else None)
            is_transcription = request.url.path.endswith("/transcription_sessions")
            event_type = "transcription_session.update" if is_transcription else "session.update"
            event = BetaCodec().decode(msgspec.json.encode({"type": event_type, "session": body}))
            assert isinstance(event, SessionUpdate)
            secret, shown = self._secret(session_patch(event.session), seconds, is_beta=True)
        except ClientError as error:
            param = error.param and beta_path(error.param).removeprefix("session.")
            return error_response(400, error.code, error.message, param)
        made = {"value": secret.value, "expires_at": secret.expires_at}
        return JSONResponse(beta_session(shown) | {"client_secret": made})

    def _secret(
        self, session: dict[str, Any], seconds: int, is_beta: bool = False
    ) -> tuple[ClientSecret, dict[str, Any]]:
        """And the session that it opens, as JSON. Raises ClientError."""
        session = {"type": "realtime", **session}  # a secret fixes it, whether it was named or not
        config = self._sessions.checked_config(session)
        secret = self._secrets.issue(session, seconds, is_beta)
        config = msgspec.structs.replace(config, expires_at=secret.expires_at)
        return secret, msgspec.to_builtins(config.shown)

    # A call -------------------------------------------------------------------------------

    async def _hold(self, call_id: str, peer: str, wanted: _Wanted, answered: asyncio.Future[str]) -> None:
        """A call from its place to its end; `answered` gets the SDP answer, or why there is none."""
        try:
            with self._sessions.admitted(peer):
                await self._run(call_id, wanted, answered)
        except AdmissionRefused as full:
            _fail(answered, full)
        except PeerGone as gone:
            _fail(answered, gone)
            logger.info("call not connected", extra={"call_id": call_id, "why": gone.reason})
        except Exception:
            logger.exception("internal error", extra={"call_id": call_id})
        finally:
            _fail(answered, PeerGone(1011, "internal error"))

    async def _run(self, call_id: str, wanted: _Wanted, answered: asyncio.Future[str]) -> None:
        ids = new_ids()
        slow_peer_s = self._settings.slow_peer_s
        transport = WebRtcTransport(wanted.offer, self._ice, slow_peer_s, wanted.codec)
        self._transports[call_id] = transport
        self._owners[call_id] = wanted.owner
        try:
            answer = await transport.answer()
            if not answered.done():
                answered.set_result(answer)
            await transport.connected()
            logger.info("call connected", extra={"call_id": call_id, "session_id": ids.session_id})
            beginning, fixed = wanted.beginning, wanted.fixed
            await self._sessions.run(transport, ids, wanted.model, wanted.owner, beginning, fixed)
        finally:
            del self._transports[call_id], self._owners[call_id]
            await transport.close(1000, "")

    async def _wanted(self, request: Request) -> _Wanted:
        """Raises ClientError."""
        fixed = self._access.session_of(request.headers)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        beginning = fixed
        match kind:
            case "application/sdp":
                text = _decoded(await _body(request))
            case "multipart/form-data":
                text, session = await _form(request)
                beginning = fixed if session is None else _with_fixed(session_patch(session), fixed)
            case _:
                raise ClientError(
                    "invalid_content_type",
                    "Expected an SDP offer as application/sdp, or multipart/form-data with an 'sdp'.",
                )
        self._sessions.checked_config(beginning)
        model = beginning.get("model")
        named = model if isinstance(model, str) else ""
        owner = self._access.identity(request.headers)
        model = named or request.query_params.get("model", "")
        is_beta = request.url.path == "/v1/realtime" or self._access.speaks_beta(request.headers)
        codec = BetaCodec() if is_beta else GA
        return _Wanted(parse_offer(text), owner, model, beginning, fixed, codec)


def session_patch(raw: object) -> dict[str, Any]:
    """A `session` that came over HTTP, checked as if it had come in a session.update. Raises InvalidEvent."""
    event = decode(msgspec.json.encode({"type": "session.update", "session": raw}))
    assert isinstance(event, SessionUpdate)
    merge(SessionConfig(), event.session)
    return event.session


def _with_fixed(session: dict[str, Any], fixed: dict[str, Any]) -> dict[str, Any]:
    """What the client secret says, and beside it what the request says."""
    return {**fixed, **with_fixed(session, fixed)}


def _fail(answered: asyncio.Future[str], error: Exception) -> None:
    if not answered.done():
        answered.set_exception(error)


def _refused(status: int, sentence: str) -> Response:
    return error_response(status, "invalid_api_key" if status == 401 else "forbidden", sentence)


# Bodies -----------------------------------------------------------------------------------


async def _body(request: Request) -> bytes:
    """Raises ClientError for one that is too large or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for piece in request.stream():
                body += piece
                if len(body) > BODY_BYTES_MAX:
                    sentence = f"The body is larger than {BODY_BYTES_MAX // 1024} KiB."
                    raise ClientError("request_too_large", sentence)
    except TimeoutError:
        sentence = f"The body did not come within {BODY_WITHIN_S:g} seconds."
        raise ClientError("request_timeout", sentence) from None
    except ClientDisconnect:
        raise ClientError("request_incomplete", "The peer left before its body had come.") from None
    return bytes(body)


async def _form(request: Request) -> tuple[str, object]:
    """The parts `sdp` and `session`; None where there is no session. Raises ClientError."""
    body = await _body(request)

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        request.headers, whole(), max_files=2, max_fields=8, max_part_size=BODY_BYTES_MAX
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError):
        raise ClientError("invalid_value", "The body is no well-formed multipart/form-data.") from None
    try:
        sdp, session = [await _text(form.get(name)) for name in ("sdp", "session")]
    finally:
        await form.close()
    if sdp is None:
        raise ClientError("missing_required_parameter", "Missing required parameter: 'sdp'.", "sdp")
    return sdp, None if session is None else _json(session, "session")


async def _text(part: UploadFile | str | None) -> str | None:
    return _decoded(await part.read()) if isinstance(part, UploadFile) else part


async def _json_object(request: Request) -> dict[str, Any]:
    """An empty body is an empty object. Raises ClientError."""
    body = _json(_decoded(await _body(request)) or "{}", None)
    if not isinstance(body, dict):
        raise ClientError("invalid_json", "Expected a JSON object.")
    return body


def _json(text: str, param: str | None) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise ClientError("invalid_json", "Expected JSON.", param) from None


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise ClientError("invalid_value", "The body is not UTF-8 text.") from None


def _seconds(raw: object) -> int:
    if raw is None:
        return SECONDS_DEFAULT
    where = "expires_after"
    if not isinstance(raw, dict) or raw.get("anchor", "created_at") != "created_at":
        raise ClientError(
            "invalid_value", f"Invalid value for '{where}': expected the anchor 'created_at'.", where
        )
    seconds = raw.get("seconds", SECONDS_DEFAULT)
    if isinstance(seconds, float) and seconds.is_integer():
        seconds = int(seconds)
    if type(seconds) is not int or not SECONDS_MIN <= seconds <= SECONDS_MAX:
        expected = f"expected a whole number from {SECONDS_MIN} to {SECONDS_MAX}"
        sentence = f"Invalid value for '{where}.seconds': {expected}."
        raise ClientError("invalid_value", sentence, f"{where}.seconds")
    return seconds
