"""Recognisers behind `/v1/audio/transcriptions`: comparators that are asked for words, without a prompt."""

import argparse
import asyncio
import json
import time
from collections.abc import Mapping, Sequence

import httpx

from evaluation.record import Answer
from evaluation.routes.openai_server import (
    SILENCE_S,
    ServerRoute,
    add_server_arguments,
    lost,
    refusal,
    wav,
)
from evaluation.routes.route import SAMPLE_HZ, Failure, Question


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.add_argument(
        "--detect-language", action="store_true", help="do not tell the server which language is spoken"
    )


def route(options: argparse.Namespace) -> "Transcriptions":
    return Transcriptions(
        options.url,
        options.model,
        options.key,
        tells_language=not options.detect_language,
        silence_s=options.silence_s,
    )


class Transcriptions(ServerRoute):
    """A Route. tells_language: the sample's, where it has one."""

    def __init__(
        self,
        address: str,
        model: str,
        key: str = "",
        *,
        tells_language: bool = True,
        silence_s: float = SILENCE_S,
    ) -> None:
        super().__init__(address, model, key, silence_s)
        self._url = self._address.of("/audio/transcriptions")
        self._tells_language = tells_language

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        return {
            "route": "transcriptions",
            "url": str(self._address),
            "model": self._model,
            "tells_language": self._tells_language,
            "temperature": 0.0,
            "audio": f"wav, 16 bits, {SAMPLE_HZ} Hz",
        }

    def request_shown(self, question: Question) -> str:
        seconds = len(question.pcm) / SAMPLE_HZ
        fields = {**self._fields(question), "file": f"({seconds:.2f} s of audio, a WAV file)"}
        return f"POST {self._url}, as a form\n{json.dumps(fields, indent=2, ensure_ascii=False)}"

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        return [await self._asked(question) for question in questions]

    def _fields(self, question: Question) -> dict[str, str]:
        fields = {"model": self._model, "response_format": "json", "temperature": "0"}
        if self._tells_language and question.sample.language:
            fields["language"] = question.sample.language
        return fields

    async def _asked(self, question: Question) -> Answer | Failure:
        file = await asyncio.to_thread(wav, question.pcm)
        began_at = time.monotonic()
        try:
            async with self._connections.stream(
                self._url,
                data=self._fields(question),
                files={"file": ("clip.wav", file, "audio/wav")},
            ) as response:
                if not response.is_success:
                    return await refusal(response)
                body = await response.aread()
        except httpx.HTTPError as error:
            return lost(error)
        try:
            text = json.loads(body)["text"]
        except (ValueError, LookupError, TypeError):
            return Failure("the server sent no transcript: expected a JSON object with a text")
        return Answer(response=str(text), total_s=time.monotonic() - began_at)
