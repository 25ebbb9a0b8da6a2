"""Any program that reads samples and writes answers, started as a real process."""

import sys

import numpy as np
import pytest

from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes.command import Command
from evaluation.routes.route import Failure, Question
from evaluation.sample import Sample

QUESTIONS = [
    Question(
        Sample(
            sample_id=name, benchmark="b", audio=f"/{name}.wav", source="s", prompt="?", reference="secret"
        ),
        np.zeros(1_600, np.float32),
    )
    for name in "abc"
]


async def _outcomes(program: str) -> list[Answer | Failure]:
    async with Command([sys.executable, "-c", f"import json, sys\n{program}"], "it") as route:
        return await route.ask(QUESTIONS)


async def test_answers_belong_to_their_samples_in_whatever_order_they_come() -> None:
    outcomes = await _outcomes(
        "for line in reversed(list(sys.stdin)):\n"
        "    sample = json.loads(line)\n"
        "    told = f\"{sample['audio']} {sample['audio_s']} {'reference' in sample}\"\n"
        "    print(json.dumps({'sample_id': sample['sample_id'], 'response': told, 'ttft_s': 0.5}))"
    )
    assert outcomes == [Answer(response=f"/{name}.wav 0.1 False", ttft_s=0.5) for name in "abc"]


async def test_errors_missing_lines_and_whole_records_are_taken() -> None:
    outcomes = await _outcomes(
        "print(json.dumps({'sample_id': 'a', 'error': 'too long'}))\n"
        "print()\n"
        "print(json.dumps({'sample_id': 'c', 'key': 'k', 'answer': {'response': 'yes'}}))"
    )
    assert outcomes == [
        Failure("too long"),
        Failure("the command wrote no line for this sample"),
        Answer(response="yes"),
    ]


@pytest.mark.parametrize(
    ("ending", "fault"),
    [
        ("print('Loading model...')", "line 2 of the command's output is no answer"),
        ("sys.exit(3)", "the command ended with exit code 3 before this sample's line"),
        ("import os; sys.stdout.flush(); os.kill(os.getpid(), 9)", "the command ended with SIGKILL"),
    ],
)
async def test_what_a_program_leaves_unanswered_says_why(ending: str, fault: str) -> None:
    first, second, _ = await _outcomes(
        f"print(json.dumps({{'sample_id': 'a', 'response': 'yes'}}))\n{ending}"
    )
    assert first == Answer(response="yes")
    assert isinstance(second, Failure)
    assert second.message.startswith(fault)


async def test_a_program_that_is_not_there_ends_the_run() -> None:
    async with Command(["/no/such/program"], "it") as route:
        with pytest.raises(EvaluationError, match="/no/such/program cannot be started"):
            await route.ask(QUESTIONS)


async def test_a_program_that_reads_nothing_is_no_trouble() -> None:
    outcomes = await _outcomes("sys.stdin.close()")
    assert all(isinstance(outcome, Failure) for outcome in outcomes)


def test_a_request_is_shown_as_the_line_that_it_gets() -> None:
    shown = Command(["asr", "--fast it"], "it").request_shown(QUESTIONS[0])
    assert shown.startswith("asr '--fast it'\n{")
    assert '"sample_id":"a"' in shown
    assert "secret" not in shown
