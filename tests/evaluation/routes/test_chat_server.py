"""What a chat server is asked, over a real socket, and what its answers and refusals become."""

import argparse
import asyncio
import base64
import io
import wave
from collections.abc import AsyncIterator

import numpy as np
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes import chat_server
from evaluation.routes.chat_server import ChatServer
from evaluation.routes.openai_server import wav
from evaluation.routes.route import Failure, Question
from evaluation.sample import Sample
from tests.evaluation.run.scripted_server import Asked, Script, rightly, scripted_server

PCM = np.linspace(-1, 1, 3_200, dtype=np.float32)


def question(prompt: str = "what is 0007?", language: str = "en") -> Question:
    sample = Sample(
        sample_id="7",
        benchmark="b",
        audio="7.wav",
        source="s",
        prompt=prompt,
        reference="secret",
        language=language,
    )
    return Question(sample, PCM)


async def _asked(script: Script = rightly, prompt: str = "what is 0007?", **options: object):  # type: ignore[no-untyped-def]
    async with scripted_server(script) as server:
        async with ChatServer(server.url, "m", "a key", **options) as route:  # type: ignore[arg-type]
            [outcome] = await route.ask([question(prompt)])
        return outcome, server.asked


async def test_a_chat_is_a_system_message_and_the_clip_before_the_text() -> None:
    outcome, [asked] = await _asked()
    system, user = asked.body["messages"]
    audio, text = user["content"]
    assert system == {"role": "system", "content": "You are a helpful assistant."}
    assert text == {"type": "text", "text": "what is 0007?"}
    assert (asked.body["temperature"], asked.body["max_tokens"], asked.body["stream"]) == (0.0, 256, True)
    assert asked.headers["authorization"] == "Bearer a key"
    with wave.open(io.BytesIO(base64.b64decode(audio["input_audio"]["data"]))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16_000, 1, 3_200)
        sent = np.frombuffer(file.readframes(3_200), "<i2") / 32768
    assert np.abs(sent - PCM).max() <= 1 / 32768
    assert isinstance(outcome, Answer)
    assert (outcome.response, outcome.finish_reason, outcome.output_tokens) == ("it is 0007", "stop", 3)
    assert outcome.ttft_s is not None
    assert outcome.total_s is not None
    assert 0 < outcome.ttft_s <= outcome.total_s


async def test_a_clip_alone_is_asked_without_text_and_without_a_system_message_where_none_is_wanted() -> None:
    _, [asked] = await _asked(prompt="", system="")
    [message] = asked.body["messages"]
    assert [part["type"] for part in message["content"]] == ["input_audio"]


async def test_a_raw_prompt_is_upstreams_to_the_letter_beside_its_clip() -> None:
    outcome, [asked] = await _asked(prompt="<|en|> what is 0007?", is_raw=True)
    assert asked.path == "/v1/completions"
    prompt = asked.body["prompt"]
    assert prompt["prompt_string"] == "<|audio_bos|><__media__><|audio_eos|><|en|> what is 0007?"
    assert base64.b64decode(prompt["multimodal_data"][0])[:4] == b"RIFF"
    assert "messages" not in asked.body
    assert isinstance(outcome, Answer)
    assert outcome.response == "it is 0007"


async def test_a_server_without_raw_prompts_is_told_by_name() -> None:
    async def refuses(asked: Asked) -> Response:
        return JSONResponse({"error": "prompt: expected a string"}, 400)

    outcome, _ = await _asked(refuses, is_raw=True)
    assert isinstance(outcome, Failure)
    assert "--raw-prompt needs a server that takes audio at" in outcome.message


async def test_a_server_that_counts_no_tokens_is_asked_without_and_remembered() -> None:
    async def refuses_options(asked: Asked) -> Response | None:
        if "stream_options" in asked.body:
            return JSONResponse({"error": "unknown field stream_options"}, 400)
        return None

    async with scripted_server(refuses_options) as server, ChatServer(server.url, "m") as route:
        for _ in range(2):
            assert isinstance((await route.ask([question()]))[0], Answer)
        assert len(server.asked) == 3


