"""`parlour doctor` against servers that are well, and against each thing that can be wrong with one."""

import asyncio
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from websockets.asyncio.client import connect

from agent.scripted.agent import ScriptedAgent
from realtime.cli import main
from realtime.commands import doctor
from realtime.commands.doctor import DoctorOptions, diagnose
from realtime.errors import SettingsError
from realtime.server.app import create_app
from realtime.server.serve import uvicorn_config
from realtime.settings import Settings
from realtime.transports.webrtc import ice, peer, secure_path
from realtime.transports.webrtc.answer import LocalSide, answer_to
from realtime.transports.webrtc.offer import Offer
from tests.e2e.test_webrtc_networks import PASSWORD, USER, coturn
from tests.waiting import HANGS_S

KEY = "open-sesame-1234"
REACHED = ["address", "certificate", "server", "readiness", "key", "session"]
STEPS = [*REACHED, "signalling", "ICE", "TURN", "encryption", "data channel"]


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    agent = ScriptedAgent()
    config = uvicorn_config(create_app(settings, agent, await agent.health()), settings)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    running = asyncio.create_task(server.serve(sockets=[listener]), name="server under test")
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await running
        listener.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One for 127.0.0.1 that nobody vouches for, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    wanted = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    wanted += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([openssl, "req", *wanted], check=True, capture_output=True)
    return cert, key


@dataclass
class Patience:
    """How long a step waits before it takes silence for a failure: for ever, unless a test is about that."""

    within_s: float = HANGS_S


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    chosen = Patience()
    within_s = property(lambda _: chosen.within_s, lambda *_: None)
    monkeypatch.setattr(doctor, "STEP_S", HANGS_S)
    monkeypatch.setattr(doctor.TestCall, "_within_s", within_s, raising=False)
    return chosen


async def examine(
    url: str, key: str = "", ca: Path | None = None, on_step: Callable[[str], None] = lambda _: None
) -> tuple[int, list[str]]:
    """on_step: called with the name of each step that has ended."""
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        on_step(line[8:].partition(":")[0])

    code = await diagnose(DoctorOptions(url, key, ca), report)
    return code, lines


def outcome(lines: list[str]) -> list[tuple[str, str]]:
    return [(line.split()[0], line[8:].partition(":")[0]) for line in lines]


async def test_a_server_that_is_well_passes_every_step() -> None:
    async with serving(Settings(keys=KEY)) as port:
        code, lines = await examine(f"http://127.0.0.1:{port}", KEY)
    assert outcome(lines) == [("ok", step) for step in STEPS]
    assert code == 0
    assert KEY not in "".join(lines)


async def test_where_nothing_listens_one_is_told_how_to_start_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code, lines = await examine(f"http://127.0.0.1:{port}")
    assert (code, outcome(lines)) == (1, [("failed", "address")])
    assert "parlour serve" in lines[-1]


async def test_a_wrong_key_and_a_missing_one_are_told_apart() -> None:
    async with serving(Settings(keys=KEY)) as port:
        code, lines = await examine(f"http://127.0.0.1:{port}", "wrong")
        _, without = await examine(f"http://127.0.0.1:{port}")
    assert (code, outcome(lines)[-1]) == (1, ("failed", "key"))
    assert "not one of the server's" in lines[-1]
    assert "wants one" in without[-1]


async def test_a_certificate_that_nobody_vouches_for_fails_until_it_is_named(
    certificate: tuple[Path, Path],
) -> None:
    cert, key = certificate
    async with serving(Settings(ssl_certfile=str(cert), ssl_keyfile=str(key))) as port:
        code, lines = await examine(f"https://127.0.0.1:{port}")
        trusted, all_lines = await examine(f"https://127.0.0.1:{port}", ca=cert)
    assert (code, outcome(lines)[-1]) == (1, ("failed", "certificate"))
    assert "--ca" in lines[-1]
    assert trusted == 0, all_lines


async def test_a_certificate_of_another_name_is_named_as_the_reason(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    async with serving(Settings(ssl_certfile=str(cert), ssl_keyfile=str(key))) as port:
        code, lines = await examine(f"https://localhost:{port}", ca=cert)
    assert (code, outcome(lines)[-1]) == (1, ("failed", "certificate"))
    assert "localhost" in lines[-1]


async def test_plain_http_asked_for_by_https_is_recognised() -> None:
    async with serving(Settings()) as port:
        code, lines = await examine(f"https://127.0.0.1:{port}")
    assert (code, outcome(lines)[-1]) == (1, ("failed", "certificate"))
    assert "http://" in lines[-1]


async def test_another_server_is_not_taken_for_parlour() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.readline()) not in (b"\r\n", b""):
            pass
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        code, lines = await examine(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert (code, outcome(lines)[-1]) == (1, ("failed", "server"))


async def test_a_full_server_says_so() -> None:
    async with (
        serving(Settings(sessions_max=1)) as port,
        connect(f"ws://127.0.0.1:{port}/v1/realtime", proxy=None, open_timeout=None) as other,
    ):
        await other.recv()
        code, lines = await examine(f"http://127.0.0.1:{port}")
    assert (code, outcome(lines)[-1]) == (1, ("failed", "readiness"))
    assert "seat" in lines[-1]


def answering(monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]) -> None:
    """Let calls be answered with something else."""

    def changed(offer: Offer, ours: LocalSide) -> str:
        return change(answer_to(offer, ours))

    monkeypatch.setattr(peer, "answer_to", changed)


