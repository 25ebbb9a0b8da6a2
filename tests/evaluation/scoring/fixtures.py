"""The oracle files of tests/data/evaluation: our own sentences, and what upstream makes of them."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "data" / "evaluation"

ERROR_RATES = ("wer_en", "wer_fr", "cer_zh", "cer_yue")
TRANSLATIONS = ("bleu_to_en", "bleu_to_de", "bleu_to_zh")
ACCURACIES = ("acc_meld", "acc_vocalsound")
RECORDED = ("recorded_librispeech", "recorded_aishell2", "recorded_covost2")


def fixture(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / f"{name}.json").read_text("utf-8")))


def texts(name: str) -> tuple[list[str], list[str]]:
    """References and answers, of pairs that name them either way."""
    pairs = fixture(name)["pairs"]
    return [pair.get("ref", pair.get("gt")) for pair in pairs], [
        pair.get("hyp", pair.get("response")) for pair in pairs
    ]