async def test_a_connection_serves_one_question_after_another() -> None:
    async with scripted_server() as server, ChatServer(server.url, "m") as route:
        for _ in range(3):
            await route.ask([question()])
        assert len({asked.connection for asked in server.asked}) == 1


async def test_a_server_that_never_ends_the_body_of_its_answer_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chat_server, "FINISH_S", 0.05)
    has_ended = asyncio.Event()

    async def body() -> AsyncIterator[str]:
        yield 'data: {"choices": [{"delta": {"content": "yes"}}]}\n\ndata: [DONE]\n\n'
        await has_ended.wait()

    async def answers(asked: Asked) -> Response:
        return StreamingResponse(body())

    async with scripted_server(answers) as server, ChatServer(server.url, "m") as route:
        [outcome] = await route.ask([question()])
        has_ended.set()
    assert isinstance(outcome, Answer)
    assert outcome.response == "yes"


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (
            PlainTextResponse("slow down", 429, {"retry-after": "7"}),
            Failure("the server answered HTTP 429 (slow down)", True, True, 7.0),
        ),
        (PlainTextResponse("", 503), Failure("the server answered HTTP 503", True, True, None)),
        (
            PlainTextResponse("", 401, {"retry-after": "7"}),
            Failure("the server answered HTTP 401 (check --key)"),
        ),
        (
            PlainTextResponse("no such\nmodel", 404),
            Failure("the server answered HTTP 404 (no such model; check --url and --model)"),
        ),
        (
            PlainTextResponse("data: {}\n\n", 200),
            Failure("the server failed: it broke the answer off", True, True),
        ),
    ],
    ids=["busy", "down", "key", "model", "broken off"],
)
async def test_what_goes_wrong_is_one_sentence_and_whether_to_ask_again(
    response: Response, expected: Failure
) -> None:
    async def answers(asked: Asked) -> Response:
        return response

    outcome, _ = await _asked(answers)
    assert outcome == expected


async def test_a_server_that_is_not_there_may_come_back() -> None:
    async with scripted_server() as server:
        pass
    async with ChatServer(server.url, "m") as route:
        [outcome] = await route.ask([question()])
    assert outcome == Failure("the server cannot be reached", True, True)


def test_a_request_is_shown_whole_with_its_audio_as_a_length() -> None:
    shown = ChatServer("http://localhost:1", "m").request_shown(question())
    assert shown.startswith("POST http://localhost:1/v1/chat/completions\n")
    assert "(0.20 s of audio, a WAV file in base64)" in shown
    assert '"temperature": 0.0' in shown


def test_the_description_tells_all_that_influences_an_answer_and_no_secret() -> None:
    described = ChatServer("http://me:password@localhost:1/v1", "m", "a key").description()
    assert described["url"] == "http://localhost:1/v1"
    assert {"model", "prompt_form", "system", "temperature", "max_tokens"} <= set(described)
    assert "a key" not in described.values()


def test_what_is_no_address_is_told() -> None:
    with pytest.raises(EvaluationError, match="--url is 'localhost'"):
        ChatServer("localhost", "m")


def test_the_options_are_those_of_the_published_runs() -> None:
    parser = argparse.ArgumentParser()
    chat_server.add_arguments(parser)
    route = chat_server.route(parser.parse_args(["--url", "http://localhost:1", "--model", "m"]))
    described = route.description()
    assert (described["temperature"], described["max_tokens"]) == (0.0, 256)


def test_loud_sound_is_clipped_and_does_not_wrap() -> None:
    with wave.open(io.BytesIO(wav(np.array([1.5, -1.5], np.float32)))) as file:
        assert np.frombuffer(file.readframes(2), "<i2").tolist() == [32767, -32768]
