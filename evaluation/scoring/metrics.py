"""Every metric by its name: upstream's, their second opinions, and those of any other language.

wer_en wer_fr cer_zh cer_yue              upstream's error rates
bleu_to_en bleu_to_de bleu_to_zh          upstream's BLEU
acc_meld acc_vocalsound                   upstream's accuracy
…_raw                                     error rates of the texts as they are written
…_basic                                   without rules for numbers, contractions and spellings
…_lenient                                 forgiving: case, punctuation, spaces of labels; é and e in French;
                                          traditional characters and full-width forms in Chinese
chrf_to_…                                 chrF of a translation
acc_sonic_pi                              kinds of sound
acc_mcq acc_bbh refusal_rate ifeval …     VoiceBench's (scoring/spoken)
wer_XX, cer_XX, bleu_to_XX                any other language, by its tag
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final

from evaluation.benchmarks import SONIC_PI_LABELS
from evaluation.errors import EvaluationError
from evaluation.scoring.accuracy import MELD, VOCALSOUND, Accuracy
from evaluation.scoring.as_written import SimplifiedChinese, WrittenCharacters, WrittenWords
from evaluation.scoring.basic import BasicCharacters, BasicWords
from evaluation.scoring.bleu import Bleu
from evaluation.scoring.bleu_tokens import ChineseTokens, JapaneseTokens, WesternTokens
from evaluation.scoring.cantonese import CantoneseCharacters
from evaluation.scoring.chinese import ChineseCharacters
from evaluation.scoring.chrf import ChrF
from evaluation.scoring.english import EnglishWords
from evaluation.scoring.error_rate import ErrorRate
from evaluation.scoring.metric import Metric
from evaluation.scoring.spoken import voicebench

WITHOUT_SPACES: Final = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})
"""Languages that are compared by characters: Whisper's, and Khmer (Radford et al. 2022, appendix D)."""

_MADE: Final[Mapping[str, Callable[[], Metric]]] = {
    "wer_en": lambda: ErrorRate("wer_en", EnglishWords()),
    "wer_fr": lambda: ErrorRate("wer_fr", BasicWords()),
    "cer_zh": lambda: ErrorRate("cer_zh", ChineseCharacters()),
    "cer_yue": lambda: ErrorRate("cer_yue", CantoneseCharacters()),
    "bleu_to_en": lambda: Bleu("bleu_to_en", WesternTokens()),
    "bleu_to_de": lambda: Bleu("bleu_to_de", WesternTokens()),
    "bleu_to_zh": lambda: Bleu("bleu_to_zh", ChineseTokens()),
    "acc_meld": lambda: Accuracy("acc_meld", MELD),
    "acc_vocalsound": lambda: Accuracy("acc_vocalsound", VOCALSOUND),
    "wer_en_raw": lambda: ErrorRate("wer_en_raw", WrittenWords()),
    "wer_en_basic": lambda: ErrorRate("wer_en_basic", BasicWords()),
    "wer_fr_raw": lambda: ErrorRate("wer_fr_raw", WrittenWords()),
    "wer_fr_lenient": lambda: ErrorRate("wer_fr_lenient", BasicWords(folds_diacritics=True)),
    "cer_zh_raw": lambda: ErrorRate("cer_zh_raw", WrittenCharacters()),
    "cer_zh_basic": lambda: ErrorRate("cer_zh_basic", BasicCharacters()),
    "cer_zh_lenient": lambda: ErrorRate("cer_zh_lenient", SimplifiedChinese()),
    "cer_yue_raw": lambda: ErrorRate("cer_yue_raw", WrittenCharacters()),
    "acc_meld_lenient": lambda: Accuracy("acc_meld_lenient", MELD, is_lenient=True),
    "acc_vocalsound_lenient": lambda: Accuracy("acc_vocalsound_lenient", VOCALSOUND, is_lenient=True),
    "acc_sonic_pi": lambda: Accuracy("acc_sonic_pi", SONIC_PI_LABELS),
    "acc_sonic_pi_lenient": lambda: Accuracy("acc_sonic_pi_lenient", SONIC_PI_LABELS, is_lenient=True),
    "chrf_to_en": lambda: ChrF("chrf_to_en"),
    "chrf_to_de": lambda: ChrF("chrf_to_de"),
    "chrf_to_zh": lambda: ChrF("chrf_to_zh"),
}

_OF_ANY_LANGUAGE: Final = re.compile(r"(wer|cer|bleu_to|chrf_to)_([a-z]{2,3})")
_SECOND_OPINIONS: Final = ("_basic", "_lenient", "_raw")


@cache
def metric(name: str) -> Metric:
    """Raises EvaluationError for a name that is none. A metric remembers words: it is made once."""
    if name in _MADE:
        return _MADE[name]()
    if name in voicebench.METRICS:
        return voicebench.METRICS[name]
    of_any_language = _OF_ANY_LANGUAGE.fullmatch(name)
    match of_any_language.groups() if of_any_language else ():
        case ("wer", _):
            return ErrorRate(name, BasicWords(keeps_marks=True))
        case ("cer", _):
            return ErrorRate(name, BasicCharacters(keeps_marks=True))
        case ("bleu_to", "ja"):
            return Bleu(name, JapaneseTokens())
        case ("bleu_to", _):
            return Bleu(name, WesternTokens())
        case ("chrf_to", _):
            return ChrF(name)
    raise EvaluationError(
        f"no metric is called {name!r}; there are {', '.join(_MADE)}, and wer_XX, cer_XX, bleu_to_XX"
    )


def metric_for(language: str) -> Metric:
    """What scores transcripts in a language, by its tag ("en", "de", "pt-BR"; "zh-CN" is "zh")."""
    tag = language.lower().replace("_", "-").partition("-")[0]
    tag = {"cmn": "zh"}.get(tag, tag)
    if not re.fullmatch(r"[a-z]{2,3}", tag):
        raise EvaluationError(f"expected a language's tag such as 'en' or 'pt-BR', got {language!r}")
    return metric(f"{'cer' if tag in WITHOUT_SPACES else 'wer'}_{tag}")


def second_opinions(name: str) -> tuple[str, ...]:
    """The metrics to be shown beside this one, marked by their ending."""
    if name in voicebench.METRICS:
        return next((task.metrics[1:] for task in voicebench.TASKS.values() if task.metrics[0] == name), ())
    beside = tuple(name + ending for ending in _SECOND_OPINIONS if name + ending in _MADE)
    translation = name.replace("bleu_to_", "chrf_to_")
    return (*beside, translation) if translation != name else beside


class _Metrics(Mapping[str, Metric]):
    """All that have a name of their own, each made when it is asked for."""

    def __getitem__(self, name: str) -> Metric:
        if name not in _MADE:
            raise KeyError(name)
        return metric(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_MADE)

    def __len__(self) -> int:
        return len(_MADE)


METRICS: Final[Mapping[str, Metric]] = _Metrics()
