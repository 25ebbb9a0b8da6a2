"""faster-whisper as a comparator, with the model that the embedded default brings."""

from pathlib import Path

import numpy as np
import pytest

from agent.models.files import present
from agent.models.manifest import WHISPER_TINY_EN
from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes.faster_whisper import FasterWhisper
from evaluation.routes.route import Question
from evaluation.sample import Sample
from tests.speech import utterances


@pytest.mark.models
async def test_it_recognises_speech_and_says_with_which_weights() -> None:
    pytest.importorskip("faster_whisper")
    if not present(part for parts in WHISPER_TINY_EN.values() for part in parts):
        pytest.skip("the packages of models.txt are not installed")
    spoken = next(one for one in utterances() if one.language == "en" and one.transcript)
    sample = Sample(
        sample_id="1", benchmark="b", audio="", source="s", prompt="", reference="", language="en"
    )
    pcm = np.frombuffer(spoken.pcm16k, "<i2").astype(np.float32) / 32768
    async with FasterWhisper("tiny.en", beam_size=1, threads=2) as route:
        [outcome] = await route.ask([Question(sample, pcm)])
        assert route.description()["weights_sha256"] == WHISPER_TINY_EN["model.bin"][0].sha256
    assert isinstance(outcome, Answer)
    said, expected = (set(text.lower().strip(".").split()) for text in (outcome.response, spoken.transcript))
    assert len(said & expected) > len(expected) / 2


async def test_a_folder_that_is_no_model_is_told_with_what_it_lacks(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    (tmp_path / "config.json").write_text("{}")
    route = FasterWhisper(str(tmp_path))
    with pytest.raises(EvaluationError, match=r"model\.bin, tokenizer\.json missing"):
        await route.__aenter__()
