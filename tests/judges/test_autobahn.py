"""The Autobahn cases, as kosoku runs them: what Parlour's WebSockets make of every frame that RFC 6455 knows.

They talk to an echo, so it is an echo that stands behind the server of serve.py here, with its limits.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime.server.serve import listen, uvicorn_config
from realtime.settings import Settings
from tests.environments import CACHE, environment, output_of
from tests.waiting import polled

pytestmark = [pytest.mark.judges, pytest.mark.timeout(2_400)]
KOSOKU = ("kosoku==0.1.0",)
SECTIONS = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")
"""Not 9, which measures with messages of up to 16 MiB, nor 12 and 13: compression is off."""
LEFT_OUT = ("7.1.5",)
"""A close within a message, before its last fragment: websockets answers 1002, the case wants 1000."""
FINE = {"OK", "NON-STRICT", "INFORMATIONAL"}
CASES_HANG_S = 600.0


async def _echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            match await socket.receive():
                case {"text": str(text)}:
                    await socket.send_text(text)
                case {"bytes": bytes(data)}:
                    await socket.send_bytes(data)
                case _:
                    return
    except WebSocketDisconnect:
        pass


async def test_no_case_of_the_protocol_fails(tmp_path: Path) -> None:
    await environment("autobahn", KOSOKU)
    settings = Settings(port=0)
    server = uvicorn.Server(uvicorn_config(Starlette(routes=[WebSocketRoute("/", _echo)]), settings))
    listener = listen(settings)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="echo")
    await polled(lambda: server.started, "the echo")
    try:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        wanted = [option for section in SECTIONS for option in ("--include", section)]
        wanted += [option for case in LEFT_OUT for option in ("--exclude", case)]
        program = CACHE / "autobahn" / "bin" / "kosoku"
        await output_of(CASES_HANG_S, program, address, *wanted, "--outdir", tmp_path)
    finally:
        server.should_exit = True
        await serving
        listener.close()
    [judged] = json.loads((tmp_path / "index.json").read_text("utf-8")).values()
    wrong = {case: found for case, found in judged.items() if found["behavior"] not in FINE}
    print(len(judged), Counter(found["behavior"] for found in judged.values()))
    assert wrong == {}
