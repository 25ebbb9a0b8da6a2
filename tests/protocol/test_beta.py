"""A client of OpenAI's beta has its whole session in the beta's words; the core has it in today's.

The oracle is the Python SDK's own `openai.types.beta.realtime`, validated strictly.
"""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from agent.api import GenerationDone, ToolCall
from realtime.errors import ClientError, InvalidEvent
from realtime.protocol import effects as do
from realtime.protocol.beta import BetaCodec
from realtime.protocol.codec import BRANCHES_MAX
from realtime.protocol.config import PcmaFormat, PcmFormat, PcmuFormat
from tests.protocol.driver import Driver, types

CODEC = BetaCodec()
_SCHEMAS: dict[str, Any] = {
    get_args(model.model_fields["type"].annotation)[0]: TypeAdapter(model)
    for model in get_args(get_args(RealtimeServerEvent)[0])
}
# On the wire of the beta, and in no model of the SDK.
_UNLISTED = frozenset({"object", "expires_at", "include", "image_tokens", "name"})


class Beta(Driver):
    """A session whose client speaks the beta. Each event that it gets must fit the SDK's models."""

    def client(self, event_type: str, **fields: Any) -> list[dict[str, Any]]:
        try:
            event: Any = CODEC.decode(json.dumps({"type": event_type, **fields}))
        except ClientError as error:
            event = error
        return self.feed(event)

    def _take(self, effects: list[do.Effect]) -> list[dict[str, Any]]:
        start = len(self.sent)
        for effect in effects:
            if not isinstance(effect, do.Send):
                self.effects.append(effect)
                continue
            text = CODEC.encode(effect.event)
            if text is not None:
                self.sent.append(json.loads(text))
                fits(self.sent[-1])
        return self.sent[start:]


def fits(event: dict[str, Any]) -> None:
    if event["type"] in ("transcription_session.created", "transcription_session.updated"):
        return  # the SDK asks for the secret in it, which the HTTP endpoint alone shows
    if event["type"] in ("session.created", "session.updated"):
        event = event | {"session": {**event["session"], "model": "gpt-4o-realtime-preview"}}
    model = _SCHEMAS[event["type"]].validate_python(event, strict=True)
    unknown = extras(model)
    assert unknown <= _UNLISTED, (event["type"], unknown)


def extras(value: Any) -> set[str]:
    match value:
        case BaseModel():
            own = set(value.model_extra or ())
            return own.union(*(extras(one) for one in value.__dict__.values()))
        case list():
            return set().union(*map(extras, value))
        case _:
            return set()


FIELDS: list[tuple[str, Any, Any]] = [
    ("input_audio_format", "g711_ulaw", lambda config: config.audio.input.format == PcmuFormat()),
    ("output_audio_format", "g711_alaw", lambda config: config.audio.output.format == PcmaFormat()),
    ("input_audio_format", "pcm16", lambda config: config.audio.input.format == PcmFormat()),
    ("turn_detection", None, lambda config: config.audio.input.turn_detection is None),
    ("voice", "alloy", lambda config: config.audio.output.voice == "alloy"),
    ("modalities", ["text"], lambda config: config.output_modalities == ["text"]),
    ("modalities", ["audio", "text"], lambda config: config.output_modalities == ["audio"]),
    (
        "input_audio_transcription",
        {"model": "m"},
        lambda config: config.audio.input.transcription.model == "m",
    ),
    ("max_response_output_tokens", 5, lambda config: config.max_output_tokens == 5),
    ("speed", 1.5, lambda config: config.audio.output.speed == 1.5),
    ("temperature", 0.6, lambda config: config.extensions.temperature == 0.6),
    ("instructions", "be kind", lambda config: config.instructions == "be kind"),
    (
        "input_audio_noise_reduction",
        {"type": "far_field"},
        lambda config: config.audio.input.noise_reduction.type == "far_field",
    ),
]


