"""Who may not come in is refused before anything is heard: tokens that are over, forged or somebody else's.

Of other keys: test_bad_peers.py, test_webrtc.py, test_client_secrets.py, test_mqtt_faults.py.
"""

from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realtime.access.tokens import RESUME_TOKEN, Signer
from tests.conftest import running_server
from tests.e2e.webrtc_client import post
from tests.transports.webrtc.test_offer import OFFER

FAR = 1e10
CLAIMS = {"session": "sess_1", "owner": "key:1"}
GOOD = Signer(["secret"]).sign(RESUME_TOKEN, CLAIMS, FAR)
TOKENS = {
    "over": Signer(["secret"]).sign(RESUME_TOKEN, CLAIMS, 1.0),
    "of another server": Signer(["other"]).sign(RESUME_TOKEN, CLAIMS, FAR),
    "with other claims": f"rt_e30{GOOD[GOOD.index('.') :]}",
    "cut off": GOOD[:-2],
}


@pytest.fixture
def calls_made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each would open ports."""
    made: list[Any] = []

    def make(*arguments: Any) -> None:
        made.append(arguments)
        raise AssertionError("a call was begun")

    monkeypatch.setattr("realtime.transports.webrtc.calls.WebRtcTransport", make)
    return made


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
async def test_a_bad_token_opens_no_socket_and_no_call(token: str, calls_made: list[Any]) -> None:
    headers = {"authorization": f"Bearer {token}"}
    async with running_server(keys="secret") as server:
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                f"{server.ws}/v1/realtime", additional_headers=headers, open_timeout=None
            ).__aenter__()
        assert refused.value.response.status_code == 401
        assert (await post(server, OFFER, **headers)).status_code == 401
        assert calls_made == []
        assert server.sessions.open_count == server.sessions.running_count == 0


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({"keys": "secret"}, {}, 401),
        ({"keys": "secret"}, {"authorization": "Bearer wrong"}, 401),
        ({}, {"origin": "https://evil.example"}, 403),
        ({}, {"host": "evil.example"}, 403),
    ],
)
async def test_who_may_not_come_in_has_no_port_opened_for_a_call(
    settings: dict[str, str], headers: dict[str, str], status: int, calls_made: list[Any]
) -> None:
    async with running_server(**settings) as server:
        assert (await post(server, OFFER, **headers)).status_code == status
        assert calls_made == []
