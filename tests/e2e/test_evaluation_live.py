"""Samples over the live wire, the scripted agent behind the gateway: what is asked, and what is measured."""

import argparse
import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from agent.api import AgentEvent, AgentRequest, AudioPart, Health, TextPart, UserMessage
from agent.scripted.agent import RECITAL, ScriptedAgent
from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes import live_websocket
from evaluation.routes.live_websocket import WebSocketRoute
from evaluation.routes.route import Failure, Question
from realtime.commands.live_connection import connected
from tests.conftest import Server, running_server
from tests.e2e.live_questions import Brief, question
from tests.ports import free_port
from tests.speech import HZ, Utterance, utterance, white_noise

TRANSCRIPTION = ("--live-text", "transcription", "--fast")
WRITTEN = ("--text-only", "--fast")


def route(url: str, *arguments: str) -> WebSocketRoute:
    parser = argparse.ArgumentParser()
    live_websocket.add_arguments(parser)
    return live_websocket.route(parser.parse_args(["--url", url, *arguments]))


async def outcome(url: str, asked: Question, *arguments: str) -> Answer | Failure:
    async with route(url, *arguments) as way:
        [came] = await way.ask([asked])
    return came


async def answer(url: str, asked: Question, *arguments: str) -> Answer:
    came = await outcome(url, asked, *arguments)
    assert isinstance(came, Answer), came
    return came


class English(ScriptedAgent):
    """Hears nothing else."""

    async def health(self) -> Health:
        return replace(await super().health(), languages=("en",))


