"""Who may come in: headers and subprotocols, one a line as `name: value`.

With keys, nobody does but who shows one, or a secret or a token that was signed for it and is not over.
"""

import zlib

from starlette.datastructures import Headers

from realtime.access.authorization import KEY_PROTOCOL, Access
from realtime.access.client_secrets import PREFIX, ClientSecrets, _bytes, _text
from realtime.access.tokens import RESUME_TOKEN, Signer
from realtime.settings import Settings
from tests.fuzz.mutate import bytes_changed, in_lines
from tests.fuzz.target import Pure, Unkept

_signer = Signer(["secret"])
_secrets = ClientSecrets(["secret"])
_locked = Access(Settings(keys="secret", allowed_origins="https://page.example"), _signer, _secrets)
_open = Access(Settings(allowed_origins="https://page.example"), _signer, _secrets)


def _token(until: int) -> str:
    """As they are made, and the same in each run."""
    claims = b'{"session":"sess_1","owner":"o","until":%d}' % until
    body = f"{RESUME_TOKEN}_{_text(claims)}"
    return f"{body}.{_text(_signer._signature(body))}"


def _secret(secrets: ClientSecrets, until: int) -> str:
    packed = zlib.compress(b'{"e":%d,"s":{"model":"m"},"n":"a"}' % until)
    return f"{PREFIX}{_text(packed)}.{_text(secrets._signature(packed))}"


TOKEN, OLD_TOKEN = _token(10**12), _token(1)
SECRET, OLD_SECRET = _secret(_secrets, 10**12), _secret(_secrets, 1)
FORGED = _secret(ClientSecrets(["other"]), 10**12)


def run(data: bytes) -> None:
    raw, protocols = [], []
    for line in data.split(b"\n"):
        name, _, value = line.partition(b": ")
        if name.lower() == b"sec-websocket-protocol":
            protocols += [one.strip().decode("latin-1") for one in value.split(b",")]
        else:
            raw.append((name.lower(), value))
    headers = Headers(raw=raw)
    for opens_session in (False, True):
        _open.refusal(headers, protocols, opens_session)
        if _locked.refusal(headers, protocols, opens_session) is None and not _is_good(data, opens_session):
            raise Unkept("without a key nobody comes in")
    _locked.identity(headers, protocols)
    _locked.session_of(headers, protocols)


def _is_good(data: bytes, opens_session: bool) -> bool:
    """Whether a key is in there, or, to open a session, a secret or token; base64 has a few spellings."""
    shown = data.decode("latin-1").replace(KEY_PROTOCOL, " ").replace(",", " ").split()
    return any(one == "secret" or (opens_session and (one == TOKEN or _same(one, SECRET))) for one in shown)


def _same(shown: str, secret: str) -> bool:
    if not shown.isascii() or not shown.startswith("ek_"):
        return False
    first, second = ([_bytes(half) for half in one[3:].partition(".")[::2]] for one in (shown, secret))
    return first == second


def seeds() -> list[bytes]:
    shown = ("secret", "wrong", TOKEN, OLD_TOKEN, SECRET, OLD_SECRET, FORGED, TOKEN[:-4], SECRET[:-4])
    hosts = ("127.0.0.1:8080", "localhost", "evil.example", "[::1]:8080", "127.0.0.1.evil.example")
    origins = ("https://page.example", "http://127.0.0.1:8080", "null", "https://evil.example")
    return [
        *(f"authorization: Bearer {key}\nhost: localhost".encode() for key in shown),
        *(
            f"sec-websocket-protocol: realtime, {KEY_PROTOCOL}{key}\nhost: localhost".encode()
            for key in shown
        ),
        *(f"host: {host}\norigin: {origin}".encode() for host in hosts for origin in origins),
    ]


TARGET = Pure(
    run,
    seeds,
    words=(
        "authorization: Bearer ",
        "ek_",
        "rt_",
        "host: ",
        "origin: ",
        "[",
        "]",
        "@",
        "\n",
        KEY_PROTOCOL,
        "%00",
    ),
    mutate=in_lines(bytes_changed),
)
