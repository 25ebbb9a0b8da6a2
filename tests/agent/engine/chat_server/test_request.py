"""What is sent, in which dialect, to which address."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.api import (
    AssistantMessage,
    Message,
    SystemMessage,
    TextPart,
    ToolCallMessage,
    ToolResultMessage,
    UserMessage,
)
from agent.engine.base import EngineRequest
from agent.engine.chat_server.request import (
    Dialect,
    body_of,
    endpoint,
    models_address,
    next_dialect,
    props_address,
    redirected,
    retry_after_s,
)

HI = UserMessage((TextPart("Hi"),))
ASKED = EngineRequest("c", "Be kind.", (HI,))
LIMITED = body_of(replace(ASKED, max_tokens=9), "m", Dialect())


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://host:11434", "http://host:11434/v1/chat/completions"),
        ("http://host:11434/", "http://host:11434/v1/chat/completions"),
        ("http://host/v1", "http://host/v1/chat/completions"),
        ("http://host/v1/", "http://host/v1/chat/completions"),
        ("http://host/v1/chat/completions", "http://host/v1/chat/completions"),
        ("http://host/openai", "http://host/openai/v1/chat/completions"),
        ("https://host/v1beta/openai", "https://host/v1beta/openai/chat/completions"),
        ("https://host/v1beta/openai/", "https://host/v1beta/openai/chat/completions"),
        ("https://host/api/paas/v4", "https://host/api/paas/v4/chat/completions"),
        ("https://host/api/paas/v4/chat/completions", "https://host/api/paas/v4/chat/completions"),
        ("https://host/api/v3", "https://host/api/v3/chat/completions"),
        ("https://host/x/chat/completions/", "https://host/x/chat/completions"),
        (
            "https://host/openai/deployments/d?api-version=2024-06-01",
            "https://host/openai/deployments/d/chat/completions?api-version=2024-06-01",
        ),
        ("https://host/v1?key=a%2Fb", "https://host/v1/chat/completions?key=a%2Fb"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
    ],
)
def test_an_address_is_used_as_people_write_it(address: str, url: str) -> None:
    assert endpoint(address) == url


@pytest.mark.parametrize(
    ("url", "location", "leads_to"),
    [
        ("http://a/v1/x", "/v2/x", "http://a/v2/x"),
        ("http://a/v1/x", "x/", "http://a/v1/x/"),
        ("http://a:8000/x", "http://a:8000/y", "http://a:8000/y"),
        ("http://a/x", "https://a/x", "https://a/x"),
        ("http://a/x", "http://b/x", None),
        ("http://a:8000/x", "http://a:8001/x", None),
        ("https://a/x", "http://a/x", None),
        ("http://a/x", "http://a:port/x", None),
    ],
)
def test_words_and_key_follow_a_redirect_on_the_same_host_alone(
    url: str, location: str, leads_to: str | None
) -> None:
    assert redirected(url, location) == leads_to


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1", 1.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("Mon, 30 Nov 2026 12:00:05 GMT", 5.0),
        ("Mon, 30 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after_s(header, datetime(2026, 11, 30, 12, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("refusal", "is_proven", "learned"),
    [
        ("Extra inputs are not permitted: stream_options", True, Dialect(usage=False)),
        ('{"loc": ["body", "stream_options"]}', False, Dialect(usage=False)),
        ("Unsupported parameter: 'max_tokens'.", True, Dialect(limit="max_completion_tokens")),
        ("System role not supported", True, Dialect(system_role=False)),
        (
            "Only user and assistant roles are supported, not the role 'system'",
            True,
            Dialect(system_role=False),
        ),
        ("Bad request", False, Dialect(usage=False)),
        ("Bad request", True, None),
    ],
)
def test_what_a_server_refuses_is_left_out(refusal: str, is_proven: bool, learned: Dialect | None) -> None:
    assert next_dialect(Dialect(), LIMITED, refusal, is_proven) == learned


def test_what_was_left_out_already_is_not_left_out_again() -> None:
    least = Dialect(usage=False, limit="max_completion_tokens", system_role=False)
    for refusal in ("stream_options", "max_tokens", "system role", "?"):
        assert next_dialect(least, LIMITED, refusal, False) is None


def test_dialects() -> None:
    assert LIMITED["stream_options"] == {"include_usage": True}
    assert LIMITED["max_tokens"] == 9
    least = body_of(replace(ASKED, max_tokens=9), "m", Dialect(False, "max_completion_tokens", False))
    assert "stream_options" not in least
    assert "max_tokens" not in least
    assert least["max_completion_tokens"] == 9
    [only] = least["messages"]
    assert only["role"] == "user"
    assert only["content"].startswith("Be kind.")
    assert only["content"].endswith("\n\nHi")


def test_instructions_without_a_system_role_stand_alone_where_no_user_follows() -> None:
    body = body_of(EngineRequest("c", "Be kind.", (SystemMessage("Now."),)), "m", Dialect(system_role=False))
    assert [message["role"] for message in body["messages"]] == ["user"]


def test_the_server_gets_its_own_ids_back() -> None:
    call_id = "search:0~0123abcd"
    messages = (HI, ToolCallMessage(call_id, "search", "{}"), ToolResultMessage(call_id, "found"))
    sent: list[dict[str, Any]] = body_of(replace(ASKED, messages=messages), "m", Dialect())["messages"]
    assert sent[2]["tool_calls"][0]["id"] == sent[3]["tool_call_id"] == "search:0"


# Speakers --------------------------------------------------------------------------------

CALLED = (ToolCallMessage("c", "search", "{}"), ToolResultMessage("c", "found"))


@pytest.mark.parametrize(
    ("messages", "roles"),
    [
        ((HI,), "user"),
        ((), "user"),
        ((HI, *CALLED, HI), "user assistant tool assistant user"),
        ((HI, *CALLED, AssistantMessage("Found."), HI), "user assistant tool assistant user"),
        ((AssistantMessage("Welcome."), HI), "user assistant user"),
        ((HI, AssistantMessage("Yes.")), "user assistant user"),
        ((HI, *CALLED), "user assistant tool"),
    ],
)
def test_for_a_template_that_wants_it_speakers_alternate(messages: tuple[Message, ...], roles: str) -> None:
    body = body_of(replace(ASKED, messages=messages), "m", Dialect(any_order=False))
    assert [message["role"] for message in body["messages"]] == ["system", *roles.split()]


@pytest.mark.parametrize(
    "refusal",
    [
        "After the optional system message, conversation roles must alternate user/assistant/user/...",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Unexpected role 'user' after role 'tool'",
        "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
    ],
)
def test_that_speakers_must_alternate_is_learned(refusal: str) -> None:
    assert next_dialect(Dialect(), {}, refusal, is_proven=True) == Dialect(any_order=False)


def test_a_limit_that_nobody_asked_for_is_left_out_where_it_is_refused() -> None:
    refusal = "max_completion_tokens is too large: 4096. This model supports at most 2048 completion tokens"
    dialect = Dialect(limit="max_completion_tokens")
    body = body_of(ASKED, "m", dialect, own_limit_tokens=4096)
    assert body["max_completion_tokens"] == 4096
    other = next_dialect(dialect, body, refusal, is_proven=True, limit_is_own=True)
    assert other == replace(dialect, own_limit=False)
    assert "max_completion_tokens" not in body_of(ASKED, "m", other, own_limit_tokens=4096)
    assert next_dialect(dialect, body, refusal, is_proven=True) is None


def test_beside_an_endpoint_its_models_are_listed() -> None:
    assert models_address("http://h:1/v1/chat/completions") == "http://h:1/v1/models"
    assert models_address("http://h/api/v4/chat/completions?v=2") == "http://h/api/v4/models?v=2"
    assert props_address("http://h:1/v1/chat/completions") == "http://h:1/props"