class Listener(ScriptedAgent):
    """Keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[AgentRequest] = []

    async def health(self) -> Health:
        return replace(await super().health(), wants_audio_history=True)

    def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        self.requests.append(request)
        return super().respond(request)

    @property
    def heard(self) -> tuple[TextPart | AudioPart, ...]:
        return tuple(
            part
            for message in self.requests[-1].messages
            if isinstance(message, UserMessage)
            for part in message.parts
        )


@pytest.fixture
def spoken() -> Utterance:
    return utterance("something")


async def test_the_words_of_a_clip_are_those_of_its_turn(server: Server, spoken: Utterance) -> None:
    heard = await answer(server.http, question(spoken.pcm16k), *TRANSCRIPTION)
    assert heard.response.startswith("(scripted: ")
    assert heard.measures["turns"] == 1
    assert heard.measures["speech_missed"] == 0
    assert set(heard.measures) == {"turns", "speech_missed", "session_s"}, "sent at once, nothing is timed"


async def test_a_clip_that_a_pause_cuts_in_two_keeps_both_texts(server: Server, spoken: Utterance) -> None:
    asked = question(spoken.pcm16k + bytes(4 * HZ) + spoken.pcm16k)
    heard = await answer(server.http, asked, *TRANSCRIPTION)
    assert heard.measures["turns"] == 2
    assert heard.response.count("scripted") == 2


@pytest.mark.parametrize("arguments", [TRANSCRIPTION, WRITTEN])
async def test_a_clip_in_which_nobody_was_heard_has_an_empty_answer_and_counts(
    server: Server, arguments: tuple[str, ...]
) -> None:
    for prompt in ("", "Who speaks?"):
        missed = await answer(server.http, question(white_noise(1.0, 30), prompt), *arguments)
        assert (missed.response, missed.finish_reason) == ("", "no_speech")
        assert (missed.measures["turns"], missed.measures["speech_missed"]) == (0, 1)


@pytest.mark.parametrize("detection", ["server_vad", "semantic_vad", "none"])
async def test_a_prompt_is_asked_beside_the_clip_and_answered_greedily(
    spoken: Utterance, detection: str
) -> None:
    agent = Listener()
    async with running_server(agent) as server:
        came = await answer(
            server.http, question(spoken.pcm16k, "Who?"), *WRITTEN, "--turn-detection", detection
        )
    assert (came.response, came.finish_reason, came.output_tokens) == (RECITAL, "stop", 60)
    assert came.ttft_s is not None
    assert came.total_s is not None
    audio, text = agent.heard
    assert isinstance(audio, AudioPart)
    assert text == TextPart("Who?")
    [request] = agent.requests
    assert (request.sampling.temperature, request.max_output_tokens) == (0, 256)
    assert (request.modality, request.instructions) == ("text", "")


async def test_voice_chat_is_the_clip_alone(spoken: Utterance) -> None:
    agent = Listener()
    async with running_server(agent) as server:
        await answer(server.http, question(spoken.pcm16k), *WRITTEN, "--own-sampling")
    [audio] = agent.heard
    assert isinstance(audio, AudioPart)
    assert agent.requests[-1].sampling.temperature is None


async def test_push_to_talk_brings_all_of_the_clip(spoken: Utterance) -> None:
    agent = Listener()
    async with running_server(agent) as server:
        await answer(server.http, question(spoken.pcm16k), *WRITTEN, "--turn-detection", "none")
    [audio] = agent.heard
    assert isinstance(audio, AudioPart)
    lost_ms = (len(spoken.pcm16k) - len(audio.pcm)) * 1000 / (2 * HZ)
    assert 0 <= lost_ms < 3, "the server's filter holds a little back"


async def test_said_at_the_pace_of_speech_it_is_timed() -> None:
    clip = question(utterance("cards_001").pcm16k)
    async with running_server(Brief()) as server, route(server.http) as answers:
        words = asyncio.create_task(answer(server.http, clip, "--live-text", "transcription"))
        [spoken_answer], written = await asyncio.gather(answers.ask([clip]), words)
    assert isinstance(spoken_answer, Answer)
    assert spoken_answer.finish_reason == "length"
    assert spoken_answer.measures["ttfa_ms"] >= spoken_answer.measures["endpoint_delay_ms"]
    assert spoken_answer.measures["session_s"] > len(clip.pcm) / HZ
    assert written.measures["transcript_delay_ms"] >= written.measures["endpoint_delay_ms"]


# What goes wrong -------------------------------------------------------------------------


async def test_a_language_that_the_recogniser_does_not_hear_is_no_empty_answer(spoken: Utterance) -> None:
    async with running_server(English()) as server:
        refused = await outcome(server.http, question(spoken.pcm16k, language="yue"), *TRANSCRIPTION)
        assert isinstance(refused, Failure)
        assert not refused.is_transient
        assert "language" in refused.message
        override = (*TRANSCRIPTION, "--language", "en")
        assert isinstance(
            await outcome(server.http, question(spoken.pcm16k, language="yue"), *override), Answer
        )


async def test_a_full_server_asks_for_patience_and_a_locked_one_for_a_key(spoken: Utterance) -> None:
    async with running_server(sessions_max=1) as server, route(server.http, *WRITTEN) as way:
        other = await connected(server.http, "", "")
        [full] = await way.ask([question(spoken.pcm16k)])
        await other.close()
    assert isinstance(full, Failure)
    assert (full.is_transient, full.is_overload) == (True, True)
    async with running_server(keys="secret") as server:
        locked = await outcome(server.http, question(spoken.pcm16k), *WRITTEN)
        assert isinstance(locked, Failure)
        assert (locked.is_transient, locked.is_overload) == (False, False)
        assert "--key" in locked.message
        assert isinstance(
            await outcome(server.http, question(spoken.pcm16k), *WRITTEN, "--key", "secret"), Answer
        )


async def _closes(socket: ServerConnection) -> None:
    await socket.send(json.dumps({"type": "session.created", "session": {}}))
    await socket.close(1012, "restarting")


async def _talks_nonsense(socket: ServerConnection) -> None:
    await socket.send("no JSON")
    await socket.wait_closed()


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (_closes, Failure("the server closed the connection: restarting.", is_transient=True)),
        (_talks_nonsense, Failure("the server sent what cannot be read")),
    ],
)
async def test_a_server_that_goes_away_is_asked_again_later(
    handler: Callable[[ServerConnection], Any], failure: Failure, spoken: Utterance
) -> None:
    async with serve(handler, "127.0.0.1", 0) as dying:
        port = next(iter(dying.sockets)).getsockname()[1]
        [came] = await route(f"ws://127.0.0.1:{port}", *WRITTEN).ask([question(spoken.pcm16k)])
    assert came == failure


async def test_where_no_server_is_the_run_does_not_begin(spoken: Utterance) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(EvaluationError, match="is it running"):
        async with route(address):
            pass
    [gone] = await route(address, *WRITTEN).ask([question(spoken.pcm16k)])
    assert isinstance(gone, Failure)
    assert gone.is_transient


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("http://127.0.0.1:1", "--sessions", "0"), "--sessions is 0: expected 1 or more."),
        (("http://:x",), "'http://:x' is no server's address: expected http://HOST:PORT."),
    ],
)
def test_options_that_cannot_be_used_are_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(EvaluationError) as refused:
        route(*arguments)
    assert str(refused.value) == sentence


def test_a_dry_run_shows_every_event_and_no_audio() -> None:
    shown = route("x:1").request_shown(question(bytes(2 * HZ), "Who?")).splitlines()
    update, clip, _, item, create = map(json.loads, shown)
    assert update["session"]["audio"]["input"]["turn_detection"]["create_response"] is False
    assert clip == "1.00 s of audio, in real time"
    assert item["item"]["content"] == [{"type": "input_text", "text": "Who?"}]
    assert create == {"type": "response.create"}
