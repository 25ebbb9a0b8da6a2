"""The server's HTTP surface over a real socket."""

import httpx
import pytest
import websockets

from tests.conftest import Server, running_server


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


@pytest.mark.parametrize(
    "path", ["/node_modules/x", "/package.json", "/tests/ring.test.js", "/../pyproject.toml"]
)
async def test_only_the_pages_own_files_are_served(server: Server, path: str) -> None:
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
