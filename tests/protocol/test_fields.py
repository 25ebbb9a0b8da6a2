"""Every field of the wire that is taken has its effect, or the answer is an error that names it."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.api import Health
from realtime.protocol.known_fields import SESSION_FIELDS, Fields
from tests.protocol.driver import Driver, types

TOOL = {"type": "function", "name": "lamp"}
CHOOSES_LAMP = {"type": "function", "name": "lamp"}


def session_of(driver: Driver, **session: Any) -> dict[str, Any]:
    (told,) = driver.client("session.update", session=session)
    shown: dict[str, Any] = told["session"]
    return shown


def refusal_of(event_type: str, agent: Health | None = None, **fields: Any) -> tuple[str, str]:
    """Code and param of the error that is all the answer; nothing has changed."""
    driver = Driver(agent=agent) if agent else Driver()
    before = deepcopy(driver.session.config)
    (told,) = driver.client(event_type, event_id="mine", **fields)
    assert (told["type"], told["error"]["event_id"]) == ("error", "mine")
    assert driver.session.config == before
    assert driver.requests == []
    return told["error"]["code"], told["error"]["param"]


BETA = {
    "modalities": ["text"],
    "voice": "alloy",
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "g711_ulaw",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": None,
    "max_response_output_tokens": 5,
    "temperature": 0.8,
}


@pytest.mark.parametrize("field", BETA)
def test_a_field_of_the_beta_wire_is_refused_by_name(field: str) -> None:
    session = {"type": "realtime", field: BETA[field]}
    assert refusal_of("session.update", session=session) == ("unknown_parameter", f"session.{field}")


@pytest.mark.parametrize(
    "field", ["modalities", "voice", "output_audio_format", "max_response_output_tokens"]
)
def test_so_is_one_of_a_response(field: str) -> None:
    assert refusal_of("response.create", response={field: BETA[field]}) == (
        "unknown_parameter",
        f"response.{field}",
    )


MISSPELT = [
    ({"output_modality": ["text"]}, "output_modality"),
    ({"audio": {"inptu": {}}}, "audio.inptu"),
    ({"audio": {"input": {"turn_detetion": None}}}, "audio.input.turn_detetion"),
    ({"audio": {"input": {"turn_detection": {"treshold": 0.4}}}}, "audio.input.turn_detection.treshold"),
    ({"audio": {"input": {"transcription": {"model": "m", "other": 1}}}}, "audio.input.transcription.other"),
    ({"audio": {"output": {"pitch": 2}}}, "audio.output.pitch"),
    ({"parlour": {"tracing": True}}, "parlour.tracing"),
    # Known to another kind of the same object, and without effect on this one.
    (
        {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.4}}}},
        "audio.input.turn_detection.threshold",
    ),
    ({"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 16000}}}}, "audio.input.format.rate"),
]


@pytest.mark.parametrize(("session", "param"), MISSPELT)
def test_a_misspelt_field_is_refused_by_its_path(session: dict[str, Any], param: str) -> None:
    assert refusal_of("session.update", session=session) == ("unknown_parameter", f"session.{param}")


def _paths(fields: Fields, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Of all objects of a session."""
    inner = [(name, one) for name, one in fields.items() if one is not None]
    return [at, *(path for name, one in inner for path in _paths(one, (*at, name)))]


@given(st.sampled_from(_paths(SESSION_FIELDS)), st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.data())
def test_no_name_passes_that_an_object_does_not_have(path: tuple[str, ...], name: str, data: Any) -> None:
    at: Any = SESSION_FIELDS
    for step in path:
        at = at[step]
    if name in at:
        return
    patch: Any = {name: data.draw(st.sampled_from([None, 1, "a", [], {}]))}
    for step in reversed(path):
        patch = {step: patch}
    param = ".".join(("session", *path, name))
    assert refusal_of("session.update", session=patch) == ("unknown_parameter", param)


@pytest.mark.parametrize("field", ["prompt", "reasoning"])
def test_what_is_known_and_cannot_be_done_is_refused_unless_it_is_off(field: str) -> None:
    where = {field: {"id": "pmpt_1"}}
    assert refusal_of("session.update", session=where) == ("unsupported_value", f"session.{field}")
    assert refusal_of("response.create", response=where) == ("unsupported_value", f"response.{field}")
    assert types(Driver().client("session.update", session={field: None})) == ["session.updated"]


