"""Every score a second time, as plainly as its rules are told: one text after another, nothing remembered.

Nothing of evaluation/scoring is used. The English and basic rules are whisper-normalizer's, the Cantonese
ones zhconv's, both called on whole texts; the Chinese ones are written a second time (plain_chinese.py).
"""

import re
import unicodedata
import warnings
from collections.abc import Callable

import editdistance
import zhconv
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from tests.evaluation.scoring.plain_chinese import normalise_chinese

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)  # zhconv does not close its table's file
    zhconv.loaddict()

_english = EnglishTextNormalizer()
for _later in ("kinda", "sorta", "dunno", "cause"):
    del _english.replacers[rf"\b{_later}\b"]
_basic = BasicTextNormalizer()
_basic_with_marks = BasicTextNormalizer(preserve_marks=True)


def tidied(text: str, *, keeps_spaces: bool = True) -> str:
    text = re.sub(r"<\|.*?\|>", " ", text)
    text = re.sub(r"\s+", " ", text)
    for mark in "!,.?;:":
        text = text.replace(f" {mark}", mark)
    text = text.lstrip(" ")
    return text if keeps_spaces else re.sub(r"\s+", "", text)


def words(normalised: str) -> list[str]:
    return [token.lower() for token in normalised.split() if not is_punctuation(token)]


def is_punctuation(token: str) -> bool:
    return all(unicodedata.category(character).startswith("P") for character in token)


def english(text: str) -> list[str]:
    return words(_basic(_english(tidied(text))))


def basic(text: str) -> list[str]:
    return words(_basic(tidied(text)))


def basic_with_marks(text: str) -> list[str]:
    return words(_basic_with_marks(tidied(text)))


def cantonese(text: str) -> list[str]:
    return list("".join(words(_basic(zhconv.convert(tidied(text), "zh-cn")))))


def chinese(text: str) -> list[str]:
    return list("".join(words(normalise_chinese(tidied(text, keeps_spaces=False)))))


UNITS: dict[str, Callable[[str], list[str]]] = {
    "wer_en": english,
    "wer_fr": basic,
    "cer_zh": chinese,
    "cer_yue": cantonese,
    "wer_xx": basic_with_marks,
}


def edits_and_units(name: str, reference: str, answer: str) -> tuple[int, int]:
    expected, given = UNITS[name](reference), UNITS[name](answer)
    return editdistance.eval(expected, given), len(expected)
