"""`parlour doctor`: is there a server, and can a conversation be had with it?

Walks the way that a client goes, one step after the other, and stops at the first that fails: what
comes after it would fail for the same reason. Every failure comes with its cure.
"""

import argparse
import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from realtime.commands.doctor_call import Failed, TestCall
from realtime.commands.server_address import NOT_PARLOUR, obstacle, own_key, split_url
from realtime.errors import SettingsError
from realtime.settings import is_loopback

STEP_S = 10.0
"""How long one step may take."""


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """ca: a file with the certificate to trust besides this machine's, if there is one."""

    url: str = "http://127.0.0.1:8080"
    key: str = ""
    ca: Path | None = None

    @classmethod
    def from_arguments(cls, given: argparse.Namespace) -> "DoctorOptions":
        return cls(given.url, given.key or own_key(given.url), given.ca)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--url", default=DoctorOptions().url, help="server, e.g. https://HOST:8080 (default: this machine)")
    add("--key", default="", help="the server's key (default: the first of PARLOUR_KEYS)")
    add("--ca", type=Path, help="a certificate to trust, as a PEM file")


async def diagnose(options: DoctorOptions, report: Callable[[str], None]) -> int:
    """Check the server, step by step. Return 0, or 1 when a step failed.

    report: takes one line for each step. Raises SettingsError for an address or a file that cannot be used.
    """
    examination = _Examination(options)
    async with examination:
        for name, step in examination.steps():
            try:
                async with asyncio.timeout(STEP_S):
                    found = await step()
            except Failed as failure:
                report(f"failed  {name}: {failure.what}\n        {failure.cure}")
                return 1
            except TimeoutError:
                report(f"failed  {name}: no answer within {STEP_S:g} s\n        {_BUSY}")
                return 1
            report(f"ok      {name}: {found}")
    return 0


_WRONG_SERVER = f"{NOT_PARLOUR[0].upper()}{NOT_PARLOUR[1:]}"
_BUSY = "The server hangs, or a firewall swallows what is sent: look at its log, and at what lies between."


