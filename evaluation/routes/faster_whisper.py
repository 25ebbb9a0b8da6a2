"""The comparator of the Whisper rows: faster-whisper in this process, one clip at a time.

A folder with a CTranslate2 model, or the name of one that an installed package brings (`tiny.en`, `base`):
nothing is fetched. Temperature is 0 without a fallback, so that a run can be repeated.
"""

import argparse
import asyncio
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from agent.models.files import ModelFile, ModelFileError, verified
from agent.models.manifest import WHISPER_BASE, WHISPER_TINY_EN
from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes.route import SAMPLE_HZ, Failure, Question

INSTALLED: Mapping[str, Mapping[str, Sequence[ModelFile]]] = {
    "tiny.en": WHISPER_TINY_EN,
    "base": WHISPER_BASE,
}
BEAM_SIZE = 5
_NEEDED = ("config.json", "model.bin", "tokenizer.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", default="base", help=f"a folder, or {' or '.join(INSTALLED)} (default: %(default)s)")
    add("--beam-size", type=int, default=BEAM_SIZE, help="default: %(default)s, as faster-whisper")
    add("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    add("--compute-type", default="int8", help="CTranslate2's: int8, float16, float32 (default: %(default)s)")
    add("--threads", type=int, default=0, help="of the CPU (default: all)")
    add("--detect-language", action="store_true", help="do not tell it which language is spoken")


def route(options: argparse.Namespace) -> "FasterWhisper":
    return FasterWhisper(
        options.model,
        beam_size=options.beam_size,
        device=options.device,
        compute_type=options.compute_type,
        threads=options.threads,
        tells_language=not options.detect_language,
    )


class FasterWhisper:
    """A Route. Entering it loads the model. Raises EvaluationError for one that cannot be used."""

    batch_size = 1
    in_flight_max = 1

    def __init__(
        self,
        model: str,
        *,
        beam_size: int = BEAM_SIZE,
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int = 0,
        tells_language: bool = True,
    ) -> None:
        self._name = model
        self._beam_size = beam_size
        self._device = device
        self._compute_type = compute_type
        self._threads = threads or os.cpu_count() or 1
        self._tells_language = tells_language
        self._weights_sha256 = ""
        self._model: Any = None

    async def __aenter__(self) -> "FasterWhisper":
        await asyncio.to_thread(self._load)
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._model = None

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        return {
            "route": "faster-whisper",
            "model": self._name,
            "weights_sha256": self._weights_sha256,
            "faster-whisper": metadata.version("faster-whisper"),
            "ctranslate2": metadata.version("ctranslate2"),
            "device": self._device,
            "compute_type": self._compute_type,
            "beam_size": self._beam_size,
            "temperature": 0.0,
            "tells_language": self._tells_language,
        }

    def request_shown(self, question: Question) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options(question).items())
        return f"transcribe({len(question.pcm) / SAMPLE_HZ:.2f} s of audio, {options})"

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        return [await asyncio.to_thread(self._answered, question) for question in questions]

    def _options(self, question: Question) -> dict[str, object]:
        language = question.sample.language if self._tells_language else ""
        return {
            "language": language or None,
            "beam_size": self._beam_size,
            "temperature": 0.0,
            "condition_on_previous_text": False,
            "vad_filter": False,
        }

    def _answered(self, question: Question) -> Answer | Failure:
        began_at = time.monotonic()
        try:
            segments, _ = self._model.transcribe(question.pcm, **self._options(question))
            text = "".join(segment.text for segment in segments)
        except (RuntimeError, ValueError) as error:  # CTranslate2: no memory; a language that it has not
            return Failure(f"faster-whisper failed: {error}")
        return Answer(
            response=text.strip(),
            total_s=time.monotonic() - began_at,
            heard_s=len(question.pcm) / SAMPLE_HZ,
        )

    def _load(self) -> None:
        try:
            from faster_whisper import WhisperModel
        except ModuleNotFoundError:
            raise EvaluationError(
                "faster-whisper is not installed: pip install 'parlour[embedded]'"
            ) from None
        files = _installed(self._name) if self._name in INSTALLED else None
        folder = Path(self._name)
        if files is None:
            missing = [name for name in _NEEDED if not (folder / name).is_file()]
            if missing:
                raise EvaluationError(
                    f"--model {self._name} is no CTranslate2 model ({', '.join(missing)} missing): expected "
                    f"a folder, or {' or '.join(INSTALLED)}"
                )
        self._weights_sha256 = (
            hashlib.sha256(files["model.bin"]).hexdigest() if files else _sha256(folder / "model.bin")
        )
        try:
            self._model = WhisperModel(
                self._name if files else str(folder),
                device=self._device,
                compute_type=self._compute_type,
                cpu_threads=self._threads,
                files=files,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:
            raise EvaluationError(f"--model {self._name} cannot be loaded: {error}") from None


def _installed(name: str) -> dict[str, bytes]:
    try:
        return {
            file: b"".join(verified(part).read_bytes() for part in parts)
            for file, parts in INSTALLED[name].items()
        }
    except ModelFileError as error:
        raise EvaluationError(str(error)) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
