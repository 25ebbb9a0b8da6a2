"""Hermes's messages: what may be left out, what comes back, and where it is told what is wrong."""

import json
from typing import Any

import pytest
from msgspec import Raw

from realtime.errors import InvalidEvent
from realtime.transports.hermes import codec as hermes

START, CONTINUE, END = (f"hermes/dialogueManager/{name}Session" for name in ("start", "continue", "end"))
WOKEN = "hermes/hotword/porcupine/detected"
PLAYED = "hermes/audioServer/kitchen/playFinished"

READ: list[tuple[str, dict[str, Any]]] = [
    (START, {}),
    (START, {"init": None}),
    (START, {"init": {}}),
    (START, {"init": {"type": None, "text": None, "canBeEnqueued": None, "intentFilter": None}}),
    (START, {"init": {"type": "action", "canBeEnqueued": True, "sendIntentNotRecognized": False}}),
    (START, {"init": {"type": "notification", "text": "Ready"}, "siteId": "livingroom", "lang": "en"}),
    (START, {"init": {"type": "action"}, "customData": {"a": [1, None]}}),
    (START, {"init": {"type": "action"}, "customData": 3}),
    (START, {"init": {"type": "action"}, "siteId": None}),
    (START, {"init": {"type": "action"}, "siteId": "living room"}),
    (START, {"init": {"type": "action"}, "siteId": "Küche.1:OG"}),
    (CONTINUE, {"sessionId": "s"}),
    (CONTINUE, {"sessionId": "s", "text": None, "customData": None, "slot": None, "intentFilter": ["a"]}),
    (END, {"sessionId": "s"}),
    (END, {"sessionId": "s", "text": None, "customData": None}),
    (END, {}),
    (WOKEN, {}),
    (WOKEN, {"siteId": None, "modelId": None, "currentSensitivity": "0.5", "customEntities": {"x": 1}}),
    ("hermes/asr/toggleOn", {}),
    ("hermes/asr/toggleOff", {"siteId": "kitchen", "reason": "ttsSay"}),
    (PLAYED, {}),
    (PLAYED, {"id": None, "siteId": None, "sessionId": None}),
    (PLAYED, {"id": "1", "siteId": 7 and "kitchen"}),
]


@pytest.mark.parametrize(("topic", "message"), READ)
def test_what_rhasspy_hermes_declares_optional_may_be_left_out_or_null(
    topic: str, message: dict[str, Any]
) -> None:
    read = hermes.read(topic, json.dumps(message).encode())
    assert read is not None
    assert read.site == ("kitchen" if topic == PLAYED else message.get("siteId") or "default")


def test_a_word_that_a_piece_has_ended_may_be_empty() -> None:
    assert hermes.read(PLAYED, b"") == hermes.PlayFinished(site_id="kitchen")


@pytest.mark.parametrize("custom", ['{"a": 18446744073709551616}', '"mine"', "[1.50]", "false"])
def test_custom_data_comes_back_as_it_came(custom: str) -> None:
    message = hermes.read(START, f'{{"customData": {custom}}}'.encode())
    assert isinstance(message, hermes.StartSession)
    _, payload = hermes.session_started("kitchen", "s", message.custom)
    assert f'"customData":{custom}'.encode() in payload


def test_without_custom_data_it_is_null() -> None:
    assert json.loads(hermes.session_started("kitchen", "s", Raw(b"null"))[1])["customData"] is None


@pytest.mark.parametrize(
    ("topic", "payload", "service", "site"),
    [
        (START, b"", "dialogueManager", "default"),
        (START, b"[]", "dialogueManager", "default"),
        (START, b'{"siteId": "kitchen", "init": 1}', "dialogueManager", "kitchen"),
        (START, b'{"siteId": "kitchen", "init": {"type": "question"}}', "dialogueManager", "kitchen"),
        (START, b'{"siteId": "a/b"}', "dialogueManager", "a/b"),
        (START, b'{"siteId": ""}', "dialogueManager", ""),
        (START, b'{"siteId": 3}', "dialogueManager", "default"),
        (START, b'{"siteId": "kitchen", "x": "' + bytes(20_000) + b'"}', "dialogueManager", "default"),
        (WOKEN, b'{"siteId": "a#b"}', "dialogueManager", "a#b"),
        (WOKEN, b"\xff", "dialogueManager", "default"),
        (END, b'{"siteId": "kitchen", "sessionId": 3}', "dialogueManager", "kitchen"),
        ("hermes/asr/toggleOn", b'{"siteId": "a+b"}', "asr", "a+b"),
        ("hermes/audioServer//audioFrame", b"", "asr", ""),
        ("hermes/audioServer/" + "x" * 65 + "/audioFrame", b"", "asr", "x" * 65),
        (PLAYED, b'{"id": 3}', "asr", "kitchen"),
    ],
)
def test_what_cannot_be_read_has_somebody_who_is_told(
    topic: str, payload: bytes, service: str, site: str
) -> None:
    with pytest.raises(InvalidEvent) as refused:
        hermes.read(topic, payload)
    assert hermes.sender_of(topic, payload) == (service, site)
    told_on, told = hermes.error("asr", site, None, refused.value.message, topic)
    assert told_on == "hermes/error/asr"
    assert json.loads(told) == {
        "error": refused.value.message,
        "context": topic,
        "siteId": site,
        "sessionId": None,
    }
