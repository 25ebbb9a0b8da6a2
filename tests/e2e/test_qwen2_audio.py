"""Qwen2-Audio behind the real gateway: the small checkpoint hears recorded speech, and says anything.

Nobody has trained what lies between its ears and its brain, so what it says of audio means nothing; what is
typed it answers sensibly.
"""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import pytest_asyncio
import soxr
from openai import AsyncOpenAI

from agent.models.files import present
from agent.models.manifest import PIPER_JOE
from agent.settings import AgentSettings
from tests import recordings, speech
from tests.conftest import Server, running_server
from tests.e2e.serving import address_of, ready, started
from tests.e2e.talk import Talk

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio(loop_scope="module"),  # one server for all of them: it takes seconds to load
    pytest.mark.skipif(
        not present([PIPER_JOE]),
        reason="the packages of models.txt are not installed",
    ),
]

CAPITAL: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 12}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(small_qwen2_audio: Path) -> AsyncIterator[Server]:
    from agent.models.qwen2_audio import build_qwen2_audio

    lines: list[str] = []
    settings = AgentSettings(model=str(small_qwen2_audio), recogniser="tiny.en", threads=2)
    agent = await build_qwen2_audio(settings, lines.append)
    assert lines[0] == f"loading {small_qwen2_audio.name} (0.7 GB) ..."
    assert lines[-1].startswith("answering a first question to itself ... ")
    async with running_server(agent) as running:
        yield running


async def opened(server: Server, answer_tokens: int = 6) -> Talk:
    """By voice, with the user's words shown, and answers of no great length."""
    talk = await Talk.with_server(server)
    session = {
        "type": "realtime",
        "max_output_tokens": answer_tokens,
        "audio": {"input": {"transcription": {"model": "any"}}},
    }
    await talk.say(type="session.update", session=session)
    await talk.until("session.updated")
    return talk


async def put(talk: Talk, *content: dict[str, str]) -> None:
    item = {"type": "message", "role": "user", "content": list(content)}
    await talk.say(type="conversation.item.create", item=item)


def recording(name: str) -> dict[str, str]:
    return {"type": "input_audio", "audio": base64.b64encode(speech.utterance(name).pcm24k).decode()}


def text(words: str) -> dict[str, str]:
    return {"type": "input_text", "text": words}


def asking(server: Server) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{server.http}/v1", api_key="none", max_retries=0, timeout=None)


# A conversation --------------------------------------------------------------------------


async def test_a_spoken_turn_is_heard_by_the_model_itself_and_shown_in_words(server: Server) -> None:
    utterance = speech.utterance("goforward")
    talk = await opened(server)
    await talk.speak(utterance.pcm24k)
    done = (await talk.until("response.done"))["response"]
    assert done["status"] in ("completed", "incomplete")
    assert done["usage"]["output_tokens"] > 0
    heard_s = done["usage"]["input_token_details"]["audio_tokens"] / 25
    spoken_s = (utterance.speech_end_ms - utterance.speech_start_ms) / 1000
    assert spoken_s <= heard_s <= spoken_s + 1.5
    shown = [
        e["transcript"] for e in talk.events if e["type"].endswith("input_audio_transcription.completed")
    ]
    if not shown:
        shown = [(await talk.until("conversation.item.input_audio_transcription.completed"))["transcript"]]
    assert "meters" in " ".join(shown).lower()


async def test_what_is_typed_is_answered_aloud(server: Server) -> None:
    talk = await opened(server, answer_tokens=30)
    await put(talk, text("What is the capital of France?"))
    done = await talk.answer()
    assert done["output"][0]["content"][0]["transcript"]
    assert len(talk.spoken()) > 24_000


async def test_audio_and_an_instruction_in_one_item_are_read_together(server: Server) -> None:
    talk = await opened(server)
    await put(talk, recording("goforward"), text("What did the speaker say?"))
    usage = (await talk.answer())["usage"]["input_token_details"]
    assert usage["audio_tokens"] == pytest.approx(speech.utterance("goforward").seconds * 25, abs=1)
    await put(talk, text("And why?"))
    more = (await talk.answer())["usage"]["input_token_details"]
    assert more["audio_tokens"] == usage["audio_tokens"]
    assert more["text_tokens"] > usage["text_tokens"]


async def test_each_turn_reads_only_what_is_new(server: Server) -> None:
    talk = await opened(server)
    known = 0
    for number in range(4):
        content = [recording("something"), text(f"Question {number}?")]
        await put(talk, *content[number % 2 :])
        usage = (await talk.answer())["usage"]
        if known:
            assert usage["input_token_details"]["cached_tokens"] >= known - 1
        known = usage["input_tokens"]


