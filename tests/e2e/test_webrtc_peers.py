"""Peers that are not browsers: other codecs, certificates, channels and transports, each in a real call."""

import asyncio
import datetime
import hashlib
import logging
import re
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCDataChannel, RTCRtpCodecCapability, rtcpeerconnection
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, SRTPProtectionProfile
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

from realtime.transports.webrtc.checked_transports import CheckedDtls
from tests.conftest import Server
from tests.e2e.webrtc_client import Caller, calling, post
from tests.speech import HZ, utterance
from tests.waiting import HANGS_S

BRIEF = {"type": "realtime", "max_output_tokens": 12}


async def has_a_spoken_turn(caller: Caller) -> None:
    """A question is heard, and its answer comes back as sound."""
    caller.microphone.say(utterance("cards_001").pcm16k + bytes(2 * HZ))
    await caller.until("input_audio_buffer.speech_started")
    await caller.until("response.done")
    await caller.until("output_audio_buffer.stopped")
    async with asyncio.timeout(HANGS_S):
        while caller.sound_ms < 1_000:
            await caller.recorded_s(0.1)


# Codecs and transports --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
async def test_a_spoken_turn_in_g711(server: Server, name: str) -> None:
    caller = Caller()
    codec = RTCRtpCodecCapability(mimeType=f"audio/{name}", clockRate=8_000, channels=1)
    caller.connection.getTransceivers()[0].setCodecPreferences([codec])
    await caller.call(server, BRIEF)
    await has_a_spoken_turn(caller)
    await caller.close()


async def test_a_spoken_turn_where_audio_and_events_are_not_bundled(server: Server) -> None:
    def unbundled(text: str) -> str:
        return re.sub("a=group:BUNDLE.*\r\n", "", text)

    caller = Caller()
    await caller.call(server, BRIEF, through=unbundled)
    [sender] = caller.connection.getSenders()
    assert sender.transport is not caller.connection.sctp.transport
    await has_a_spoken_turn(caller)
    await caller.close()


async def test_what_cannot_be_served_is_refused_before_there_is_a_call(server: Server) -> None:
    caller = Caller()
    offer = await caller.offer()
    await caller.close()
    refused = await post(server, re.sub(r"a=fingerprint:sha-\d+", "a=fingerprint:md5", offer))
    assert refused.status_code == 400
    assert "sha-256" in refused.json()["error"]["message"]
    assert server.sessions.open_count == 0


# Data channels ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "channel",
    [
        {"label": "response"},
        {"label": ""},
        {"negotiated": True, "id": 0},
        {"negotiated": True, "id": 1},
        {"label": "response", "ordered": False, "maxRetransmits": 3},
    ],
    ids=["response", "no label", "negotiated 0", "negotiated 1", "unordered"],
)
async def test_events_come_over_the_channel_that_the_peer_has(
    server: Server, channel: dict[str, Any]
) -> None:
    async with calling(server, channel=channel) as caller:
        await caller.say(type="conversation.item.retrieve", item_id="none", event_id="a question")
        assert (await caller.until("error"))["error"]["event_id"] == "a question"
        assert len(caller.of("session.created")) == 1


async def test_who_has_no_channel_that_is_known_is_told_why_and_may_speak_first(server: Server) -> None:
    caller = Caller(channel={"negotiated": True, "id": 77})
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @caller.connection.on("datachannel")
    def _(channel: RTCDataChannel) -> None:
        channel.on("message", told.set_result)

    await caller.call(server)
    async with asyncio.timeout(HANGS_S):
        assert '"code":"no_data_channel"' in await told
    await caller.say(type="conversation.item.retrieve", item_id="none")
    await caller.until("session.created")
    await caller.until("error")
    await caller.close()


async def test_a_channel_of_another_use_beside_the_events_does_not_take_their_place(server: Server) -> None:
    caller = Caller(channel={"label": "telemetry"})
    caller.channel.remove_all_listeners("message")
    events = caller.connection.createDataChannel("oai-events")
    events.on("message", caller._came)
    await caller.call(server)
    await caller.until("session.created")
    events.send('{"type": "conversation.item.retrieve", "item_id": "none"}')
    await caller.until("error")
    await caller.close()


# Certificates -----------------------------------------------------------------------------


