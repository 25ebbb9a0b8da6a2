"""What the gateway is told at its start, from flags and environment, checked before anything runs."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from math import inf
from typing import Any, get_type_hints

from realtime.errors import SettingsError

ENVIRONMENT_PREFIX = "PARLOUR_"
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_KEY = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110 5.6.2, as subprotocols are

_STUN_URL = re.compile(r"stun:[^\s:?/]+(:\d{1,5})?")
_TURN_URL = re.compile(
    r"turn:[^\s:?/]+(:\d{1,5})?(\?transport=(udp|tcp))?|turns:[^\s:?/]+(:\d{1,5})?(\?transport=tcp)?"
)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


# What a setting may be ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Allowed:
    """expected: ends the sentence that refuses a value."""

    holds: Callable[[Any], bool]
    expected: str


def _setting(default: Any, explained: str = "", allowed: Allowed | None = None) -> Any:
    """explained: for `parlour serve --help`, which adds the default where the text says nothing of one."""
    return field(default=default, metadata={"help": explained, "allowed": allowed})


def _between(least: float, most: float = inf) -> Allowed:
    expected = f"{least} or more" if most == inf else f"{least} to {most}"
    return Allowed(lambda value: least <= value <= most, expected)


def _one_of(*names: str) -> Allowed:
    *others, last = (repr(name) for name in names if name)
    return Allowed(names.__contains__, f"{', '.join(others)} or {last}")


def _or_empty(holds: Callable[[str], object], expected: str) -> Allowed:
    return Allowed(lambda text: not text or bool(holds(text)), expected)


_POSITIVE = Allowed(lambda value: 0 < value < inf, "a number above 0")


def listed(text: str) -> list[str]:
    """The parts between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def port_range(text: str) -> tuple[int, int] | None:
    """First and last of "50000-50199"; None for what is no range of ports."""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal()):
        return None
    return (int(first), int(last)) if 0 < int(first) <= int(last) <= 65535 else None


