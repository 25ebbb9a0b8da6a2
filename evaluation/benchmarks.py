"""Every benchmark that can be run: what is asked, how it is scored, how many clips there are.

A benchmark has parts; a part is what gets one figure, and mostly one cell of the published tables. Prompts
are those of the checkpoint's training ("Detect the language and recognize the speech: <|en|>"): another
wording is another experiment. Clip counts are those of the data as published, None where nobody states one.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import msgspec

from evaluation.errors import EvaluationError

Task = Literal["asr", "s2tt", "ser", "vsc", "chat", "sound", "spoken"]
"""Recognition, translation of speech, emotion, vocal sounds, chat about a clip, other sounds, questions that
are spoken."""

_ASR_METRICS = {"en": "wer_en", "fr": "wer_fr", "zh": "cer_zh", "yue": "cer_yue"}
_WITHOUT_SPACES = ("ja", "th", "lo", "my", "km")
"""Written languages that are compared by characters, beside the Chinese ones."""
_CALLED = {"en": "English", "de": "German", "zh": "Mandarin"}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is scored together.

    source: its name in results; upstream's, where that is known. pattern: what the name that a file gives it
    holds, as a regular expression, "" for anything. language: that is spoken. metric: a name of
    scoring/metrics.py. subset: of the published tables; two parts of one make its figure by their plain mean.
    """

    source: str
    prompt: str
    metric: str
    language: str = ""
    pattern: str = ""
    n_clips: int | None = None
    subset: str = ""


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """What `parlour eval run NAME` runs.

    labels: all right answers that there are, as the references spell them; () for free text. dataset: its
    name in the published tables. jsonl: upstream's names of its file. layout: how its makers lay it out, in
    words. folder: where an installed package keeps it. packages: of Debian, that bring it.
    """

    name: str
    title: str
    task: Task
    parts: tuple[Part, ...]
    labels: tuple[str, ...] = ()
    dataset: str = ""
    jsonl: tuple[str, ...] = ()
    layout: str = ""
    folder: str = ""
    packages: tuple[str, ...] = ()

    def part(self, source: str) -> Part:
        """The part that a file calls `source`. Raises EvaluationError, which names those that there are."""
        return _part(self, source)

    def metric(self, source: str) -> str:
        return self.part(source).metric

    def prompt(self, source: str) -> str:
        return self.part(source).prompt

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.language for part in self.parts if part.language))

    def __hash__(self) -> int:
        return hash(self.name)


