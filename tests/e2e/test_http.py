"""The server's HTTP surface over a real socket."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
import websockets

from agent.api import Health
from agent.scripted.agent import ScriptedAgent
from realtime.commands.doctor import DoctorOptions, diagnose
from realtime.server.page import PAGE_FOLDERS, PAGE_SUFFIXES, WEB_CLIENT
from tests.conftest import Server, running_server

CONTENT_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def named_in(path: str, text: str) -> set[str]:
    """The paths that a file of the page names: links and scripts, imports (not of types), workers."""
    modules = re.findall(r'^(?:import|export) .*?"(\.[^"]+)";$', text, re.MULTILINE)
    # Relative to the page, not to the module.
    workers = re.findall(r'(?:addModule|new Worker)\("([^"]+)"', text)
    links = re.findall(r'<(?:link|script)[^>]* (?:href|src)="([^"]+)"', text)
    return {urljoin(path, module) for module in modules} | {urljoin("/", each) for each in workers + links}


def own_files(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.suffix in PAGE_SUFFIXES]


async def get(server: Server, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(server.http + path, headers=headers)


async def test_alive_ready_and_metrics_are_separate(server: Server) -> None:
    assert (await get(server, "/healthz")).text == "ok\n"
    ready = await get(server, "/readyz")
    assert (ready.status_code, ready.json()["ready"], ready.json()["full"]) == (200, True, False)
    async with websockets.connect(server.ws + "/v1/realtime?model=m", open_timeout=None) as socket:
        await socket.recv()
        metrics = (await get(server, "/metrics")).text
        assert "parlour_sessions 1.0" in metrics
        assert "parlour_agent_ready 1.0" in metrics


async def test_a_full_server_is_not_ready_and_refuses_politely() -> None:
    async with (
        running_server(sessions_max=1) as server,
        websockets.connect(server.ws + "/v1/realtime", open_timeout=None) as first,
    ):
        await first.recv()
        ready = await get(server, "/readyz")
        assert (ready.status_code, ready.json()["ready"], ready.json()["full"]) == (503, False, True)
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(server.ws + "/v1/realtime", open_timeout=None)
        response = refused.value.response
        assert response.status_code == 503
        assert response.headers["retry-after"] == "10"
        assert b"server_full" in response.body


async def test_a_chat_server_that_is_away_is_told_until_it_is_back() -> None:
    """With its sentence: what is away, at which address, how it is started."""

    class Dependent(ScriptedAgent):
        away = "The chat server at http://localhost:11434 does not answer: start it (ollama serve)."

        async def health(self) -> Health:
            health = await super().health()
            return replace(health, status="away", detail=self.away) if self.away else health

    agent = Dependent()
    async with running_server(agent) as server:
        ready = await get(server, "/readyz")
        told = {"ready": False, "full": False, "status": "away", "detail": agent.away}
        assert (ready.status_code, ready.json()) == (503, told)
        lines: list[str] = []
        assert await diagnose(DoctorOptions(server.http), lines.append) == 1
        assert lines[-1] == (
            "failed  readiness: the chat server at http://localhost:11434 does not answer\n"
            "        Start it (ollama serve)."
        )
        async with websockets.connect(server.ws + "/v1/realtime", open_timeout=None) as socket:
            await socket.recv()  # it may be back before anybody asks
        agent.away = ""
        assert (await get(server, "/readyz")).json()["status"] == "ready"


async def test_one_peer_cannot_take_all_places() -> None:
    async with (
        running_server(sessions_per_peer=1) as server,
        websockets.connect(server.ws + "/v1/realtime", open_timeout=None),
    ):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(server.ws + "/v1/realtime", open_timeout=None)
        assert refused.value.response.status_code == 503


async def test_the_page_comes_with_headers_that_bind_it_to_this_server(server: Server) -> None:
    page = await get(server, "/")
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert page.headers["x-content-type-options"] == "nosniff"


async def test_the_page_can_tell_which_brain_answers(server: Server) -> None:
    about = (await get(server, "/v1/parlour")).json()
    assert about["model"] == "scripted"
    assert about["needs_key"] is False


async def test_all_that_the_page_names_is_served_and_nothing_lies_there_that_it_does_not_name(
    server: Server,
) -> None:
    named: dict[str, str] = {"/": "text/html"}
    async with httpx.AsyncClient(base_url=server.http) as client:
        for path in (queue := ["/"]):
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert answer.headers["content-type"].partition(";")[0] == named[path], path
            for found in named_in(path, answer.text):
                kind = CONTENT_TYPES[Path(found).suffix]
                assert named.setdefault(found, kind) == kind
            queue.extend(named.keys() - set(queue))
    folders = [WEB_CLIENT / folder for folder in PAGE_FOLDERS]
    served = {f"/{file.relative_to(WEB_CLIENT)}" for folder in folders for file in own_files(folder)}
    assert named.keys() == served - {"/index.html"} | {"/"}


@pytest.mark.parametrize(
    "path",
    [
        "/package.json",
        "/package-lock.json",
        "/tsconfig.json",
        "/tests/audio/player.test.js",
        "/audio/worklet.d.ts",
        "/node_modules/typescript/lib/typescript.js",
        "/page",
        "/page/",
        "/tests",
        "/main.js",
        "/../pyproject.toml",
        "/page/../../pyproject.toml",
        "/page/%2e%2e/package.json",
    ],
)
async def test_what_the_pages_development_needs_is_not_served(server: Server, path: str) -> None:
    assert (await get(server, path)).status_code == 404


async def test_a_key_is_asked_for_before_the_socket_is_accepted() -> None:
    async with running_server(keys="secret") as server:
        url = server.ws + "/v1/realtime?model=m"
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(url, additional_headers=headers, open_timeout=None)
            assert refused.value.response.status_code == 401
            assert b"invalid_api_key" in refused.value.response.body
        offered = ["realtime", "openai-insecure-api-key.secret"]
        async with websockets.connect(url, subprotocols=offered, open_timeout=None) as socket:  # type: ignore[arg-type]
            assert socket.subprotocol == "realtime"


async def test_how_much_a_server_is_used_is_told_only_with_its_key() -> None:
    async with running_server(keys="secret") as server:
        assert (await get(server, "/metrics")).status_code == 401
        assert (await get(server, "/metrics", authorization="Bearer secret")).status_code == 200
        assert (await get(server, "/readyz")).status_code == 200


async def test_a_socket_at_a_wrong_path_is_told_where_the_right_one_is(server: Server) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(server.ws + "/realtime", open_timeout=None)
    assert refused.value.response.status_code == 404
    assert b"/v1/realtime" in refused.value.response.body


async def test_a_model_is_found_by_its_own_name_and_no_other(server: Server) -> None:
    listed = (await get(server, "/v1/models")).json()["data"][0]
    found = await get(server, f"/v1/models/{listed['id']}")
    assert (found.status_code, found.json()) == (200, listed)
    missing = await get(server, "/v1/models/owner/another")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_model_is_told_to_those_who_have_the_key() -> None:
    async with running_server(keys="a-key-of-24-characters-ok") as server:
        assert (await get(server, "/v1/models/scripted")).status_code == 401
        with_key = await get(server, "/v1/models/scripted", authorization="Bearer a-key-of-24-characters-ok")
        assert with_key.status_code == 200


async def test_load_generators_find_the_health_they_ask_for(server: Server) -> None:
    assert (await get(server, "/health")).status_code == 200