async def failed_step(port: int, patience: Patience, silent: str = "") -> tuple[str, str]:
    """The step at which it ends, and what is said of it. silent: the one at which nothing is to come."""

    def on_step(ended: str) -> None:
        if silent in STEPS and ended == STEPS[STEPS.index(silent) - 1]:
            patience.within_s = 0.5

    code, lines = await examine(f"http://127.0.0.1:{port}", on_step=on_step)
    assert code == 1, lines
    assert [state for state, _ in outcome(lines)] == ["ok"] * (len(lines) - 1) + ["failed"]
    return outcome(lines)[-1][1], lines[-1]


async def test_a_call_whose_media_does_not_get_through_is_told_from_all_else(
    monkeypatch: pytest.MonkeyPatch, patience: Patience
) -> None:
    async def blocked(_: secure_path.SecurePath) -> None:
        """The server's own checks would find a way."""

    # An address of the test network, where nobody is (RFC 5737).
    nowhere = re.compile(r"(udp \d+) \S+ \d+ typ", re.IGNORECASE)
    answering(monkeypatch, lambda sdp: nowhere.sub(r"\1 192.0.2.1 9 typ", sdp))
    monkeypatch.setattr(secure_path.SecurePath, "_tell_candidates", blocked)
    async with serving(Settings()) as port:
        step, line = await failed_step(port, patience, silent="ICE")
    assert step == "ICE"
    assert "192.0.2.1" in line
    assert "PARLOUR_WEBRTC_ADDRESS" in line


async def test_a_turn_server_that_gives_no_relay_is_named(
    monkeypatch: pytest.MonkeyPatch, patience: Patience
) -> None:
    monkeypatch.setattr(ice, "_ASK_WITHIN_S", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"turn:127.0.0.1:{silent.getsockname()[1]}"
        async with serving(Settings(turn_url=url, turn_user=USER, turn_password=PASSWORD)) as port:
            step, line = await failed_step(port, patience)
    assert step == "TURN"
    assert "PARLOUR_TURN_URL" in line


async def test_a_turn_server_that_relays_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "_ASK_WITHIN_S", HANGS_S)
    async with coturn(tmp_path) as (host, turn_port):
        turn = Settings(turn_url=f"turn:{host}:{turn_port}", turn_user=USER, turn_password=PASSWORD)
        async with serving(turn) as port:
            code, lines = await examine(f"http://127.0.0.1:{port}")
    assert code == 0, lines
    assert f"ok      TURN: relays at {host}" in lines, lines
    assert PASSWORD not in "".join(lines)


async def test_another_certificate_than_was_agreed_is_a_failed_encryption(
    monkeypatch: pytest.MonkeyPatch, patience: Patience
) -> None:
    answering(monkeypatch, lambda sdp: re.sub(r"(a=fingerprint:\S+ )..:..", r"\g<1>00:00", sdp))
    async with serving(Settings()) as port:
        step, line = await failed_step(port, patience)
    assert step == "encryption"
    assert "certificate" in line


async def test_a_data_channel_that_does_not_open_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, patience: Patience
) -> None:
    async def swallow(*_: object) -> None:
        """What comes for the data channel of the server."""

    monkeypatch.setattr(peer.Peer, "_start_events", swallow)
    async with serving(Settings()) as port:
        step, line = await failed_step(port, patience, silent="data channel")
    assert step == "data channel"
    assert "MTU" in line


async def test_what_is_no_address_or_no_certificate_is_a_wrong_setting(tmp_path: Path) -> None:
    for options in (DoctorOptions("http://"), DoctorOptions("https://127.0.0.1", ca=tmp_path / "no.pem")):
        with pytest.raises(SettingsError):
            await diagnose(options, print)


def test_the_command_ends_with_one_at_the_first_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert main(["doctor", "--url", f"http://127.0.0.1:{port}"]) == 1
    assert capsys.readouterr().out.startswith("failed  address: nothing listens")
    assert main(["doctor", "--url", "nonsense://"]) == 2
