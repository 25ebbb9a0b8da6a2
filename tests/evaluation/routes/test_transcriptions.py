"""A recogniser behind `/v1/audio/transcriptions` gets the clip and the language, and no prompt."""

import numpy as np
from starlette.responses import JSONResponse, Response

from evaluation.record import Answer
from evaluation.routes.route import Failure, Question
from evaluation.routes.transcriptions import Transcriptions
from evaluation.sample import Sample
from tests.evaluation.run.scripted_server import Asked, scripted_server


def _question(language: str = "yue") -> Question:
    sample = Sample(
        sample_id="7",
        benchmark="b",
        audio="7.wav",
        source="s",
        prompt="Recognize the speech:",
        reference="secret",
        language=language,
    )
    return Question(sample, np.full(1_600, 7 / 32768, np.float32))


async def test_the_words_come_back_as_the_answer() -> None:
    async with scripted_server() as server, Transcriptions(server.url, "whisper") as route:
        [outcome] = await route.ask([_question()])
        assert server.asked[0].path == "/v1/audio/transcriptions"
        assert server.asked[0].body == {
            "model": "whisper",
            "response_format": "json",
            "temperature": "0",
            "language": "yue",
        }
    assert isinstance(outcome, Answer)
    assert outcome.response == "it is 0007"


async def test_a_language_that_nobody_knows_or_wants_is_not_told() -> None:
    async with scripted_server() as server:
        for language, tells in (("", True), ("yue", False)):
            async with Transcriptions(server.url, "whisper", tells_language=tells) as route:
                await route.ask([_question(language)])
        assert not any("language" in asked.body for asked in server.asked)


async def test_what_is_no_transcript_is_told_and_a_busy_server_is_asked_again() -> None:
    responses: list[Response] = [JSONResponse(["text"]), JSONResponse({}, 429)]

    async def answers(asked: Asked) -> Response:
        return responses[asked.number]

    async with scripted_server(answers) as server, Transcriptions(server.url, "whisper") as route:
        outcomes = [(await route.ask([_question()]))[0] for _ in responses]
    assert outcomes == [
        Failure("the server sent no transcript: expected a JSON object with a text"),
        Failure("the server answered HTTP 429 ({})", is_transient=True, is_overload=True),
    ]
