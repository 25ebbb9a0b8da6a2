"""Client secrets: what they carry, who takes them, and when they end."""

import pytest

from realtime.access.client_secrets import ClientSecrets
from realtime.errors import ClientError

SESSION = {"type": "realtime", "instructions": "Be brief."}


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_secret_carries_its_session_until_it_expires() -> None:
    clock = Clock()
    secrets = ClientSecrets(["key"], clock)
    secret = secrets.issue(SESSION, 10)
    assert secret.value.startswith("ek_")
    assert secret.expires_at == 1_000_010
    clock.now_s += 9.9
    assert secrets.session_of(secret.value) == SESSION
    clock.now_s += 0.1
    assert secrets.session_of(secret.value) is None


def test_gateways_with_the_same_keys_take_each_others_secrets_and_no_others() -> None:
    value = ClientSecrets(["one", "two"]).issue(SESSION, 60).value
    assert ClientSecrets(["two", "one"]).session_of(value) == SESSION
    assert ClientSecrets(["one"]).session_of(value) is None
    assert ClientSecrets([]).session_of(value) is None


def test_without_keys_each_process_signs_for_itself() -> None:
    value = ClientSecrets([]).issue(SESSION, 60).value
    assert ClientSecrets([]).session_of(value) is None


@pytest.mark.parametrize(
    "forged", ["ek_", "ek_.", "ek_a.b", "ek_%%.%%", "ek_" + "A" * 9_000, "ek_\u00fc.\u00fc"]
)
def test_what_is_no_secret_is_not_taken(forged: str) -> None:
    assert ClientSecrets(["key"]).session_of(forged) is None


def test_no_changed_character_is_taken() -> None:
    secrets = ClientSecrets(["key"])
    value = secrets.issue(SESSION, 60).value
    for at in range(3, len(value)):
        changed = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
        # The last character of base64 may have bits that mean nothing: of the content, and of the signature.
        is_last = at in (value.index(".") - 1, len(value) - 1)
        assert is_last or secrets.session_of(changed) is None


def test_a_session_too_large_to_carry_is_refused() -> None:
    from secrets import token_hex

    with pytest.raises(ClientError, match="too large"):
        ClientSecrets(["key"]).issue({"instructions": token_hex(8_000)}, 60)
