"""Settings: loud on what cannot be used, safe by default."""

from dataclasses import fields

import pytest

from realtime.cli import main
from realtime.errors import SettingsError
from realtime.settings import KINDS, Settings, explained, load_settings


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
        ({"turn_url": "turn:host"}, {}, "turn_user and turn_password"),
        ({"llm_thinking_s": 0.0}, {}, "llm_thinking_s"),
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


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("PORT", "many", "PARLOUR_PORT is 'many': expected a whole number."),
        ("PORT", "70000", "port is 70000: expected 0 to 65535."),
        ("THREADS", "1.5", "PARLOUR_THREADS is '1.5': expected a whole number."),
        ("DRAIN_S", "soon", "PARLOUR_DRAIN_S is 'soon': expected a number."),
        ("DRAIN_S", "inf", "drain_s is inf: expected a number above 0."),
        ("UTTERANCE_S_MAX", "0.5", "utterance_s_max is 0.5: expected 1 or more seconds."),
        ("IN_PROCESS", "perhaps", "PARLOUR_IN_PROCESS is 'perhaps': expected true or false."),
        ("SESSIONS_MAX", "0", "sessions_max is 0: expected 1 or more."),
        ("VAD", "psychic", "vad is 'psychic': expected 'silero' or 'webrtc'."),
        ("DTYPE", "int8", "dtype is 'int8': expected 'bfloat16' or 'float32'."),
        ("LOG_LEVEL", "loud", "log_level is 'loud': expected 'debug', 'info', 'warning' or 'error'."),
        ("MQTT_LEAD_MS", "50", "mqtt_lead_ms is 50: expected 100 to 10000."),
        ("WEBRTC_ADDRESS", "host", "webrtc_address is 'host': expected an IP address, not a name."),
        (
            "WEBRTC_PORTS",
            "2-1",
            "webrtc_ports is '2-1': expected FIRST-LAST, for example 50000-50199.",
        ),
        ("STUN_URL", "host", "stun_url is 'host': expected stun:HOST or stun:HOST:PORT."),
        (
            "TURN_URL",
            "host",
            "turn_url is 'host': expected turn:HOST:PORT, turn:HOST:PORT?transport=tcp or turns:HOST:PORT.",
        ),
        (
            "STORE",
            "redis:/me:secret@host",
            "store is 'host': expected 'auto', 'memory', 'sqlite:PATH' or 'redis://HOST:PORT'.",
        ),
    ],
)
def test_a_refusal_says_what_came_and_what_was_expected(variable: str, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings({}, {f"PARLOUR_{variable}": text})
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("IN_PROCESS", "Yes", True),
        ("IN_PROCESS", "0", False),
        ("PORT", " 9000 ", 9000),
        ("SESSION_MINUTES", "1e2", 100.0),
        ("WEBRTC_PORTS", "50000-50199", "50000-50199"),
        ("STORE", "sqlite:x", "sqlite:x"),
    ],
)
def test_a_variable_is_read_as_its_kind(variable: str, text: str, value: object) -> None:
    settings = load_settings({}, {f"PARLOUR_{variable}": text})
    assert getattr(settings, variable.lower()) == value


def test_every_setting_is_a_flag_that_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    told = capsys.readouterr().out
    assert list(KINDS) == [setting.name for setting in fields(Settings)]
    for name in KINDS:
        assert f"--{name.replace('_', '-')}" in told
        assert len(explained(name).split()) >= 2
    assert explained("sessions_max").endswith("(default 1000)")
    assert explained("mqtt_prefix").endswith("(default parlour/v1)")
    assert explained("port").count("default") == 1