# The settings ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field is a flag of `parlour serve`, and the environment variable PARLOUR_<FIELD IN CAPITALS>."""

    host: str = _setting("127.0.0.1", "address to listen on (default 127.0.0.1; others need keys)")
    port: int = _setting(8080, "port to listen on (default 8080; 0 takes a free one)", _between(0, 65535))
    model: str = _setting(
        "auto",
        "embedded, scripted, auto, Qwen/Qwen2-Audio-7B-Instruct or a folder of it, or with --llm-url the "
        "name of a model there",
    )
    llm_url: str = _setting("", "base URL of an OpenAI-compatible chat server, e.g. http://localhost:8000/v1")
    llm_key: str = _setting("", "key for that server")
    llm_thinking_s: float = _setting(
        120.0, "seconds that a model there may be loaded or think without a word", _POSITIVE
    )
    llm_context_tokens: int = _setting(
        0,
        "tokens that it reads at the most, answer included (default: as it says, or else refuses)",
        Allowed(lambda tokens: tokens == 0 or tokens >= 256, "256 or more, or 0 to ask the server"),
    )
    answer_tokens_max: int = _setting(
        4096, "tokens of an answer whose length no client limits, thoughts included", _between(1)
    )
    answer_s_max: float = _setting(180.0, "seconds of speech of such an answer", _POSITIVE)
    voice: str = _setting("", "piper, or kokoro where there are cores for it")
    recogniser: str = _setting("", "Whisper model that hears: tiny.en or base")
    language: str = _setting("", "ISO 639-1 code of what is spoken, for the base recogniser")
    threads: int = _setting(0, "CPU threads for the models (default: all cores)", _between(0))
    hub: str = _setting(
        "huggingface",
        "where a model's OWNER/NAME is looked up: huggingface or modelscope",
        _one_of("huggingface", "modelscope"),
    )
    dtype: str = _setting(
        "",
        "of Qwen2-Audio's weights: bfloat16 or float32 (default: bfloat16 on a GPU, float32 without)",
        _one_of("", "bfloat16", "float32"),
    )
    keys: str = _setting("", "secrets of which clients must present one, comma-separated")
    allowed_origins: str = _setting("", "origins of other sites' pages that may connect, comma-separated")
    trusted_proxies: str = _setting(
        "",
        "addresses and networks of proxies whose X-Forwarded-For counts, comma-separated",
        Allowed(
            lambda text: all(map(_is_network, listed(text))),
            "IP addresses or networks, with commas between, for example 127.0.0.1,10.0.0.0/8",
        ),
    )
    in_process: bool = _setting(False, "run the agent inside the server instead of in a process of its own")
    vad: str = _setting(
        "silero", "what tells speech from noise: silero or webrtc", _one_of("silero", "webrtc")
    )
    sessions_max: int = _setting(1000, "sessions at once", _between(1))
    sessions_per_peer: int = _setting(1000, "sessions at once from one address", _between(1))
    session_minutes: float = _setting(60.0, "minutes that a session may last", _POSITIVE)
    utterance_s_max: float = _setting(
        60.0,
        "seconds after which an utterance is answered though it goes on",
        Allowed(lambda value: 1 <= value < inf, "1 or more seconds"),
    )
    playback_lead_s: float = _setting(
        5.0, "seconds that an answer is made ahead of its being heard", _POSITIVE
    )
    slow_peer_s: float = _setting(
        10.0, "seconds after which a client that reads nothing is let go", _POSITIVE
    )
    # What is sent stays below 1 MiB whatever this is: several clients take no more.
    frame_kib_max: int = _setting(
        1024, "KiB of one event over a WebSocket, appends of audio apart", _between(1)
    )
    completions_max: int = _setting(32, "answers over plain HTTP that are made at once", _between(1))
    # Six minutes of WAV at 16 kHz, over an hour of MP3. To parse one MiB takes the time of all sessions for
    # about a millisecond.
    body_mib_max: int = _setting(16, "MiB of the body of one such request", _between(1))
    agent_first_event_s: float = _setting(
        30.0, "seconds after which an agent is given up that has not begun its answer", _POSITIVE
    )
    agent_next_event_s: float = _setting(15.0, "seconds after which it is given up in the middle", _POSITIVE)
    agent_memory_mb: int = _setting(
        0, "MB that the agent's process may take (default 0: no limit)", _between(0)
    )
    store: str = _setting(
        "auto",
        "where conversations are that can be resumed: auto, memory, sqlite:PATH or redis://HOST:PORT "
        "(default auto: a file in ~/.local/state/parlour)",
    )
    resume_grace_s: float = _setting(60.0, "seconds for which a conversation waits for its client", _POSITIVE)
    drain_s: float = _setting(
        15.0, "seconds in which answers may be heard to their end when the server is stopped", _POSITIVE
    )
    ssl_certfile: str = _setting("", "file of the certificate, for TLS")
    ssl_keyfile: str = _setting("", "file of its key")
    webrtc_address: str = _setting(
        "",
        "IP address at which others reach this machine, behind a NAT or in a container",
        _or_empty(is_address, "an IP address, not a name"),
    )
    webrtc_ports: str = _setting(
        "",
        "UDP ports that WebRTC may use, FIRST-LAST (default: any)",
        _or_empty(port_range, "FIRST-LAST, for example 50000-50199"),
    )
    stun_url: str = _setting(
        "",
        "STUN server, stun:HOST:PORT, to learn the address behind a NAT",
        _or_empty(_STUN_URL.fullmatch, "stun:HOST or stun:HOST:PORT"),
    )
    turn_url: str = _setting(
        "",
        "TURN server that relays where nothing else gets through, turn:HOST:PORT",
        _or_empty(_TURN_URL.fullmatch, "turn:HOST:PORT, turn:HOST:PORT?transport=tcp or turns:HOST:PORT"),
    )
    turn_user: str = _setting("", "user name there")
    turn_password: str = _setting("", "password there")
    mqtt_url: str = _setting(
        "",
        "MQTT broker that smart speakers come through: mqtt://USER:PASSWORD@HOST:PORT or mqtts:// "
        "(better set as PARLOUR_MQTT_URL, where other users of this machine do not see it)",
    )
    mqtt_prefix: str = _setting("parlour/v1", "what all its topics begin with")
    mqtt_ca: str = _setting("", "file of certificates to trust for mqtts, instead of this machine's own")
    mqtt_follow_up_s: float = _setting(
        8.0, "seconds after an answer in which a device needs no wake word", _POSITIVE
    )
    mqtt_remembered_s: float = _setting(
        300.0, "seconds for which a sleeping device keeps its conversation", _POSITIVE
    )
    mqtt_lead_ms: int = _setting(
        500,
        "milliseconds of sound sent ahead of its being heard: what a device must hold",
        _between(100, 10_000),
    )
    mqtt_hermes: str = _setting(
        "", "Rhasspy sites to serve in Hermes as well: their ids, comma-separated, or any"
    )
    log_level: str = _setting(
        "info", "debug, info, warning or error", _one_of("debug", "info", "warning", "error")
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            value, allowed = getattr(self, one.name), one.metadata["allowed"]
            if allowed is not None and not allowed.holds(value):
                shown = f"'{value}'" if isinstance(value, str) else value
                raise SettingsError(f"{one.name} is {shown}: expected {allowed.expected}.")
        if not _names_a_store(self.store):
            shown = self.store.rpartition("@")[2]  # an address may hold a password
            raise SettingsError(
                f"store is '{shown}': expected 'auto', 'memory', 'sqlite:PATH' or 'redis://HOST:PORT'."
            )
        if bool(self.ssl_certfile) != bool(self.ssl_keyfile):
            raise SettingsError("TLS needs both ssl_certfile and ssl_keyfile.")
        if self.turn_url and not (self.turn_user and self.turn_password):
            raise SettingsError("turn_url needs turn_user and turn_password.")
        if not all(_KEY.fullmatch(key) for key in self.key_set):
            raise SettingsError(
                "a key in PARLOUR_KEYS holds a character that a browser cannot send with a WebSocket: "
                "use letters, digits and -._~ (for example what openssl rand -hex 32 gives)."
            )
        if not is_loopback(self.host) and not self.key_set:
            raise SettingsError(
                f"host is {self.host}, which others can reach, and no keys are set: "
                "set PARLOUR_KEYS to one or more secrets (comma-separated), or use --host 127.0.0.1."
            )

    @property
    def webrtc_port_range(self) -> tuple[int, int] | None:
        """First and last port; None for any."""
        return port_range(self.webrtc_ports)

    @property
    def key_set(self) -> frozenset[str]:
        return frozenset(listed(self.keys))

    @property
    def origin_set(self) -> frozenset[str]:
        return frozenset(listed(self.allowed_origins))

    @property
    def proxies(self) -> list[str]:
        return listed(self.trusted_proxies)


def _names_a_store(name: str) -> bool:
    is_file = name.startswith("sqlite:") and len(name) > len("sqlite:")
    return name in ("auto", "memory") or is_file or name.startswith(REDIS_SCHEMES)


KINDS: Mapping[str, type] = get_type_hints(Settings)
"""Of each setting: str, int, float or bool."""
_KIND_NAMES = {int: "a whole number", float: "a number", bool: "true or false"}


def load_settings(flags: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """Flags win over the environment, the environment over the defaults.

    Raises SettingsError for a name that is no setting and for a value that cannot be used.
    """
    values: dict[str, object] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name not in KINDS:
            raise SettingsError(f"{variable} is no setting of Parlour. Known: {', '.join(sorted(KINDS))}.")
        values[name] = _parsed(name, text)
    values.update({name: value for name, value in flags.items() if value is not None})
    return replace(Settings(), **values)  # type: ignore[arg-type]


def explained(name: str) -> str:
    """What a setting is for, and its default."""
    [setting] = (one for one in fields(Settings) if one.name == name)
    text, default = setting.metadata["help"], setting.default
    if "default" in text or default in ("", False):
        return str(text)
    return f"{text} (default {default if isinstance(default, str) else format(default, 'g')})"


def _parsed(name: str, text: str) -> object:
    kind = KINDS[name]
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                text.lower()
            ]
        return kind(text)
    except (ValueError, KeyError):
        expected = _KIND_NAMES[kind]
        raise SettingsError(f"{ENVIRONMENT_PREFIX}{name.upper()} is '{text}': expected {expected}.") from None
