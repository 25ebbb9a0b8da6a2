"""A checkpoint in process says what transformers says of each clip, whatever else is in the batch."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from agent.engine.core import Core
from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes import checkpoint
from evaluation.routes.checkpoint_engines import ParlourEngine
from evaluation.routes.checkpoint_prompt import conversation, raw_text
from evaluation.routes.route import SAMPLE_HZ, Failure, Question
from evaluation.sample import Sample
from tests.agent.engine.speech_models import load, tiny_folder

PROMPTS = ("", "What is this?", "Detect the language and recognize the speech: <|en|>")


def question(seed: int, seconds: float, prompt: str = "") -> Question:
    """Noise, with more in it than 16 bits hold: as a clip that was resampled."""
    pcm = np.random.default_rng(seed).normal(0, 0.1, round(seconds * SAMPLE_HZ)).astype(np.float32)
    sample = Sample(
        sample_id=str(seed), benchmark="any", audio="a.wav", source="any", prompt=prompt, reference=""
    )
    return Question(sample, pcm)


MIXED = [question(seed, 0.3 + 0.61 * seed, PROMPTS[seed % 3]) for seed in range(6)]


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint, eager to end its answers, and by the token that is the padding, too."""
    folder = tmp_path_factory.mktemp("brief")
    loaded = load(tiny_folder())
    end, padding = loaded.processor.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    with torch.no_grad():
        head = loaded.model.lm_head.weight
        head[padding] = head[end] * 1.6
        head[end] = 0
    loaded.model.save_pretrained(folder)
    loaded.processor.save_pretrained(folder)
    return folder


def route(folder: Path, *arguments: str) -> checkpoint.CheckpointRoute:
    parser = argparse.ArgumentParser()
    checkpoint.add_arguments(parser)
    return checkpoint.route(parser.parse_args(["--checkpoint", str(folder), "--threads", "1", *arguments]))


async def responses(folder: Path, questions: Sequence[Question], *arguments: str) -> list[str]:
    """Asked in batches as large as the route wants them."""
    said = []
    async with route(folder, *arguments) as asked:
        for start in range(0, len(questions), asked.batch_size):
            for outcome in await asked.ask(questions[start : start + asked.batch_size]):
                assert isinstance(outcome, Answer)
                said.append(outcome.response)
    return said


@pytest.mark.parametrize("prompt_format", ["raw", "chat"])
async def test_a_batch_gets_the_answers_of_generate(brief: Path, prompt_format: str) -> None:
    format_ = ("--prompt-format", prompt_format)
    alone = await responses(brief, MIXED, *format_, "--engine", "transformers", "--batch-size", "1")
    for batch in (("--engine", "transformers", "--batch-size", "6"), ("--batch-size", "4")):
        assert await responses(brief, MIXED, *format_, *batch) == alone
    assert len(set(alone)) == len(alone)