@pytest.mark.parametrize(("field", "value", "is_set"), FIELDS)
def test_a_flat_field_is_set_and_echoed(field: str, value: Any, is_set: Any) -> None:
    beta = Beta()
    (told,) = beta.client("session.update", session={field: value})
    assert is_set(beta.session.config)
    assert told["session"][field] == (["text", "audio"] if value == ["audio", "text"] else value)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("session.update", {"session": {"input_audio_format": "opus"}}, "session.input_audio_format"),
    ("session.update", {"session": {"modalities": ["smell"]}}, "session.modalities"),
    ("session.update", {"session": {"modalites": ["text"]}}, "session.modalites"),
    ("session.update", {"session": {"audio": {}}}, "session.audio"),
    ("session.update", {"session": {"parlour": 5, "temperature": 1}}, "session.parlour"),
    ("session.update", {"session": {"temperature": 9}}, "session.temperature"),
    ("session.update", {"session": {"turn_detection": {"treshold": 1}}}, "session.turn_detection.treshold"),
    ("session.update", {"session": {"turn_detection": {"threshold": 7}}}, "session.turn_detection.threshold"),
    ("session.update", {"session": {"voice": "nobody"}}, "session.voice"),
    ("session.update", {"session": {"max_response_output_tokens": 0}}, "session.max_response_output_tokens"),
    ("response.create", {"response": {"modalities": ["x"]}}, "response.modalities"),
    ("response.create", {"response": {"audio": {}}}, "response.audio"),
    ("transcription_session.update", {"session": {"voice": "alloy"}}, "session.voice"),
]


@pytest.mark.parametrize(("event_type", "fields", "param"), REFUSED)
def test_what_is_refused_is_named_in_the_betas_words(
    event_type: str, fields: dict[str, Any], param: str
) -> None:
    (told,) = Beta().client(event_type, event_id="mine", **fields)
    assert (told["error"]["param"], told["error"]["event_id"]) == (param, "mine")
    assert "audio.input" not in told["error"]["message"]


def test_a_spoken_turn_has_the_betas_events() -> None:
    beta = Beta()
    told = types(beta.speak())
    assert "conversation.item.created" in told
    beta.say("Hello.", 0.2)
    done = beta.finish()
    assert types(done) == [
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    response = done[-1]["response"]
    assert (response["modalities"], response["output_audio_format"]) == (["text", "audio"], "pcm16")
    assert response["output"][0]["content"] == [{"type": "audio", "transcript": "Hello."}]


def test_a_written_turn_and_a_call_too() -> None:
    beta = Beta()
    beta.client("session.update", session={"tools": [{"type": "function", "name": "lamp"}]})
    beta.write("Hello")
    beta.client("response.create", response={"modalities": ["text"], "temperature": 0.9})
    assert (beta.request.modality, beta.request.sampling.temperature) == ("text", 0.9)
    beta.say("Hello.")
    assert types(beta.finish(GenerationDone()))[0] == "response.text.done"
    beta.client("response.create")
    beta.agent_says(ToolCall("call_1", "lamp", "{}"))
    beta.finish()


def test_an_answer_that_the_client_remembers_is_put_in() -> None:
    beta = Beta()
    content = [{"type": "text", "text": "I said so."}]
    told = beta.client(
        "conversation.item.create", item={"type": "message", "role": "assistant", "content": content}
    )
    assert types(told) == ["conversation.item.created"]
    assert told[0]["item"]["content"] == content


def test_a_transcription_session_has_its_own_event() -> None:
    beta = Beta()
    session = {"input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": "whisper-1"}}
    (told,) = beta.client("transcription_session.update", session=session)
    assert told["type"] == "transcription_session.updated"
    assert told["session"]["input_audio_format"] == "g711_ulaw"
    assert beta.session.config.transcribes_only


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["text", "audio", "pcm16", "item", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "session",
                    "voice",
                    "modalities",
                    "parlour",
                    "temperature",
                    "turn_detection",
                    "content",
                    "input",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(
        ["session.update", "transcription_session.update", "response.create", "conversation.item.create"]
    ),
    _JSON,
)
def test_no_event_of_the_beta_is_more_than_refused(event_type: str, tree: Any) -> None:
    name = {"response.create": "response", "conversation.item.create": "item"}.get(event_type, "session")
    try:
        event = CODEC.decode(json.dumps({"type": event_type, name: tree}))
    except InvalidEvent:
        return
    beta = Beta()
    beta.feed(event)  # type: ignore[arg-type]


@pytest.mark.parametrize("event_type", ["session.update", "transcription_session.update"])
def test_no_event_of_the_beta_holds_more_structure_than_one_of_today(event_type: str) -> None:
    event = {"type": event_type, "event_id": "mine", "session": {"include": [{}] * BRANCHES_MAX}}
    with pytest.raises(InvalidEvent, match="Too much structure") as refused:
        CODEC.decode(json.dumps(event))
    assert refused.value.event_id == "mine"
