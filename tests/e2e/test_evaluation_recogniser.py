"""The embedded recogniser on real speech in five languages: alone, and behind the live wire."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from agent.asr.queue import QueuedRecogniser
from agent.models.files import present
from agent.models.manifest import WHISPER_BASE
from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes import live_webrtc, live_websocket, recogniser
from evaluation.routes.route import Failure, Question, Route
from evaluation.sample import Sample
from tests.conftest import Server, running_server
from tests.e2e import asterisk_sounds
from tests.e2e.transcriber import Transcriber

pytest.importorskip("faster_whisper")
pytest.importorskip("rapidfuzz")

from rapidfuzz.distance import Levenshtein
from whisper_normalizer.basic import BasicTextNormalizer

CLIPS = 3
WORST = {"en": 0.1, "fr": 0.5, "es": 0.5, "it": 0.4, "ru": 0.6}
"""Error rates that would show a wrong language, a wrong rate or lost sound: those are above 0.8."""

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        not present([part for parts in WHISPER_BASE.values() for part in parts]),
        reason="the packages of models.txt are not installed",
    ),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    from agent.asr.whisper import Whisper

    ears = QueuedRecogniser(await asyncio.to_thread(Whisper, WHISPER_BASE, 2))
    async with running_server(Transcriber(ears)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alone() -> AsyncIterator[Route]:
    async with made(recogniser) as route:
        yield route


def made(module: Any, *arguments: str) -> Any:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.route(parser.parse_args(arguments))


async def answers(route: Route, questions: Sequence[Question]) -> list[Answer]:
    came = []
    for question in questions:
        [outcome] = await route.ask([question])
        assert isinstance(outcome, Answer), outcome
        came.append(outcome)
    return came


def error_rate(questions: Sequence[Question], came: Sequence[Answer]) -> float:
    normalised = BasicTextNormalizer()
    edits = units = 0
    for question, answer in zip(questions, came, strict=True):
        reference = normalised(question.sample.reference).split()
        edits += Levenshtein.distance(reference, normalised(answer.response).split())
        units += len(reference)
    return edits / units


@pytest.mark.parametrize("language", asterisk_sounds.LANGUAGES)
async def test_what_is_understood_offline_is_understood_live(
    server: Server, alone: Route, language: str
) -> None:
    questions = asterisk_sounds.questions(language, CLIPS)
    offline = await answers(alone, questions)
    wire = ("--url", server.http, "--live-text", "transcription", "--fast")
    async with made(live_websocket, *wire) as route:
        live = await answers(route, questions)
    assert error_rate(questions, offline) <= WORST[language]
    assert error_rate(questions, live) <= error_rate(questions, offline) + 0.3
    assert all(answer.measures["turns"] >= 1 for answer in live)
    lengths_s = [len(question.pcm) / 16_000 for question in questions]
    assert [answer.heard_s for answer in offline] == pytest.approx(lengths_s)


async def test_five_per_cent_loss_and_thirty_ms_of_jitter_leave_speech_understood(server: Server) -> None:
    questions = asterisk_sounds.questions("en", 2)
    wire = ("--url", server.http, "--live-text", "transcription", "--loss", "0.05", "--jitter-ms", "30")
    async with made(live_webrtc, *wire) as route:
        live = await asyncio.gather(*(answers(route, [question]) for question in questions))
    came = [answer for [answer] in live]
    assert error_rate(questions, came) <= 0.3
    assert sum(answer.measures["packets_lost"] for answer in came) > 5


async def test_a_language_that_it_does_not_hear_is_no_english(alone: Route) -> None:
    with pytest.raises(EvaluationError, match="--language is 'tlh'"):
        made(recogniser, "--language", "tlh")
    sample = Sample(
        sample_id="1",
        benchmark="any",
        audio="",
        source="any",
        prompt="",
        reference="",
        language="yue",
    )
    [refused] = await alone.ask([Question(sample, np.zeros(16_000, np.float32))])
    assert isinstance(refused, Failure)
    assert not refused.is_transient
    assert "'yue'" in refused.message
