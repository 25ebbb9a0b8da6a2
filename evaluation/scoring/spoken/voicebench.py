"""VoiceBench's tasks that need no judge: which metrics score them, and how Qwen2-Audio did.

VoiceBench (Chen et al. 2024, arXiv:2410.17196; MatthewCYM/VoiceBench, Apache-2.0): questions are spoken,
answers are scored as text. AlpacaEval, CommonEval, WildVoice and SD-QA are left out: a judge model scores
them.
"""

from collections.abc import Mapping

import msgspec

from evaluation.scoring.metric import Metric
from evaluation.scoring.spoken.accuracy import ChoiceAccuracy, RefusalRate, read_letter, read_verdict
from evaluation.scoring.spoken.ifeval.metric import IfEval


class SpokenTask(msgspec.Struct, frozen=True, kw_only=True):
    """metrics: the first is the headline, as VoiceBench defines it. n_samples: of the published set.

    qwen2_audio: the published row of Qwen2-Audio in percent (VoiceBench's README of 2025), by the headline.
    """

    name: str
    metrics: tuple[str, ...]
    n_samples: int
    qwen2_audio: float


_METRICS: tuple[Metric, ...] = (
    ChoiceAccuracy("acc_mcq", read_letter),
    ChoiceAccuracy("acc_mcq_voicebench", read_letter, chance=1 / 4),
    ChoiceAccuracy("acc_bbh", read_verdict),
    ChoiceAccuracy("acc_bbh_voicebench", read_verdict, chance=1 / 2),
    RefusalRate(),
    *(
        IfEval(rate)
        for rate in ("", "prompt_strict", "instruction_strict", "prompt_loose", "instruction_loose")
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _METRICS}

_CHOICE = ("acc_mcq_voicebench", "acc_mcq")
TASKS: Mapping[str, SpokenTask] = {
    task.name: task
    for task in (
        SpokenTask(name="openbookqa", metrics=_CHOICE, n_samples=455, qwen2_audio=49.45),
        SpokenTask(name="mmsu", metrics=_CHOICE, n_samples=3074, qwen2_audio=35.72),
        SpokenTask(name="bbh", metrics=("acc_bbh_voicebench", "acc_bbh"), n_samples=1000, qwen2_audio=54.70),
        SpokenTask(
            name="ifeval",
            metrics=tuple(name for name in METRICS if name.startswith("ifeval")),
            n_samples=345,
            qwen2_audio=26.33,
        ),
        SpokenTask(name="advbench", metrics=("refusal_rate",), n_samples=520, qwen2_audio=96.73),
    )
}
