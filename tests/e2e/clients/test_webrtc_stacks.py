"""Other people's WebRTC stacks, unmodified: each asks aloud, and hears the answer.

GStreamer's webrtcbin, libdatachannel, werift, libwebrtc, Chromium and Firefox. The JavaScript ones come from
npm (webrtc/package-lock.json), the rest from Debian.
"""

import base64
import datetime
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from realtime.audio.opus import OpusEncoder
from realtime.audio.resample import Resampler
from realtime.transports.webrtc.audio_codec import PCMU
from tests.conftest import running_server
from tests.e2e.browser.chromium import chromium_path, open_browser, write_wav
from tests.e2e.browser.firefox import FIREFOX, SOUND, open_firefox, sound_card
from tests.environments import BUILD_HANGS_S, output_of
from tests.speech import HZ, utterance
from tests.waiting import HANGS_S

pytestmark = pytest.mark.other_clients

HERE = Path(__file__).parent / "webrtc"
CALL_HANGS_S = HANGS_S
SYSTEM_PYTHON = "/usr/bin/python3"
_48K = 48_000
_FRAME_BYTES = 2 * 24_000 // 50


def has_a_whole_turn(seen: dict[str, Any]) -> None:
    assert seen["refused"] == ""
    assert seen["errors"] == []
    events = seen["events"]
    assert events[0] == "session.created"
    assert events.count("session.created") == 1
    assert {"input_audio_buffer.speech_started", "output_audio_buffer.started"} <= set(events)
    assert events.index("input_audio_buffer.committed") < events.index("response.done")
    assert seen["heard_ms"] >= 1_000


def _shown(one: object) -> str:
    return one if isinstance(one, str) else json.dumps(one)


@pytest.mark.parametrize(
    ("stack", "options"),
    [
        ("libdatachannel", {}),
        ("libdatachannel", {"label": "response"}),
        ("libdatachannel", {"negotiated": 1}),
        ("libdatachannel", {"codec": "PCMU"}),
        ("libdatachannel", {"key": "RSA"}),
        ("werift", {"label": ""}),
        ("werift", {"bundlePolicy": "disable"}),
        ("werift", {"video": True}),
        ("libwebrtc", {}),
        ("libwebrtc", {"negotiated": 0}),
        ("libwebrtc", {"directions": ["sendonly", "recvonly"]}),
        ("libwebrtc", {"directions": ["recvonly", "sendonly"]}),
        ("libwebrtc", {"videoFirst": True, "bundlePolicy": "max-bundle", "label": "response"}),
    ],
    ids=lambda one: (
        one if isinstance(one, str) else ", ".join(f"{name} {what}" for name, what in one.items())
    ),
)
async def test_a_javascript_stack_has_a_whole_turn(
    tmp_path: Path, stack: str, options: dict[str, Any]
) -> None:
    node = await _javascript()
    if options.get("key") == "RSA":
        options = _rsa_files(tmp_path)
    asked = _question(tmp_path / "question.json", options.get("codec", "opus"))
    async with running_server() as server:
        url = f"{server.http}/v1/realtime/calls"
        seen = await output_of(CALL_HANGS_S, node, HERE / f"{stack}.mjs", url, asked, json.dumps(options))
    has_a_whole_turn(json.loads(seen))


@pytest.mark.parametrize(
    ("policy", "codec"), [("max-bundle", "opus"), ("none", "opus"), ("balanced", "PCMU")], ids=str
)
async def test_gstreamer_has_a_whole_turn(tmp_path: Path, policy: str, codec: str) -> None:
    await _gstreamer()
    pcm = bytes(2 * HZ) + utterance("cards_001").pcm16k + bytes(2 * HZ * 40)
    asked = write_wav(tmp_path / "question.wav", pcm, HZ)
    async with running_server() as server:
        url = f"{server.http}/v1/realtime/calls"
        command = (SYSTEM_PYTHON, HERE / "gstreamer.py", url, asked, policy, codec)
        seen = await output_of(CALL_HANGS_S, *map(str, command))
    has_a_whole_turn(json.loads(seen.splitlines()[-1]))


