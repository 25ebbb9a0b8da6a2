"""What the gateway is told at its start, from flags and environment, checked before anything runs."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import inf
from typing import get_type_hints

from realtime.errors import SettingsError

ENVIRONMENT_PREFIX = "PARLOUR_"
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_KEY = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110 5.6.2, as subprotocols are

_STUN_URL = re.compile(r"stun:[^\s:?/]+(:\d{1,5})?")
_TURN_URL = re.compile(
    r"turn:[^\s:?/]+(:\d{1,5})?(\?transport=(udp|tcp))?|turns:[^\s:?/]+(:\d{1,5})?(\?transport=tcp)?"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field is also the environment variable PARLOUR_<FIELD IN CAPITALS>.

    keys: what clients must present, comma-separated; empty means that nobody is asked, which only
    a loopback address allows. agent_memory_mb: the most that the agent process may take, 0 for
    no limit. vad: "silero" or "webrtc". frame_kib_max: of one incoming WebSocket frame (what is sent
    stays below 1 MiB whatever it is: several clients take no more). completions_max: answers over plain
    HTTP that are made at once. body_mib_max: of one such request; six minutes of WAV at 16 kHz, over an
    hour of MP3. To parse one MiB takes the time of all sessions for about a millisecond. store: where
    conversations are that can be resumed (realtime/store/choose.py). resume_grace_s: how long one waits for
    its client. drain_s: how long a server that is told to stop lets answers be heard to their end.
    trusted_proxies: addresses and networks, comma-separated, whose X-Forwarded-For and X-Forwarded-Proto are
    believed; "" for none. webrtc_address: the address at which others reach this machine, where it does not
    know it itself (behind a NAT, in a container). webrtc_ports: "first-last", the UDP ports that WebRTC may
    use; empty for any. stun_url, turn_url: one server each, as in a browser's iceServers.
    mqtt_url: a broker's address, mqtt://USER:PASSWORD@HOST:PORT or mqtts://, "" for no MQTT. mqtt_ca: a
    file of certificates to trust instead of this machine's own. mqtt_follow_up_s: how long a device listens
    after an answer without a wake word; mqtt_remembered_s: how long it keeps the conversation while it then
    sleeps. mqtt_lead_ms: how far ahead of its being heard sound is sent: what a device must hold.
    mqtt_hermes: the Rhasspy sites that are served too, comma-separated, or "any"; "" for none.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    model: str = "auto"
    llm_url: str = ""
    llm_key: str = ""
    llm_thinking_s: float = 120.0
    voice: str = ""
    recogniser: str = ""
    language: str = ""
    threads: int = 0
    hub: str = "huggingface"
    dtype: str = ""
    keys: str = ""
    allowed_origins: str = ""
    trusted_proxies: str = ""
    in_process: bool = False
    vad: str = "silero"
    sessions_max: int = 1000
    sessions_per_peer: int = 1000
    session_minutes: float = 60.0
    utterance_s_max: float = 60.0
    playback_lead_s: float = 5.0
    slow_peer_s: float = 10.0
    frame_kib_max: int = 1024
    completions_max: int = 32
    body_mib_max: int = 16
    agent_first_event_s: float = 30.0
    agent_next_event_s: float = 15.0
    agent_memory_mb: int = 0
    store: str = "auto"
    resume_grace_s: float = 60.0
    drain_s: float = 15.0
    ssl_certfile: str = ""
    ssl_keyfile: str = ""
    webrtc_address: str = ""
    webrtc_ports: str = ""
    stun_url: str = ""
    turn_url: str = ""
    turn_user: str = ""
    turn_password: str = ""
    mqtt_url: str = ""
    mqtt_prefix: str = "parlour/v1"
    mqtt_ca: str = ""
    mqtt_follow_up_s: float = 8.0
    mqtt_remembered_s: float = 300.0
    mqtt_lead_ms: int = 500
    mqtt_hermes: str = ""
    log_level: str = "info"

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port is {self.port}: expected 0 to 65535.")
        if self.hub not in ("huggingface", "modelscope"):
            raise SettingsError(f"hub is '{self.hub}': expected 'huggingface' or 'modelscope'.")
        if self.dtype not in ("", "bfloat16", "float32"):
            raise SettingsError(f"dtype is '{self.dtype}': expected 'bfloat16' or 'float32'.")
        if self.vad not in ("silero", "webrtc"):
            raise SettingsError(f"vad is '{self.vad}': expected 'silero' or 'webrtc'.")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise SettingsError(
                f"log_level is '{self.log_level}': expected 'debug', 'info', 'warning' or 'error'."
            )
        for name in ("sessions_max", "sessions_per_peer", "frame_kib_max", "completions_max", "body_mib_max"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}: expected 1 or more.")
        for name in ("threads", "agent_memory_mb"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} is {getattr(self, name)}: expected 0 or more.")
        for name in (
            "session_minutes",
            "utterance_s_max",
            "playback_lead_s",
            "slow_peer_s",
            "llm_thinking_s",
            "agent_first_event_s",
            "agent_next_event_s",
            "resume_grace_s",
            "drain_s",
            "mqtt_follow_up_s",
            "mqtt_remembered_s",
        ):
            if not 0 < getattr(self, name) < inf:
                raise SettingsError(f"{name} is {getattr(self, name)}: expected a number above 0.")
        if self.utterance_s_max < 1:
            raise SettingsError(f"utterance_s_max is {self.utterance_s_max}: expected 1 or more seconds.")
        if not _names_a_store(self.store):
            shown = self.store.rpartition("@")[2]  # an address may hold a password
            raise SettingsError(
                f"store is '{shown}': expected 'auto', 'memory', 'sqlite:PATH' or 'redis://HOST:PORT'."
            )
        if bool(self.ssl_certfile) != bool(self.ssl_keyfile):
            raise SettingsError("TLS needs both ssl_certfile and ssl_keyfile.")
        self._check_webrtc()
        if not all(_KEY.fullmatch(key) for key in self.key_set):
            raise SettingsError(
                "a key in PARLOUR_KEYS holds a character that a browser cannot send with a WebSocket: "
                "use letters, digits and -._~ (for example what openssl rand -hex 32 gives)."
            )
        if not 100 <= self.mqtt_lead_ms <= 10_000:
            raise SettingsError(f"mqtt_lead_ms is {self.mqtt_lead_ms}: expected 100 to 10000.")
        if not is_loopback(self.host) and not self.key_set:
            raise SettingsError(
                f"host is {self.host}, which others can reach, and no keys are set: "
                "set PARLOUR_KEYS to one or more secrets (comma-separated), or use --host 127.0.0.1."
            )

    def _check_webrtc(self) -> None:
        for proxy in self.proxies:
            if not _is_network(proxy):
                raise SettingsError(
                    f"trusted_proxies has '{proxy[:80]}': expected IP addresses or networks, with commas "
                    "between, for example 127.0.0.1,10.0.0.0/8."
                )
        if self.webrtc_address and not is_address(self.webrtc_address):
            raise SettingsError(
                f"webrtc_address is '{self.webrtc_address}': expected an IP address, not a name."
            )
        if self.webrtc_ports:
            first, last = self.webrtc_port_range or (1, 0)
            if not 0 < first <= last <= 65535:
                raise SettingsError(
                    f"webrtc_ports is '{self.webrtc_ports}': expected FIRST-LAST, for example 50000-50199."
                )
        if self.stun_url and not _STUN_URL.fullmatch(self.stun_url):
            raise SettingsError(f"stun_url is '{self.stun_url}': expected stun:HOST or stun:HOST:PORT.")
        if self.turn_url:
            if not _TURN_URL.fullmatch(self.turn_url):
                raise SettingsError(
                    f"turn_url is '{self.turn_url}': expected turn:HOST:PORT, turn:HOST:PORT?transport=tcp "
                    "or turns:HOST:PORT."
                )
            if not (self.turn_user and self.turn_password):
                raise SettingsError("turn_url needs turn_user and turn_password.")

    @property
    def webrtc_port_range(self) -> tuple[int, int] | None:
        """First and last port; None for any, and for what is no range."""
        first, _, last = self.webrtc_ports.partition("-")
        return (int(first), int(last)) if first.isdecimal() and last.isdecimal() else None

    @property
    def key_set(self) -> frozenset[str]:
        return frozenset(key.strip() for key in self.keys.split(",") if key.strip())

    @property
    def proxies(self) -> list[str]:
        return [proxy.strip() for proxy in self.trusted_proxies.split(",") if proxy.strip()]

    @property
    def origin_set(self) -> frozenset[str]:
        return frozenset(origin.strip() for origin in self.allowed_origins.split(",") if origin.strip())


def _names_a_store(name: str) -> bool:
    is_file = name.startswith("sqlite:") and len(name) > len("sqlite:")
    return name in ("auto", "memory") or is_file or name.startswith(REDIS_SCHEMES)


def load_settings(flags: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """Flags win over the environment, the environment over the defaults.

    Raises SettingsError for a name that is no setting and for a value that cannot be used.
    """
    known = {field.name for field in fields(Settings)}
    values: dict[str, object] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name not in known:
            raise SettingsError(f"{variable} is no setting of Parlour. Known: {', '.join(sorted(known))}.")
        values[name] = _parsed(name, text)
    values.update({name: value for name, value in flags.items() if value is not None})
    return replace(Settings(), **values)  # type: ignore[arg-type]


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


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _parsed(name: str, text: str) -> object:
    kind = get_type_hints(Settings)[name]
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                text.lower()
            ]
        return kind(text)
    except (ValueError, KeyError):
        raise SettingsError(
            f"{ENVIRONMENT_PREFIX}{name.upper()} is '{text}': expected {kind.__name__}."
        ) from None