class _Examination:
    """The steps. Each returns what it found, or raises Failed."""

    def __init__(self, options: DoctorOptions) -> None:
        self._key = options.key
        self._address, self._port = split_url(options.url, "http")
        self._is_tls = self._address.scheme in ("https", "wss")
        self._tls = _trust(options.ca) if self._is_tls else None
        self._host = self._address.hostname or ""
        base = f"{self._address.netloc}{self._address.path.removesuffix('/v1/realtime').rstrip('/')}"
        self._ws_url = f"{'wss' if self._is_tls else 'ws'}://{base}/v1/realtime"
        self._headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
        self._http = httpx.AsyncClient(
            base_url=f"{'https' if self._is_tls else 'http'}://{base}/",
            verify=self._tls or True,
            timeout=STEP_S,
            trust_env=False,
        )
        self._call = TestCall(self._http, self._headers, STEP_S * 0.8)
        self._has_turn = False

    async def __aenter__(self) -> None:
        """The object was made in the caller's event loop."""

    async def __aexit__(self, *_: object) -> None:
        await self._call.close()
        await self._http.aclose()

    def steps(self) -> list[tuple[str, Callable[[], Awaitable[str]]]]:
        return [
            ("address", self._reach),
            ("certificate", self._check_certificate),
            ("server", self._ask_about),
            ("readiness", self._check_ready),
            ("key", self._check_key),
            ("session", self._open_session),
            ("signalling", self._call.signal),
            ("ICE", self._call.find_path),
            ("TURN", self._check_turn),
            ("encryption", self._call.encrypt),
            ("data channel", self._call.open_channel),
        ]

    async def _reach(self) -> str:
        try:
            _, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            raise self._failed(error) from None
        writer.close()
        return f"{self._host}:{self._port} can be reached"

    async def _check_certificate(self) -> str:
        if self._tls is None:
            if is_loopback(self._host):
                return "none, and none is needed on this machine"
            return "none; from here browsers give the page neither microphone nor sound (see --ssl-certfile)"
        try:
            _, writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls, server_hostname=self._host
            )
        except ssl.SSLCertVerificationError as error:
            cure = "Use one that names this host and is trusted here, or name its authority with --ca."
            raise Failed(f"it is not trusted: {error.verify_message}", cure) from None
        except OSError as error:
            raise self._failed(error) from None
        expires = writer.get_extra_info("peercert")["notAfter"]
        writer.close()
        return f"trusted until {expires}"

    async def _ask_about(self) -> str:
        answer = await self._get("v1/parlour")
        about = _object(answer)
        if answer.status_code != 200 or "model" not in about:
            raise Failed(f"it answers with HTTP {answer.status_code}, not as Parlour does", _WRONG_SERVER)
        self._has_turn = about.get("turn") is True
        return f"Parlour with {about.get('model_title') or about['model']}"

    async def _check_ready(self) -> str:
        answer = await self._get("readyz")
        shown = _object(answer)
        if answer.status_code == 200:
            return "a new conversation would be answered at once"
        if shown.get("full"):
            raise Failed("every seat is taken", "Wait until one is free, or raise --sessions-max.")
        detail = shown.get("detail") or f"HTTP {answer.status_code}"
        if shown.get("status") == "away":
            what, _, cure = str(detail).partition(": ")
            raise Failed(what[:1].lower() + what[1:], f"{cure[:1].upper()}{cure[1:]}")
        raise Failed(f"not ready: {detail}", "Wait a moment after a start; else look at the server's log.")

    async def _check_key(self) -> str:
        answer = await self._get("v1/models")
        if answer.status_code == 401:
            what = "it is not one of the server's" if self._key else "the server wants one"
            raise Failed(what, "Give one of its PARLOUR_KEYS with --key.")
        if answer.status_code == 403:
            cure = "Ask for it by an address or as localhost, or set PARLOUR_KEYS on the server."
            raise Failed(f"the server does not answer to the name {self._host} without keys", cure)
        if answer.status_code != 200:
            raise Failed(f"HTTP {answer.status_code}", _WRONG_SERVER)
        return "accepted" if self._key else "none is needed"

    async def _open_session(self) -> str:
        try:
            async with connect(
                self._ws_url, additional_headers=self._headers, ssl=self._tls, compression=None, proxy=None
            ) as connection:
                await _first(connection, "session.created")
                since = time.monotonic()
                await (await connection.ping())
                round_trip_ms = (time.monotonic() - since) * 1000
                update = {"type": "realtime", "parlour": {"resume": True}}
                await connection.send(json.dumps({"type": "session.update", "session": update}))
                token = await _first(connection, "parlour.resume_token")
        except (OSError, WebSocketException) as error:
            cure = "A proxy between has to let WebSockets through (docker/ and the README show how)."
            raise Failed(f"no WebSocket session: {type(error).__name__}", cure) from None
        return (
            f"opened; round trip {round_trip_ms:.0f} ms; resumed within {token['grace_s']:g} s if it is lost"
        )

    async def _check_turn(self) -> str:
        return self._call.relay(self._has_turn)

    def _failed(self, error: OSError) -> Failed:
        found = obstacle(error, f"{self._host}:{self._port}", self._is_tls)
        return Failed(found.what, f"{found.cure[0].upper()}{found.cure[1:]}.")

    async def _get(self, path: str) -> httpx.Response:
        try:
            return await self._http.get(path, headers=self._headers)
        except httpx.HTTPError as error:
            raise Failed(f"no answer over HTTP: {type(error).__name__}", _WRONG_SERVER) from None


async def _first(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of that type."""
    async for message in connection:
        event: dict[str, Any] = json.loads(message)
        if event.get("type") == kind:
            return event
    raise Failed(f"the session ended before its {kind}", "Look at the server's log.")


def _object(answer: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object; an empty one where it is none."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _trust(ca: Path | None) -> ssl.SSLContext:
    """Raises SettingsError."""
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError):
            raise SettingsError(f"--ca {ca} cannot be read as a certificate.") from None
    return context
