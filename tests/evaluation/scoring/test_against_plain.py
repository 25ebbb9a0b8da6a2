"""The quick scorers count what plain ones count, on texts made of what provokes the rules, and on any."""

import random
import unicodedata
from collections.abc import Callable, Iterator, Sequence

import jiwer
import pytest
import sacrebleu
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluation.scoring import basic, bleu_tokens, english
from evaluation.scoring.basic import BasicCharacters, BasicWords
from evaluation.scoring.metrics import metric
from tests.evaluation.scoring import alphabets, plain

PAIRS = 1_000
ALPHABETS = {
    "wer_en": alphabets.ENGLISH,
    "wer_fr": alphabets.FRENCH,
    "cer_zh": alphabets.CHINESE,
    "cer_yue": alphabets.CANTONESE,
    "wer_xx": [*alphabets.FRENCH, "की", "ที่", "कि\u0902", "س\u064e"],
    "bleu_to_en": alphabets.TRANSLATED,
    "bleu_to_zh": alphabets.TRANSLATED,
}
GAPS = (" ", " ", " ", "", " \n", "\u00a0", "\u3000")


def made_up(alphabet: Sequence[str], n: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [
        "".join(draw.choice(alphabet) + draw.choice(GAPS) for _ in range(draw.randint(0, 9)))
        for _ in range(n)
    ]


@pytest.mark.parametrize("name", [name for name in ALPHABETS if name in plain.UNITS])
def test_error_rates_count_the_edits_and_units_of_a_plain_implementation(name: str) -> None:
    references, answers = (made_up(ALPHABETS[name], PAIRS, seed) for seed in (1, 2))
    counts = metric(name).count(references, answers).tolist()
    for reference, answer, counted in zip(references, answers, counts, strict=True):
        assert tuple(counted) == plain.edits_and_units(name, reference, answer), (reference, answer)


@pytest.mark.parametrize("name", ["wer_en", "wer_fr", "cer_zh", "cer_yue"])
def test_an_error_rate_of_a_corpus_is_jiwers(name: str) -> None:
    draw = random.Random(3)
    references = [text for text in made_up(ALPHABETS[name], 2 * PAIRS, 4) if plain.UNITS[name](text)][:PAIRS]
    # Answers near their references, as real ones are.
    answers = [" ".join(word for word in text.split() if draw.random() > 0.2) for text in references]
    scorer = metric(name)
    expected, given = (
        [_as_words(plain.UNITS[name](text)) for text in texts] for texts in (references, answers)
    )
    assert float(scorer.value(scorer.count(references, answers).sum(axis=0))) == pytest.approx(
        jiwer.wer(expected, given), abs=1e-15
    )


def _as_words(units: Sequence[str]) -> str:
    """Units as words that no library cuts or folds."""
    return " ".join("".join(f"x{ord(point):x}" for point in unit) for unit in units)


@pytest.mark.parametrize(("name", "tokenise"), [("bleu_to_en", "13a"), ("bleu_to_zh", "zh")])
def test_bleu_counts_the_ngrams_that_sacrebleu_counts(name: str, tokenise: str) -> None:
    references, answers = (made_up(ALPHABETS[name], PAIRS, seed) for seed in (5, 6))
    scorer = metric(name)
    counts = scorer.count(references, answers)
    for reference, answer, counted in zip(references, answers, counts.tolist(), strict=True):
        judge = sacrebleu.corpus_bleu([answer], [[reference]], tokenize=tokenise)
        assert counted == [judge.sys_len, judge.ref_len, *judge.counts, *judge.totals], (reference, answer)
        if judge.ref_len:
            assert float(scorer.value(scorer.count([reference], [answer])[0])) == judge.score
    corpus = sacrebleu.corpus_bleu(answers, [references], tokenize=tokenise)
    assert float(scorer.value(counts.sum(axis=0))) == corpus.score


def test_chrf_is_sacrebleus() -> None:
    references, answers = (made_up(alphabets.TRANSLATED, PAIRS, seed) for seed in (7, 8))
    judge = sacrebleu.CHRF()
    scorer = metric("chrf_to_en")
    counts = scorer.count(references, answers)
    assert float(scorer.value(counts.sum(axis=0))) == judge.corpus_score(answers, [references]).score
    for reference, answer, counted in zip(references, answers, counts, strict=True):
        if "".join(reference.split()):
            assert float(scorer.value(counted)) == judge.sentence_score(answer, [reference]).score


any_text = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=12)


def any_of(alphabet: Sequence[str]) -> st.SearchStrategy[str]:
    piece = st.sampled_from(alphabet) | st.sampled_from([*" \n'.,\u0301(["]) | any_text
    return st.lists(piece, max_size=6).map("".join)