class OwnCertificate(RTCCertificate):
    """One that we make; it can be what no library would make."""

    def __init__(self, key: Any, change: Callable[[bytes], bytes] = bytes, ciphers: str = "ALL") -> None:
        self._key = key
        self._der = change(_self_signed(key).public_bytes(Encoding.DER))
        self._ciphers = ciphers.encode()

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:
        digest = hashlib.sha256(self._der).hexdigest().upper()
        return [RTCDtlsFingerprint("sha-256", ":".join(re.findall("..", digest)))]

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_cipher_list(self._ciphers + b":@SECLEVEL=0")
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        with warnings.catch_warnings():  # what it asks for instead cannot hold every certificate
            warnings.simplefilter("ignore", DeprecationWarning)
            context.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, self._der))
        context.use_privatekey(self._key)
        context.set_tlsext_use_srtp(b":".join(one.openssl_profile for one in srtp_profiles))
        return context


def _self_signed(key: Any) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "WebRTC")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(77).not_valid_before(now - datetime.timedelta(days=1))
    return made.not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256())


def _of_a_version_to_come(der: bytes) -> bytes:
    """As OpenSSL reads it, and as cryptography refuses to."""
    version_3 = bytes.fromhex("a003020102")
    assert der.count(version_3) == 1
    return der.replace(version_3, bytes.fromhex("a003020104"))


def has_certificate(monkeypatch: pytest.MonkeyPatch, certificate: OwnCertificate) -> None:
    """Callers that are made from now on have it."""

    made = SimpleNamespace(generateCertificate=lambda: certificate)
    monkeypatch.setattr(rtcpeerconnection, "RTCCertificate", made)


@pytest.mark.parametrize("setup", ["actpass", "active"])
async def test_a_peer_with_an_rsa_key_has_a_session(
    server: Server, monkeypatch: pytest.MonkeyPatch, setup: str
) -> None:
    key = rsa.generate_private_key(65_537, 2_048)
    has_certificate(
        monkeypatch,
        OwnCertificate(key, ciphers="ECDHE-RSA-AES128-GCM-SHA256" if setup == "actpass" else "ALL"),
    )

    def as_asked(text: str) -> str:
        return text.replace("actpass", setup)

    async with calling(server, through=as_asked) as caller:
        assert caller.of("session.created")


async def test_what_a_certificate_says_beside_its_key_does_not_matter(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    has_certificate(monkeypatch, OwnCertificate(key, _of_a_version_to_come))
    async with calling(server) as caller:
        assert caller.of("session.created")


@pytest.mark.parametrize(
    ("curve", "ciphers"),
    [(ec.SECP256R1(), "AES256-SHA"), (ec.SECP256K1(), "ALL")],
    ids=["no cipher of ours", "a key of no curve of ours"],
)
async def test_a_handshake_that_cannot_be_ends_the_call_with_the_reason(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    curve: ec.EllipticCurve,
    ciphers: str,
) -> None:
    has_certificate(monkeypatch, OwnCertificate(ec.generate_private_key(curve), ciphers=ciphers))
    assert "DTLS handshake failed: " in (why := await _why_not_connected(server, caplog))
    assert "alert" in why


async def test_another_certificate_than_was_offered_is_named_as_the_reason(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    def of_another(text: str) -> str:
        return re.sub(r"(a=fingerprint:sha-\d+ )..", r"\g<1>00", text)

    assert "is not the one that its offer names" in await _why_not_connected(server, caplog, of_another)


async def test_a_certificate_that_our_libraries_stumble_over_ends_the_call_without_a_traceback(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(*_: object) -> None:
        raise ValueError("what the certificate says")

    monkeypatch.setattr(CheckedDtls, "_validate_peer_identity", stumble)
    assert (await _why_not_connected(server, caplog)).endswith("handshake failed: ValueError")


async def _why_not_connected(
    server: Server, caplog: pytest.LogCaptureFixture, through: Callable[[str], str] = str
) -> str:
    """What the log says of a call that does not come to be."""
    caller = Caller()
    with caplog.at_level(logging.INFO, "parlour.call"):
        await caller.call(server, through=through)
        await server.left()
    await caller.close()
    [record] = [one for one in caplog.records if one.name == "parlour.call"]
    assert record.message == "call not connected"
    return str(record.__dict__["why"])
