"""The small Qwen2-Audio checkpoint by every way in: the same greedy answers in process, over HTTP and live.

It says anything of what it hears, and something else of each clip: so one sample more or less would show.
"""

import argparse
import base64
import io
import wave
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from agent.models.files import present
from agent.models.manifest import PIPER_JOE
from agent.settings import AgentSettings
from evaluation.record import Answer
from evaluation.routes import checkpoint, live_options, live_websocket
from evaluation.routes.pcm import s16le
from evaluation.routes.route import Question
from realtime.audio.resample import Resampler
from tests.conftest import Server, running_server
from tests.e2e.live_questions import question
from tests.speech import HZ, utterance

pytest.importorskip("torch")
from evaluation.routes import checkpoint_engines

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not present([PIPER_JOE]), reason="the packages of models.txt are not installed"),
]

TOKENS = 24
"""Of each answer: enough to tell answers apart, on a machine that decodes a few tokens a second."""
CLIPS = (("cards_001", "What did the speaker say?"), ("cards_002", ""), ("something", "Who speaks?"))
QUESTIONS = [question(utterance(name).pcm16k, prompt) for name, prompt in CLIPS]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(small_qwen2_audio: Path) -> AsyncIterator[Server]:
    from agent.models.qwen2_audio import build_qwen2_audio

    settings = AgentSettings(model=str(small_qwen2_audio), recogniser="tiny.en", threads=2)
    agent = await build_qwen2_audio(settings, lambda line: None)
    async with running_server(agent) as running:
        yield running


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (checkpoint_engines, live_options):
        monkeypatch.setattr(module, "NEW_TOKENS_MAX", TOKENS)


async def asked(module: Any, questions: Sequence[Question], *arguments: str) -> list[str]:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    async with module.route(parser.parse_args(arguments)) as route:
        answers = []
        for start in range(0, len(questions), route.batch_size):
            answers += await route.ask(questions[start : start + route.batch_size])
    assert all(isinstance(answer, Answer) and answer.response for answer in answers), answers
    return [answer.response for answer in answers]


async def over_http(server: Server, asked_about: Question) -> str:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((1, 2, HZ, 0, "NONE", ""))
        written.writeframes(s16le(asked_about.pcm))
    data = base64.b64encode(file.getvalue()).decode()
    content: list[dict[str, Any]] = [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]
    if asked_about.sample.prompt:
        content.append({"type": "text", "text": asked_about.sample.prompt})
    body = {"messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": TOKENS}
    async with httpx.AsyncClient(timeout=None) as http:
        answer = await http.post(f"{server.http}/v1/chat/completions", json=body)
    return str(answer.json()["choices"][0]["message"]["content"])


def as_heard_live(asked_about: Question) -> Question:
    """The wire is at 24 kHz and the model at 16: what comes of the clip on that way, and of nothing else."""
    up, down = Resampler(HZ, 24_000), Resampler(24_000, HZ)
    pcm = down.push(up.push(s16le(asked_about.pcm)) + up.flush())
    return question(pcm, asked_about.sample.prompt)


async def test_in_process_by_generate_by_server_and_live_it_says_the_same(
    server: Server, small_qwen2_audio: Path
) -> None:
    folder = ("--checkpoint", str(small_qwen2_audio), "--threads", "2")
    heard_live = [as_heard_live(one) for one in QUESTIONS]
    here = await asked(checkpoint, [*QUESTIONS, *heard_live], *folder, "--batch-size", "6")
    assert len(set(here)) > len(CLIPS), "it tells the clips apart, and one that was resampled from its like"
    n = len(QUESTIONS)
    assert [await over_http(server, one) for one in QUESTIONS] == here[:n]
    padded = ("--engine", "transformers", "--batch-size", "3")
    assert await asked(checkpoint, QUESTIONS, *folder, *padded) == here[:n]
    wire = ("--url", server.http, "--text-only", "--fast", "--turn-detection", "none")
    assert await asked(live_websocket, QUESTIONS, *wire) == here[n:]