@settings(max_examples=300)
@given(any_of(alphabets.ENGLISH))
@example("x um 'tis")
@example("and a half")
@example("one and a half")
@example("he's been")
def test_english_words_are_whispers_whatever_is_read_before(text: str) -> None:
    try:
        expected = plain.english(text)
    except (AssertionError, ValueError):
        return  # a number that Whisper's rules cannot read
    assert _decoded(_ENGLISH, text) == expected
    assert _ENGLISH.units(text) == expected


@settings(max_examples=300)
@given(any_of(alphabets.FRENCH + alphabets.CANTONESE))
@example("ΑΣ .β")
@example("ｶ\uff9e")
@example("\u1100\u1161")
def test_basic_words_and_characters_are_whispers(text: str) -> None:
    for keeps_marks, units in ((False, plain.basic), (True, plain.basic_with_marks)):
        assert _decoded(_BASIC[keeps_marks], text) == units(text)
        assert _CHARACTERS[keeps_marks].encoded([text]) == ["".join(units(text))]


_ENGLISH = english.EnglishWords()
_BASIC = {keeps_marks: BasicWords(keeps_marks=keeps_marks) for keeps_marks in (False, True)}
_CHARACTERS = {keeps_marks: BasicCharacters(keeps_marks=keeps_marks) for keeps_marks in (False, True)}


def _decoded(words: english.EnglishWords | BasicWords, text: str) -> list[str]:
    points = words.encoded([text])[0]
    word_of_point = {point: word for word, point in words._vocabulary.items()}
    return [word_of_point[point] for point in points]


@settings(max_examples=300)
@given(any_of(alphabets.CHINESE).filter(lambda text: all(c.isascii() or not c.isdecimal() for c in text)))
def test_chinese_characters_are_those_of_the_rules_written_a_second_time(text: str) -> None:
    assert metric("cer_zh").as_compared(text).replace(" ", "") == "".join(plain.chinese(text))


@settings(max_examples=200)
@given(st.lists(any_of(alphabets.CANTONESE), max_size=4))
def test_cantonese_characters_are_zhconvs_and_whispers(texts: list[str]) -> None:
    scorer = metric("cer_yue")
    assert [scorer.as_compared(text).replace(" ", "") for text in texts] == [
        "".join(plain.cantonese(text)) for text in texts
    ]


PLANTED: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "numbers are read word by word": (
        "wer_en",
        lambda patch: patch.setattr(english, "_is_numeric", lambda text, separate: False),
    ),
    "'s been is read word by word": ("wer_en", lambda patch: patch.setattr(english, "_PERFECTS", ("seen",))),
    "a digit's ending is read alone": (
        "wer_en",
        lambda patch: patch.setattr(english, "_SUFFIX_OF_DIGITS", _NEVER),
    ),
    "a mark at a word's beginning stays": ("wer_en", lambda patch: patch.setattr(english, "MARKS", "")),
    "brackets are read word by word": (
        "wer_fr",
        lambda patch: patch.setattr(basic, "_has_opening", lambda text: False),
    ),
    "symbols at a word's end are parts of it": (
        "bleu_to_en",
        lambda patch: patch.setattr(bleu_tokens, "_SET_APART", ".,?!:;\"'"),
    ),
    "a line's edge is a space": (
        "bleu_to_zh",
        lambda patch: patch.setattr(bleu_tokens, "_sees_the_edge", lambda word: False),
    ),
}
_NEVER = english.re.compile(r"(?!)")


@pytest.fixture
def forgotten() -> Iterator[None]:
    metric.cache_clear()
    yield
    metric.cache_clear()


@pytest.mark.parametrize("bug", PLANTED)
@pytest.mark.usefixtures("forgotten")
def test_a_planted_bug_in_what_is_remembered_dies(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, plant = PLANTED[bug]
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        _compared(name)


def _compared(name: str) -> None:
    if name.startswith("bleu"):
        test_bleu_counts_the_ngrams_that_sacrebleu_counts(name, "zh" if name == "bleu_to_zh" else "13a")
    else:
        test_error_rates_count_the_edits_and_units_of_a_plain_implementation(name)


def test_nothing_changes_when_words_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = made_up(alphabets.ENGLISH, 50, 9), made_up(alphabets.ENGLISH, 50, 10)
    remembered = metric("wer_en").count(*texts).tolist()
    monkeypatch.setattr(english, "REMEMBERED_MAX", 0)
    assert metric("wer_en").count(*texts).tolist() == remembered


def test_every_kind_of_character_is_in_some_alphabet() -> None:
    """So that a rule for a kind of character is met."""
    used = {
        unicodedata.category(character)[0]
        for name in ALPHABETS
        for piece in ALPHABETS[name]
        for character in piece
    }
    assert used >= set("LMNPSZ")