async def test_a_barge_in_ends_the_answer_and_the_next_turn_goes_on_from_what_was_heard(
    server: Server,
) -> None:
    talk = await opened(server, answer_tokens=120)
    await put(talk, text("Tell me a long story about a dog."))
    await talk.say(type="response.create")
    await talk.until("response.output_audio.delta")
    await talk.say(type="session.update", session={"type": "realtime", "max_output_tokens": 6})
    await talk.speak(speech.utterance("goforward").pcm24k)
    first = (await talk.until("response.done"))["response"]
    assert (first["status"], first["status_details"]["reason"]) == ("cancelled", "turn_detected")
    second = (await talk.until("response.done"))["response"]
    assert second["status"] in ("completed", "incomplete")
    details = second["usage"]["input_token_details"]
    assert details["audio_tokens"] > 0
    assert details["cached_tokens"] > 20


async def test_a_request_that_is_at_fault_itself_fails_alone(server: Server) -> None:
    talk = await opened(server)
    await put(talk, text("word " * 10_000))
    cut = await talk.answer()
    assert cut["status"] in ("completed", "incomplete")
    assert cut["status_details"]["error"]["type"] == "invalid_request_error"
    assert cut["status_details"]["error"]["code"] == "input_truncated"
    await talk.say(type="session.update", session={"type": "realtime", "instructions": "word " * 10_000})
    assert (await talk.until("error"))["error"]["code"] == "context_length_exceeded"
    short = {"type": "input_audio", "audio": base64.b64encode(bytes(24 * 2 * 50)).decode()}
    await put(talk, short)
    failed = await talk.answer()
    assert failed["status_details"]["error"]["code"] == "invalid_value"
    await put(talk, text("Hello."))
    assert (await talk.answer())["status"] in ("completed", "incomplete")


# Over plain HTTP -------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_the_stock_client_is_told_the_capital_of_france(server: Server, stream: bool) -> None:
    async with asking(server) as client:
        if stream:
            chunks = await client.chat.completions.create(
                model="any", messages=CAPITAL, stream=True, **GREEDY
            )
            pieces = [chunk.choices[0].delta.content or "" async for chunk in chunks]
            assert len(pieces) > 5
            said = "".join(pieces)
        else:
            completion = await client.chat.completions.create(model="any", messages=CAPITAL, **GREEDY)
            said = completion.choices[0].message.content or ""
    assert "Paris" in said


@pytest.mark.parametrize(("hz", "n_channels", "kind"), [(16_000, 1, "wav"), (44_100, 2, "flac")])
async def test_recordings_of_any_kind_are_heard(server: Server, hz: int, n_channels: int, kind: str) -> None:
    samples = np.frombuffer(speech.utterance("goforward").pcm16k, "<i2").astype(np.float32) / 32768
    file = recordings.recording(soxr.resample(samples, 16_000, hz)[:, None].repeat(n_channels, 1), hz, kind)
    data = base64.b64encode(file).decode()
    content = [
        {"type": "input_audio", "input_audio": {"data": data, "format": kind}},
        {"type": "text", "text": "What did the speaker say?"},
    ]
    messages: list[Any] = [{"role": "user", "content": content}]
    async with asking(server) as client:
        completion = await client.chat.completions.create(model="any", messages=messages, **GREEDY)
    assert completion.usage
    assert completion.usage.prompt_tokens_details
    expected = speech.utterance("goforward").seconds * 25
    assert completion.usage.prompt_tokens_details.audio_tokens == pytest.approx(expected, abs=1)
    assert completion.usage.completion_tokens > 0


async def test_an_instruction_of_ten_thousand_tokens_is_a_bad_request(server: Server) -> None:
    messages: list[Any] = [{"role": "system", "content": "word " * 10_000}, *CAPITAL]
    async with asking(server) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model="any", messages=messages, **GREEDY)
    assert refused.value.code == "context_length_exceeded"


# As people start it ----------------------------------------------------------------------


async def test_it_is_served_from_a_folder(small_qwen2_audio: Path) -> None:
    server = await started("--model", str(small_qwen2_audio), "--port", "0", "--recogniser", "tiny.en")
    try:
        address = await address_of(server)
        async with httpx.AsyncClient(base_url=address, timeout=None) as client:
            await ready(client)
            [model] = (await client.get("/v1/models")).json()["data"]
            assert model["id"] == small_qwen2_audio.name
            about = (await client.get("/v1/parlour")).json()
            assert about["model_title"] == f"{small_qwen2_audio.name}, which hears speech itself"
            request = {"messages": CAPITAL, **GREEDY}
            answer = await client.post("/v1/chat/completions", json=request)
            assert "Paris" in answer.json()["choices"][0]["message"]["content"]
    finally:
        server.terminate()
        await server.communicate()
    assert server.returncode == 0
