"""Settings: loud on what cannot be used, safe by default."""

import pytest

from realtime.errors import SettingsError
from realtime.settings import Settings, load_settings


def test_flags_win_over_the_environment_and_that_over_the_defaults() -> None:
    settings = load_settings(
        {"port": 9000, "model": None}, {"PARLOUR_PORT": "1", "PARLOUR_MODEL": "scripted"}
    )
    assert (settings.port, settings.model, settings.host) == (9000, "scripted", "127.0.0.1")


@pytest.mark.parametrize(
    ("flags", "environment", "named"),
    [
        ({}, {"PARLOUR_PROT": "1"}, "PARLOUR_PROT"),
        ({}, {"PARLOUR_PORT": "many"}, "PARLOUR_PORT"),
        ({}, {"PARLOUR_IN_PROCESS": "perhaps"}, "PARLOUR_IN_PROCESS"),
        ({"port": 70000}, {}, "port"),
        ({"vad": "psychic"}, {}, "vad"),
        ({"log_level": "loud"}, {}, "log_level"),
        ({"sessions_max": 0}, {}, "sessions_max"),
        ({"keys": "c2VjcmV0="}, {}, "PARLOUR_KEYS"),
        ({"keys": "schl\u00fcssel"}, {}, "PARLOUR_KEYS"),
        ({"threads": -1}, {}, "threads"),
        ({"agent_memory_mb": -1}, {}, "agent_memory_mb"),
        ({"playback_lead_s": -1.0}, {}, "playback_lead_s"),
        ({}, {"PARLOUR_SESSION_MINUTES": "inf"}, "session_minutes"),
        ({}, {"PARLOUR_UTTERANCE_S_MAX": "nan"}, "utterance_s_max"),
        ({"mqtt_lead_ms": 50}, {}, "mqtt_lead_ms"),
        ({"mqtt_follow_up_s": 0.0}, {}, "mqtt_follow_up_s"),
        ({"ssl_certfile": "cert.pem"}, {}, "ssl_keyfile"),
        ({"trusted_proxies": "proxy.example.org"}, {}, "trusted_proxies"),
        ({"trusted_proxies": "127.0.0.1,*"}, {}, "trusted_proxies"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    flags: dict[str, object], environment: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        load_settings(flags, environment)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_address_that_others_reach_is_refused_without_keys(host: str) -> None:
    with pytest.raises(SettingsError, match="PARLOUR_KEYS"):
        load_settings({"host": host}, {})
    assert load_settings({"host": host, "keys": "secret"}, {}).key_set == {"secret"}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_it_just_runs(host: str) -> None:
    assert load_settings({"host": host}, {}).key_set == frozenset()


def test_keys_and_origins_are_lists() -> None:
    settings = Settings(keys="a, b,,", allowed_origins="https://x.example")
    assert settings.key_set == {"a", "b"}
    assert settings.origin_set == {"https://x.example"}
