"""The script: what is recited, how long it lasts, when a tool is called."""

import json
from array import array
from collections.abc import AsyncIterator

from agent.api import (
    SPEAKING_HZ,
    AgentEvent,
    AgentRequest,
    AudioDelta,
    AudioPart,
    GenerationDone,
    PromptRead,
    TextDelta,
    TextPart,
    Tool,
    ToolCall,
    ToolCallMessage,
    ToolResultMessage,
    TranscribeRequest,
    UserMessage,
)
from agent.scripted.agent import RECITAL, ScriptedAgent

HELLO = UserMessage((TextPart("hello"),))
WEATHER = Tool(
    "weather", "", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
)
CLOCK = Tool("clock", "", {"type": "object"})


async def said(events: AsyncIterator[AgentEvent]) -> list[AgentEvent]:
    return [event async for event in events]


def text(events: list[AgentEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_it_recites_ten_numbered_sentences() -> None:
    events = await said(ScriptedAgent().respond(AgentRequest("s", "r", "", (HELLO,))))
    assert text(events) == RECITAL
    assert RECITAL.startswith("This is sentence one of ten. This is sentence two of ten.")
    assert RECITAL.count(".") == 10


async def test_the_recital_lasts_ten_seconds() -> None:
    events = await said(ScriptedAgent().respond(AgentRequest("s", "r", "", (HELLO,))))
    n_samples = sum(len(event.pcm) // 2 for event in events if isinstance(event, AudioDelta))
    assert n_samples == 10 * SPEAKING_HZ


async def test_each_word_is_followed_by_its_tone() -> None:
    events = await said(ScriptedAgent().respond(AgentRequest("s", "r", "", (HELLO,))))
    heard, events = "", [event for event in events if not isinstance(event, PromptRead)]
    for word, audio in zip(events[:-1:2], events[1:-1:2], strict=True):
        assert isinstance(word, TextDelta)
        assert isinstance(audio, AudioDelta)
        heard += word.text
        assert audio.text_end == len(heard)
        assert max(array("h", audio.pcm)) > 3000


async def test_the_audio_is_made_once_for_all_sessions() -> None:
    first = await said(ScriptedAgent().respond(AgentRequest("s", "r", "", (HELLO,))))
    second = await said(ScriptedAgent().respond(AgentRequest("t", "q", "", (HELLO,))))
    for one, other in zip(first, second, strict=True):
        if isinstance(one, AudioDelta) and isinstance(other, AudioDelta):
            assert one.pcm is other.pcm


async def test_the_first_tool_is_called_with_arguments_that_fit() -> None:
    request = AgentRequest("s", "r", "", (HELLO,), tools=(WEATHER, CLOCK))
    call, done = await said(ScriptedAgent().respond(request))
    assert isinstance(call, ToolCall)
    assert call.name == "weather"
    assert isinstance(json.loads(call.arguments)["city"], str)
    assert isinstance(done, GenerationDone)


async def test_the_named_tool_is_called() -> None:
    request = AgentRequest("s", "r", "", (HELLO,), tools=(WEATHER, CLOCK), tool_choice="clock")
    call, _ = await said(ScriptedAgent().respond(request))
    assert isinstance(call, ToolCall)
    assert call.name == "clock"


async def test_a_tool_without_a_schema_gets_an_empty_object() -> None:
    for parameters in ({}, {"type": "string"}, {"required": 5}):
        request = AgentRequest("s", "r", "", (HELLO,), tools=(Tool("any", "", parameters),))
        call, _ = await said(ScriptedAgent().respond(request))
        assert isinstance(call, ToolCall)
        assert call.arguments == "{}"


async def test_no_tool_is_called_when_the_choice_is_none() -> None:
    request = AgentRequest("s", "r", "", (HELLO,), tools=(WEATHER,), tool_choice="none")
    assert text(await said(ScriptedAgent().respond(request))) == RECITAL


async def test_after_a_tool_result_it_says_what_the_tool_gave_back() -> None:
    messages = (HELLO, ToolCallMessage("c", "weather", "{}"), ToolResultMessage("c", "21 degrees"))
    request = AgentRequest("s", "r", "", messages, tools=(WEATHER,))
    assert text(await said(ScriptedAgent().respond(request))) == "The tool gave back: 21 degrees"


async def test_the_token_limit_ends_the_recital() -> None:
    request = AgentRequest("s", "r", "", (HELLO,), max_output_tokens=3)
    events = await said(ScriptedAgent().respond(request))
    assert text(events) == "This is sentence"
    assert isinstance(events[-1], GenerationDone)
    assert events[-1].reason == "max_tokens"


async def test_a_transcript_says_that_it_is_scripted() -> None:
    transcript = await ScriptedAgent().transcribe(TranscribeRequest("s", bytes(2 * 16_000 * 3)))
    assert transcript.text == "(scripted: 3.0 seconds of speech)"
    assert transcript.duration_s == 3.0


async def test_it_counts_what_it_was_given_as_real_models_do() -> None:
    """Load generators take an answer to a prompt of no tokens for a broken one."""
    heard = UserMessage((TextPart("say it twice"), AudioPart(bytes(2 * 16_000))))  # three words, one second
    request = AgentRequest("s", "r", "Be brief.", (heard,), max_output_tokens=3)
    done = (await said(ScriptedAgent().respond(request)))[-1]
    assert isinstance(done, GenerationDone)
    assert (done.usage.input_text_tokens, done.usage.input_audio_tokens) == (5, 25)
    assert done.usage.output_text_tokens == 3
