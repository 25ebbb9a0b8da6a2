"""Who may come in, decided before a socket is accepted."""

import pytest
from starlette.datastructures import Headers

from realtime.access.authorization import Access
from realtime.access.client_secrets import ClientSecrets
from realtime.access.tokens import Signer
from realtime.settings import Settings

OPEN = Access(Settings(), Signer(), ClientSecrets(()))
KEYED = Access(Settings(keys="first, second"), Signer(), ClientSecrets(()))


def refusal(access: Access, headers: dict[str, str], protocols: tuple[str, ...] = ()) -> int | None:
    refused = access.refusal(Headers({"host": "127.0.0.1:8080", **headers}), protocols)
    return refused[0] if refused else None


@pytest.mark.parametrize("key", ["first", "second"])
def test_a_known_key_opens_by_header_and_by_subprotocol(key: str) -> None:
    assert refusal(KEYED, {"authorization": f"Bearer {key}"}) is None
    assert refusal(KEYED, {"authorization": f"bearer {key} "}) is None
    assert refusal(KEYED, {}, ("realtime", f"openai-insecure-api-key.{key}")) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer third"},
        {"authorization": "Bearer "},
        {"authorization": "Basic first"},
        {"authorization": "Bearer first, second"},
        {"authorization": "Bearer \u00fc"},
    ],
)
def test_no_key_and_a_wrong_key_are_refused_with_401(headers: dict[str, str]) -> None:
    assert refusal(KEYED, headers) == 401


def test_a_key_opens_from_any_page_and_name() -> None:
    headers = {"authorization": "Bearer first", "origin": "https://other.example", "host": "voice.example"}
    assert refusal(KEYED, headers) is None


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "127.0.0.1"])
def test_without_keys_loopback_names_are_answered(host: str) -> None:
    assert refusal(OPEN, {"host": host}) is None
    assert refusal(OPEN, {"host": host, "origin": f"http://{host}"}) is None


def test_without_keys_another_sites_page_is_refused() -> None:
    assert refusal(OPEN, {"origin": "https://evil.example"}) == 403
    assert refusal(OPEN, {"origin": "null"}) == 403
    assert refusal(OPEN, {"origin": "http://["}) == 403
    allowed = Access(Settings(allowed_origins="https://friend.example"), Signer(), ClientSecrets(()))
    assert refusal(allowed, {"origin": "https://friend.example"}) is None


@pytest.mark.parametrize("host", ["rebound.example:8080", "", "[::1"])
def test_without_keys_a_foreign_name_that_points_here_is_refused(host: str) -> None:
    assert refusal(OPEN, {"host": host, "origin": f"http://{host}"}) == 403