def test_an_empty_prompt_and_language_of_a_transcription_are_none() -> None:
    """As the examples of OpenAI's guide to transcription send them."""
    transcription = {"model": "gpt-4o-transcribe", "prompt": "", "language": ""}
    session = {"audio": {"input": {"transcription": transcription}}}
    assert types(Driver().client("session.update", session=session)) == ["session.updated"]


def test_parallel_calls_cannot_be_switched_off() -> None:
    refused = refusal_of("session.update", session={"parallel_tool_calls": False})
    assert refused == ("unsupported_value", "session.parallel_tool_calls")
    assert types(Driver().client("session.update", session={"parallel_tool_calls": True})) == [
        "session.updated"
    ]


def test_what_the_agent_cannot_do_is_refused_by_name() -> None:
    plain = Health("ready", "m", transcribes=True, calls_tools=False, languages=("en", "de"))
    deaf = Health("ready", "m", transcribes=False)
    transcription = {"prompt": "names"}
    for agent, session, param in (
        (plain, {"tools": [TOOL]}, "tools"),
        (plain, {"include": ["item.input_audio_transcription.logprobs"]}, "include"),
        (plain, {"audio": {"input": {"transcription": transcription}}}, "audio.input.transcription.prompt"),
        (
            plain,
            {"audio": {"input": {"transcription": {"language": "sv-SE"}}}},
            "audio.input.transcription.language",
        ),
        (deaf, {"type": "transcription"}, "type"),
    ):
        refused = refusal_of("session.update", agent, session=session)
        assert refused == ("unsupported_value", f"session.{param}")
    assert refusal_of("response.create", plain, response={"tools": [TOOL]}) == (
        "unsupported_value",
        "response.tools",
    )


def test_a_language_with_its_country_is_that_language() -> None:
    driver = Driver(agent=Health("ready", "m", transcribes=True, languages=("en", "de")))
    session_of(driver, audio={"input": {"transcription": {"model": "any", "language": "de-AT"}}})
    driver.speak()
    assert driver.transcriptions[-1].language == "de"


# Voices and speed -------------------------------------------------------------------------


@pytest.mark.parametrize("voice", ["nobody", {"id": "voice_1234"}, "", "AMBER"])
def test_an_unknown_voice_is_refused_with_those_that_there_are(voice: Any) -> None:
    for event_type, name in (("session.update", "session"), ("response.create", "response")):
        driver = Driver()
        (told,) = driver.client(event_type, **{name: {"audio": {"output": {"voice": voice}}}})
        assert told["error"]["param"] == f"{name}.audio.output.voice"
        assert "'amber', 'birch'" in told["error"]["message"]


@pytest.mark.parametrize("voice", ["amber", {"id": "birch"}, "default", "alloy", "marin"])
def test_the_agents_voices_are_taken_and_those_that_stock_clients_ask_for(voice: Any) -> None:
    driver = Driver()
    assert session_of(driver, audio={"output": {"voice": voice}})["audio"]["output"]["voice"] == voice
    driver.client("response.create")
    assert driver.request.voice == (voice if isinstance(voice, str) else voice["id"])


@pytest.mark.parametrize("speed", [0.2, 1.6, 9, -1])
def test_a_speed_out_of_bounds_is_refused(speed: float) -> None:
    refused = refusal_of("session.update", session={"audio": {"output": {"speed": speed}}})
    assert refused == ("invalid_value", "session.audio.output.speed")


def test_the_speed_reaches_the_agent() -> None:
    driver = Driver()
    assert session_of(driver, audio={"output": {"speed": 1.5}})["audio"]["output"]["speed"] == 1.5
    driver.client("response.create")
    assert driver.request.speed == 1.5


# Tools ------------------------------------------------------------------------------------


def test_a_tool_choice_that_no_tool_has_is_refused() -> None:
    assert refusal_of("session.update", session={"tool_choice": CHOOSES_LAMP}) == (
        "invalid_value",
        "session.tool_choice",
    )
    driver = Driver()
    session_of(driver, tools=[TOOL], tool_choice=CHOOSES_LAMP)
    (told,) = driver.client("session.update", session={"tools": []})
    assert told["error"]["param"] == "session.tool_choice"
    (told,) = driver.client(
        "response.create", response={"tool_choice": {"type": "function", "name": "nobody"}}
    )
    assert told["error"]["param"] == "response.tool_choice"
    driver.client("response.create")
    assert driver.request.tool_choice == "lamp"