BROWSERS = [
    {},
    {"key": "RSA"},
    {"videoFirst": True, "bundlePolicy": "max-bundle"},
    {"codec": "PCMU", "label": "response"},
    {"codec": "PCMA", "negotiated": 0},
]
SCRIPT = (HERE / "browser.js").read_text("utf-8")


@pytest.mark.parametrize("options", BROWSERS, ids=_shown)
async def test_chromium_has_a_whole_turn(tmp_path: Path, options: dict[str, Any]) -> None:
    if chromium_path() is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    pcm = bytes(2 * HZ) + utterance("cards_001").pcm16k + bytes(2 * HZ * 60)
    microphone = write_wav(tmp_path / "microphone.wav", pcm, HZ)
    async with running_server() as server, open_browser(microphone) as browser:
        page = await browser.new_page()
        await page.goto(f"{server.http}/health")
        seen = await page.evaluate(f"({SCRIPT})({json.dumps(options)})")
    has_a_whole_turn(seen)


@pytest.mark.parametrize("options", BROWSERS, ids=_shown)
async def test_firefox_has_a_whole_turn(tmp_path: Path, options: dict[str, Any]) -> None:
    if FIREFOX is None or not all(SOUND):
        pytest.skip("Firefox or PulseAudio is missing (Debian: firefox-esr pulseaudio pulseaudio-utils)")
    async with (
        running_server() as server,
        sound_card(tmp_path / "sound") as card,
        open_firefox(tmp_path / "firefox", card) as firefox,
    ):
        await firefox.go_to(f"{server.http}/health")
        await firefox.evaluate(f"void (window.turn = ({SCRIPT})({json.dumps(options)}))")
        await firefox.evaluate("window.begun")
        await card.say(bytes(HZ) + utterance("cards_001").pcm16k)
        seen = await firefox.evaluate("window.turn")
    has_a_whole_turn(seen)


# What they need ---------------------------------------------------------------------------


async def _javascript() -> Path:
    """Node, with the stacks beside their scripts."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are missing")
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        await output_of(BUILD_HANGS_S, npm, "ci", "--no-audit", "--no-fund", cwd=HERE)
    return Path(node)


GSTREAMER = """
import gi
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstWebRTC
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ("webrtcbin", "nicesrc", "dtlsdec", "opusenc", "mulawenc")))
"""
GSTREAMER_PACKAGES = (
    "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-nice "
    "python3-gi gir1.2-gst-plugins-bad-1.0"
)


async def _gstreamer() -> None:
    try:
        await output_of(CALL_HANGS_S, SYSTEM_PYTHON, "-c", GSTREAMER)
    except (AssertionError, FileNotFoundError):
        pytest.skip(f"GStreamer's webrtcbin is missing (Debian: apt-get install {GSTREAMER_PACKAGES})")


def _question(path: Path, codec: str) -> Path:
    """Half a second of silence, a question, and then more silence than anybody waits for."""
    pcm = bytes(24_000) + utterance("cards_001").pcm24k + bytes(2 * 24_000 * 3)
    pcm += bytes(-len(pcm) % _FRAME_BYTES)
    encoder = OpusEncoder() if codec == "opus" else PCMU.encoder()
    frames = (pcm[at : at + _FRAME_BYTES] for at in range(0, len(pcm), _FRAME_BYTES))
    packets = [base64.b64encode(encoder.encode(frame)).decode() for frame in frames]
    wide = Resampler(24_000, _48K).push(pcm)
    path.write_text(json.dumps({"packets": packets, "pcm": base64.b64encode(wide).decode()}))
    return path


def _rsa_files(folder: Path) -> dict[str, str]:
    key = rsa.generate_private_key(65_537, 2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "WebRTC")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    certificate = made.not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256())
    files = {"key": folder / "key.pem", "certificate": folder / "certificate.pem"}
    files["key"].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    files["certificate"].write_bytes(certificate.public_bytes(Encoding.PEM))
    return {name: str(path) for name, path in files.items()}