async def test_an_answer_has_a_token_at_least(brief: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`min_new_tokens=1`, where the model would rather say nothing."""
    lengths = {}
    for barred in (True, False):
        async with route(brief, "--prompt-format", "chat") as asked:
            if not barred:
                engine = asked._engine
                assert isinstance(engine, ParlourEngine)
                engine._sampling = replace(engine._sampling, never_first=())
            outcomes = await asked.ask(MIXED)
        lengths[barred] = [outcome.output_tokens for outcome in outcomes if isinstance(outcome, Answer)]
    assert min(length or 0 for length in lengths[True]) >= 1
    assert min(length or 0 for length in lengths[False]) == 0


async def test_what_is_over_thirty_seconds_is_not_heard_and_said_so() -> None:
    long = question(1, 31.0)
    cut = Question(long.sample, long.pcm[: 30 * SAMPLE_HZ])
    async with route(tiny_folder(), "--batch-size", "2") as asked:
        whole, heard = await asked.ask([long, cut])
    assert isinstance(whole, Answer)
    assert isinstance(heard, Answer)
    assert (whole.response, whole.heard_s) == (heard.response, 30.0)


async def test_one_that_cannot_be_asked_fails_alone() -> None:
    fine = question(1, 0.5)
    unusable = [question(2, 0.05), question(3, 0.5, "<|AUDIO|> or <|AUDIO|>?"), question(4, 0.5, "x" * 9000)]
    async with route(tiny_folder()) as asked:
        before, *failures, after = await asked.ask([fine, *unusable, fine])
    assert isinstance(before, Answer)
    assert isinstance(after, Answer)
    assert before.response == after.response
    assert all(isinstance(failure, Failure) and not failure.is_transient for failure in failures)
    assert [failure.message for failure in failures if isinstance(failure, Failure)] == [
        "a clip of 50 ms: expected at least 100 ms",
        "the prompt has 2 places for a clip: expected one",
        "the prompt takes 9081 tokens: expected at most 7936",
    ]


async def test_a_run_that_is_given_up_does_not_wait_for_its_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    asked = route(tiny_folder(), "--prompt-format", "raw")
    original = Core.step

    def step(core: Core) -> object:
        steps.append(1)
        if len(steps) == 3 and asked._engine is not None:
            asked._engine.stop()
        return original(core)

    monkeypatch.setattr(Core, "step", step)
    async with asked:
        [outcome] = await asked.ask([question(1, 0.5)])
    assert outcome == Failure("the run was stopped")
    assert len(steps) < 10


async def test_the_description_holds_what_is_effective_and_which_weights(brief: Path) -> None:
    async with route(brief) as one, route(tiny_folder()) as other:
        ours, theirs = one.description(), other.description()
    assert ours["repetition_penalty"] == 1.1, "the checkpoint's own"
    assert (ours["do_sample"], ours["max_new_tokens"], ours["min_new_tokens"]) == (False, 256, 1)
    assert (ours["batch_size"], ours["dtype"], ours["engine"]) == (8, "float32", "parlour")
    assert ours["model_sha256"] != theirs["model_sha256"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Qwen/Qwen2-Audio-7B", "raw"),
        ("/models/Qwen2-Audio-7B/", "raw"),
        ("x/Qwen2-Audio-7B-Instruct", "chat"),
    ],
)
def test_the_base_model_gets_no_template(name: str, expected: str) -> None:
    asked = route(Path(name))
    assert asked.description()["prompt_format"] == expected
    shown = json.loads(asked.request_shown(question(1, 2.5, PROMPTS[2])))
    assert shown["audio"] == "2.50 s at 16000 Hz"
    assert ("text" in shown) == (expected == "raw")


def test_prompts_are_as_upstream_writes_them() -> None:
    assert raw_text("Say: <|en|>") == "<|audio_bos|><|AUDIO|><|audio_eos|>Say: <|en|>"
    system = {"role": "system", "content": "You are a helpful assistant."}
    own = "<|audio_bos|><|AUDIO|><|audio_eos|>\nWho speaks?"
    assert conversation(own) == [system, {"role": "user", "content": own}]
    assert conversation("") == [system, {"role": "user", "content": [{"type": "audio", "audio": ""}]}]


@pytest.fixture
def demanding(brief: Path, tmp_path: Path) -> Path:
    settings = json.loads((brief / "generation_config.json").read_text())
    for file in brief.iterdir():
        if file.name != "generation_config.json":
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / "generation_config.json").write_text(json.dumps({**settings, "no_repeat_ngram_size": 3}))
    return tmp_path


async def test_a_checkpoint_that_asks_for_more_than_the_engine_can_do_is_refused(demanding: Path) -> None:
    with pytest.raises(EvaluationError, match=r"sets no_repeat_ngram_size.*--engine transformers"):
        async with route(demanding):
            pass


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--batch-size", "0"), "--batch-size is 0: expected 1 or more."),
        (("--threads", "-1"), "--threads is -1: expected 0 for all cores, or more."),
    ],
)
def test_options_that_cannot_be_used_are_one_sentence(arguments: tuple[str, str], sentence: str) -> None:
    with pytest.raises(EvaluationError) as refused:
        route(Path("x"), *arguments)
    assert str(refused.value) == sentence


async def test_a_folder_without_a_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"^The checkpoint lacks .*config.json: download it again.$"):
        async with route(tmp_path):
            pass