@lru_cache(maxsize=4096)
def _part(benchmark: Benchmark, source: str) -> Part:
    for part in benchmark.parts:
        if part.source == source:
            return part
    alike = source.replace("-", "_").lower()
    for part in benchmark.parts:
        if re.search(part.pattern, alike):
            return part
    known = ", ".join(part.source for part in benchmark.parts)
    raise EvaluationError(f"expected a source of {benchmark.name} ({known}), got {source!r}")


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name or of upstream's. Raises EvaluationError, which lists all."""
    found = BENCHMARKS.get(_ALSO_CALLED.get(name, name))
    if found is None:
        raise EvaluationError(f"there is no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    return found


def asr_metric(language: str) -> str:
    """How recognition is scored: errors over words, or over characters where no spaces are written."""
    return _ASR_METRICS.get(language, f"{'cer' if language in _WITHOUT_SPACES else 'wer'}_{language}")


def asr_prompt(language: str) -> str:
    return f"Detect the language and recognize the speech: <|{language}|>"


def s2tt_prompt(spoken: str, written: str) -> str:
    """The tag is of the spoken language, the name of the written one."""
    return f"Detect the language and translate the speech into {_CALLED[written]}: <|{spoken}|>"


# The published tables -----------------------------------------------------------------


def _asr(source: str, language: str, subset: str = "", pattern: str = "", n_clips: int | None = None) -> Part:
    return Part(
        source=source,
        prompt=asr_prompt(language),
        metric=asr_metric(language),
        language=language,
        pattern=pattern,
        n_clips=n_clips,
        subset=subset,
    )


def _librispeech() -> Benchmark:
    n_clips = {"dev-clean": 2703, "dev-other": 2864, "test-clean": 2620, "test-other": 2939}
    return Benchmark(
        name="librispeech",
        title="LibriSpeech",
        task="asr",
        parts=tuple(
            _asr(f"librispeech_{name}", "en", split, name, n)
            for split, n in n_clips.items()
            for name in [split.replace("-", "_")]
        ),
        dataset="librispeech",
        jsonl=("librispeech_eval.jsonl",),
        layout="LibriSpeech/test-clean/1089/134686/1089-134686.trans.txt with the .flac files beside it",
    )


def _common_voice(language: str, locale: str) -> Benchmark:
    return Benchmark(
        name=f"cv15_{language}",
        title=f"Common Voice 15, {language}",
        task="asr",
        parts=(_asr(f"cv15_{language}", language, language),),
        dataset="common_voice_15",
        jsonl=(f"cv15_asr_{language}_eval.jsonl",),
        layout=f"cv-corpus-15.0-2023-09-08/{locale}/test.tsv with clips/ beside it",
    )


def _fleurs_zh() -> Benchmark:
    return Benchmark(
        name="fleurs_zh",
        title="Fleurs, zh",
        task="asr",
        parts=(_asr("fleurs_zh_test", "zh", "zh", n_clips=945),),
        dataset="fleurs",
        jsonl=("fleurs_asr_zh_eval.jsonl",),
        layout="cmn_hans_cn/test.tsv with audio/test/ beside it",
    )


def _aishell2() -> Benchmark:
    return Benchmark(
        name="aishell2",
        title="AISHELL-2",
        task="asr",
        parts=tuple(
            _asr(f"aishell2_{channel}_test", "zh", channel, f"(?:^|_){channel}", 5000)
            for channel in ("mic", "ios", "android")
        ),
        dataset="aishell2",
        jsonl=("aishell2_eval.jsonl",),
        layout="iOS/test/wav.scp with trans.txt beside it, likewise Mic and Android",
    )


def _covost2() -> Benchmark:
    n_clips = {
        ("en", "de"): 15_531,
        ("de", "en"): 13_511,
        ("en", "zh"): 15_531,
        ("zh", "en"): 4_898,
        ("es", "en"): 13_221,
        ("fr", "en"): 14_760,
        ("it", "en"): 8_951,
    }
    return Benchmark(
        name="covost2",
        title="CoVoST 2",
        task="s2tt",
        parts=tuple(
            Part(
                source=f"covost_v2_{spoken}_{written}_test",
                prompt=s2tt_prompt(spoken, written),
                metric=f"bleu_to_{written}",
                language=spoken,
                pattern=rf"(?:^|_){spoken}(?:_cn)?_{written}(?:_|$)",
                n_clips=n,
                subset=f"{spoken}-{written}",
            )
            for (spoken, written), n in n_clips.items()
        ),
        dataset="covost2",
        jsonl=("covost2_eval.jsonl",),
        layout="covost_v2.en_de.test.tsv (or covost_v2.en_de.tsv), and Common Voice 4's clips",
    )


def _meld() -> Benchmark:
    part = Part(
        source="meld_test",
        prompt="Recognize the emotion with keywords in English:",
        metric="acc_meld",
        language="en",
        n_clips=2610,
        subset="test",
    )
    return Benchmark(
        name="meld",
        title="MELD",
        task="ser",
        parts=(part,),
        labels=("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust"),
        dataset="meld",
        jsonl=("meld_eval.jsonl",),
        layout="test_sent_emo.csv with output_repeated_splits_test/dia0_utt0.mp4",
    )


def _vocalsound() -> Benchmark:
    part = Part(
        source="vocalsound_test",
        prompt="Classify the human vocal sound to VocalSound in English:",
        metric="acc_vocalsound",
        n_clips=3594,
        subset="test",
    )
    return Benchmark(
        name="vocalsound",
        title="VocalSound",
        task="vsc",
        parts=(part,),
        labels=("Laughter", "Sigh", "Cough", "Throat clearing", "Sneeze", "Sniff"),
        dataset="vocalsound",
        jsonl=("vocalsound_eval.jsonl",),
        layout="datafiles/te.json with audio_16k/",
    )


def _airbench_chat() -> Benchmark:
    """The mixed figure is the plain mean of its two parts' figures; the others take two tasks together."""
    subsets = {
        "speech_and_sound": "mixed",
        "speech_and_music": "mixed",
        "speech": "speech",
        "sound": "sound",
        "music": "music",
    }
    return Benchmark(
        name="airbench_chat",
        title="AIR-Bench chat",
        task="chat",
        parts=tuple(
            Part(
                source=f"airbench_chat_{group}",
                prompt="",
                metric="judge_airbench",
                pattern=rf"(?:^|_){group}(?:_|$)",
                subset=subset,
            )
            for group, subset in subsets.items()
        ),
        dataset="airbench_chat",
        jsonl=("airbench_level_3_eval.jsonl", "airbench-level-3.jsonl"),
        layout="Chat_meta.json with a folder for each {task_name}_{dataset_name}",
    )


def _voicebench(task: str, metric: str, n_clips: int) -> Benchmark:
    """The question is the clip, and nothing is asked beside it: voice chat."""
    part = Part(source=f"voicebench_{task}", prompt="", metric=metric, language="en", n_clips=n_clips)
    return Benchmark(
        name=f"voicebench_{task}",
        title=f"VoiceBench, {task}",
        task="spoken",
        parts=(part,),
        layout="samples.jsonl, as `parlour eval speech convert` makes it of the published Parquet",
    )


# What anybody can install, and one's own ----------------------------------------------


def _asterisk(language: str, n_clips: int) -> Benchmark:
    return Benchmark(
        name=f"asterisk_{language}",
        title=f"Asterisk's prompts, {language}",
        task="asr",
        parts=(_asr(f"asterisk_{language}", language, n_clips=n_clips),),
        layout=f"{language}/*.g722 with core-sounds-{language}.txt",
        folder="/usr/share/asterisk/sounds",
        packages=(f"asterisk-core-sounds-{language}", f"asterisk-core-sounds-{language}-g722"),
    )


SONIC_PI_LABELS = (
    *("bass", "bass drum", "bell", "burp", "choir", "cowbell", "crow", "cymbal", "door", "glass", "guitar"),
    *("piano", "robot", "snare drum", "tabla", "telephone", "tom", "vinyl record"),
)


def _sonic_pi() -> Benchmark:
    part = Part(
        source="sonic_pi",
        prompt=f"What makes this sound? Answer with one of these alone: {', '.join(SONIC_PI_LABELS)}.",
        metric="acc_sonic_pi",
        n_clips=99,
    )
    return Benchmark(
        name="sonic_pi",
        title="Sonic Pi's samples",
        task="sound",
        parts=(part,),
        labels=SONIC_PI_LABELS,
        layout="files named by kind, as misc_crow.flac",
        folder="/usr/share/sonic-pi/samples",
        packages=("sonic-pi-samples",),
    )


_CUSTOM_LANGUAGES = (
    *_ASR_METRICS,
    *("ar", "bg", "ca", "cs", "da", "de", "el", "es", "et", "fa", "fi", "he", "hi", "hr", "hu", "id", "it"),
    *("ja", "ko", "lt", "lv", "ms", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "th", "tr"),
    *("uk", "vi"),
)
_CUSTOM_LAYOUT = "a .jsonl, .csv or .tsv file with the columns audio and text (and prompt, speaker, language)"


def _custom() -> Benchmark:
    """Recognition, scored by each line's language, which its source ends with."""
    return Benchmark(
        name="custom",
        title="Your own data",
        task="asr",
        parts=tuple(_asr(f"custom_{tag}", tag, pattern=f"_{tag}$") for tag in _CUSTOM_LANGUAGES),
        layout=_CUSTOM_LAYOUT,
    )


def _custom_scored_by(
    metric: str, task: Task, language: str, prompt: str, labels: tuple[str, ...] = ()
) -> Benchmark:
    """One score for all lines, whatever their source is called."""
    name = f"custom_{metric}"
    return Benchmark(
        name=name,
        title=f"Your own data, by {metric}",
        task=task,
        parts=(Part(source=name, prompt=prompt, metric=metric, language=language),),
        labels=labels,
        layout=_CUSTOM_LAYOUT,
    )


def _all() -> dict[str, Benchmark]:
    published = (
        _librispeech(),
        _common_voice("en", "en"),
        _common_voice("zh", "zh-CN"),
        _common_voice("yue", "yue"),
        _common_voice("fr", "fr"),
        _fleurs_zh(),
        _aishell2(),
        _covost2(),
        _meld(),
        _vocalsound(),
        _airbench_chat(),
    )
    spoken = (
        _voicebench("openbookqa", "acc_mcq_voicebench", 455),
        _voicebench("mmsu", "acc_mcq_voicebench", 3074),
        _voicebench("bbh", "acc_bbh_voicebench", 1000),
        _voicebench("ifeval", "ifeval", 345),
        _voicebench("advbench", "refusal_rate", 520),
    )
    n_asterisk = {"en": 192, "fr": 200, "es": 201, "it": 172, "ru": 177}
    installed = (*(_asterisk(language, n) for language, n in n_asterisk.items()), _sonic_pi())
    own = (
        _custom(),
        *(_custom_scored_by(name, "asr", tag, asr_prompt(tag)) for tag, name in _ASR_METRICS.items()),
        *(_custom_scored_by(f"bleu_to_{tag}", "s2tt", "", "") for tag in ("en", "de", "zh")),
        *(
            _custom_scored_by(f"acc_{one.name}", one.task, "", one.parts[0].prompt, one.labels)
            for one in (_meld(), _vocalsound())
        ),
    )
    return {one.name: one for one in (*published, *spoken, *installed, *own)}


BENCHMARKS: Mapping[str, Benchmark] = _all()
_ALSO_CALLED = {"fluers_zh": "fleurs_zh", "airbench_level3": "airbench_chat"}
