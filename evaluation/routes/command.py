"""Any program that reads our list of samples and writes answers: a comparator in its own environment.

A batch's samples are its standard input, one JSON object a line (sample.py, without the reference). It
writes one JSON object a line, in any order: `sample_id` and `response`, or `sample_id` and `error`; the other
fields of an answer (record.py) where it knows them. It is started anew for each batch.
"""

import argparse
import asyncio
import shlex
import signal
from collections.abc import Mapping, Sequence

import msgspec

from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes.route import SAMPLE_HZ, Failure, Question

BATCH_SIZE = 100
LINE_BYTES_MAX = 1 << 20


class _Line(msgspec.Struct, frozen=True):
    """What the program writes. A whole record of ours does, too."""

    sample_id: str
    response: str | None = None
    error: str = ""
    answer: Answer | None = None
    finish_reason: str = "stop"
    output_tokens: int | None = None
    ttft_s: float | None = None
    total_s: float | None = None
    heard_s: float | None = None
    measures: Mapping[str, float] = {}

    def outcome(self) -> Answer | Failure:
        if self.answer is not None:
            return self.answer
        if self.response is None:
            return Failure(self.error or "the command's line has neither a response nor an error")
        return Answer(
            response=self.response,
            finish_reason=self.finish_reason,
            output_tokens=self.output_tokens,
            ttft_s=self.ttft_s,
            total_s=self.total_s,
            heard_s=self.heard_s,
            measures=self.measures,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--command", required=True, help="the program with its arguments, in one word for the shell")
    add("--model", default="", help="what it is called in the report (default: the command)")
    add(
        "--batch-size",
        type=int,
        default=BATCH_SIZE,
        help="samples that one start of the program answers (default: %(default)s)",
    )


def route(options: argparse.Namespace) -> "Command":
    try:
        words = shlex.split(options.command)
    except ValueError as error:
        raise EvaluationError(f"--command cannot be read: {error}") from None
    return Command(words, options.model or options.command, options.batch_size)


class Command:
    """A Route. words: the program and its arguments."""

    in_flight_max = 1

    def __init__(self, words: Sequence[str], model: str, batch_size: int = BATCH_SIZE) -> None:
        if not words:
            raise EvaluationError("--command is empty: expected a program")
        if batch_size < 1:
            raise EvaluationError(f"--batch-size is {batch_size}: expected at least 1")
        self._words = list(words)
        self._model = model
        self.batch_size = batch_size

    async def __aenter__(self) -> "Command":
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Nothing is open between two batches."""

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        return {
            "route": "command",
            "command": shlex.join(self._words),
            "model": self._model,
            "batch_size": self.batch_size,
        }

    def request_shown(self, question: Question) -> str:
        return f"{shlex.join(self._words)}\n{_line(question).decode().rstrip()}"

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        """Raises EvaluationError where there is no such program: no sample could be asked."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES_MAX,
            )
        except OSError as error:
            raise EvaluationError(f"{self._words[0]} cannot be started ({error.strerror})") from None
        try:
            written, _ = await process.communicate(b"".join(map(_line, questions)))
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        outcomes, fault = _outcomes(written)
        if not fault:
            fault = "the command wrote no line for this sample"
            if process.returncode:
                fault = f"the command ended with {_ending(process.returncode)} before this sample's line"
        return [outcomes.get(question.sample.sample_id, Failure(fault)) for question in questions]


def _line(question: Question) -> bytes:
    fields = msgspec.structs.asdict(question.sample)
    del fields["reference"]
    return msgspec.json.encode(fields | {"audio_s": len(question.pcm) / SAMPLE_HZ}) + b"\n"


def _outcomes(written: bytes) -> tuple[dict[str, Answer | Failure], str]:
    """By sample, and what is wrong with the first line that cannot be read, or ""."""
    decoder = msgspec.json.Decoder(_Line)
    outcomes: dict[str, Answer | Failure] = {}
    fault = ""
    for number, line in enumerate(written.splitlines(), 1):
        if not line.strip():
            continue
        try:
            read = decoder.decode(line)
        except msgspec.MsgspecError as error:
            fault = fault or f"line {number} of the command's output is no answer: {error}"
            continue
        outcomes[read.sample_id] = read.outcome()
    return outcomes, fault


def _ending(status: int) -> str:
    if status > 0:
        return f"exit code {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
