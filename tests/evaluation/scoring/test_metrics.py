"""Metrics by name and by language, what they say of themselves, and what they make of bad input."""

import math
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import sacrebleu

from evaluation.errors import EvaluationError
from evaluation.scoring.bleu import Bleu
from evaluation.scoring.bleu_tokens import WesternTokens
from evaluation.scoring.cantonese import (
    CantoneseCharacters,
    OpenccSimplifier,
    ZhconvSimplifier,
    best_simplifier,
)
from evaluation.scoring.error_rate import ErrorRate
from evaluation.scoring.metrics import METRICS, metric, metric_for, second_opinions
from tests.evaluation.scoring.fixtures import texts


def test_every_metric_has_the_name_it_is_asked_by_and_columns_for_its_statistics() -> None:
    for name, scorer in METRICS.items():
        text = {"acc_v": "Cough", "acc_m": "joy"}.get(name[:5], "four words and more")
        counts = scorer.count([text, text], [text, "nothing"])
        assert scorer.name == name
        assert counts.shape == (2, len(scorer.statistics))
        assert scorer.signature.startswith(f"{name}|")
        best, worse = scorer.value(counts).tolist()
        assert best > worse if scorer.higher_is_better else best < worse


def test_signatures_tell_figures_apart_that_may_differ() -> None:
    assert len({scorer.signature for scorer in METRICS.values()}) == len(METRICS)
    zhconv = ErrorRate("cer_yue", CantoneseCharacters(ZhconvSimplifier()))
    opencc = ErrorRate("cer_yue", CantoneseCharacters(OpenccSimplifier()))
    assert "zhconv:1.4.3:zh-cn" in zhconv.signature
    assert "opencc:1.4.2:t2s" in opencc.signature


def test_bleus_signature_is_sacrebleus() -> None:
    judge = sacrebleu.BLEU(tokenize="zh")
    judge.corpus_score(["a"], [["a"]])
    assert metric("bleu_to_zh").signature == f"bleu_to_zh|{judge.get_signature()}"


def test_values_of_many_sums_are_the_values_of_each() -> None:
    for name in ("wer_en", "bleu_to_de", "acc_meld", "chrf_to_en"):
        scorer = metric(name)
        sums = np.arange(1, 1 + 2 * 3 * len(scorer.statistics)).reshape(2, 3, -1)
        values = scorer.value(sums)
        assert values.shape == (2, 3)
        assert values[1, 2] == scorer.value(sums[1, 2])


def test_nothing_to_divide_by_is_no_figure_and_no_crash() -> None:
    for name, scorer in METRICS.items():
        nothing = scorer.count([], []).sum(axis=0)
        assert math.isnan(float(scorer.value(nothing))), name
    assert math.isnan(float(metric("wer_en").value(metric("wer_en").count([""], ["word"])[0])))
    assert math.isnan(float(metric("bleu_to_en").value(metric("bleu_to_en").count([""], ["word"])[0])))


def test_an_empty_reference_counts_its_answer_as_insertions() -> None:
    assert metric("wer_en").count(["", "um", "yes"], ["two words", "", "yes"]).tolist() == [
        [2, 0],
        [0, 0],
        [0, 1],
    ]


def test_as_many_answers_as_references_are_expected() -> None:
    for name in ("wer_en", "bleu_to_en", "chrf_to_en", "acc_meld"):
        with pytest.raises(ValueError, match=r"expected|shorter"):
            metric(name).count(["joy", "joy"], ["joy"])


def test_a_number_that_cannot_be_read_names_its_pair() -> None:
    with pytest.raises(EvaluationError, match=r"^pair 1: expected numbers of at most 4,300 digits$"):
        metric("wer_en").count(["one", "two"], ["1", "9" * 5_000])


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "wer_en"),
        ("fr", "wer_fr"),
        ("zh", "cer_zh"),
        ("zh-CN", "cer_zh"),
        ("cmn", "cer_zh"),
        ("yue", "cer_yue"),
        ("de", "wer_de"),
        ("pt-BR", "wer_pt"),
        ("es_419", "wer_es"),
        ("ja", "cer_ja"),
        ("th", "cer_th"),
    ],
)
def test_every_language_has_a_metric(language: str, name: str) -> None:
    assert metric_for(language).name == name


@pytest.mark.parametrize("language", ["", "English", "e"])
def test_a_language_that_is_no_tag_is_refused(language: str) -> None:
    with pytest.raises(EvaluationError, match="expected a language's tag"):
        metric_for(language)


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(EvaluationError, match=r"no metric is called 'wer'; there are wer_en, "):
        metric("wer")


def test_vowel_signs_stay_where_a_language_needs_them() -> None:
    hindi, thai = metric_for("hi"), metric_for("th")
    assert hindi.as_compared("यह की।") == "यह की"
    assert hindi.count(["की"], ["का"]).tolist() == [[1, 1]]
    assert thai.count(["ที่"], ["ทา"]).tolist() == [[2, 3]]


def test_japanese_bleu_without_mecab_says_what_it_needs() -> None:
    try:
        metric("bleu_to_ja")
    except EvaluationError as error:
        assert "pip install 'sacrebleu[ja]'" in str(error)
    else:
        pytest.skip("MeCab is installed")


def test_bleu_of_texts_with_more_words_than_an_integer_holds() -> None:
    """4-grams of over 46,000 different tokens do not fit into 62 bits."""
    reference = " ".join(f"w{n}" for n in range(50_000))
    answer = " ".join(f"w{n}" for n in range(0, 50_000) if n % 5)
    pairs = [reference, "a b c d e"], [answer, "a b c d f"]
    scorer = Bleu("bleu_to_en", WesternTokens())
    judge = sacrebleu.corpus_bleu(pairs[1], [pairs[0]])
    sums = scorer.count(*pairs).sum(axis=0).tolist()
    assert sums == [judge.sys_len, judge.ref_len, *judge.counts, *judge.totals]


def test_cantonese_without_zhconv_is_simplified_by_opencc() -> None:
    scorer = ErrorRate("cer_yue", CantoneseCharacters(OpenccSimplifier()))
    score = float(scorer.value(scorer.count(*texts("cer_yue")).sum(axis=0)))
    assert score == pytest.approx(0.25, abs=0.001)


def test_zhconv_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(best_simplifier(), ZhconvSimplifier)

    def not_installed(name: str) -> str:
        if name == "zhconv":
            raise PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr("evaluation.scoring.cantonese.version", not_installed)
    assert isinstance(best_simplifier(), OpenccSimplifier)


def test_opencc_looks_at_one_line_at_a_time() -> None:
    simplified = OpenccSimplifier()
    lines = ["後", "皇", "后大道", "", "計算", "機", "滑", "鼠"]
    assert simplified("\n".join(lines)).split("\n") == [simplified(line) for line in lines]


SECOND_OPINIONS = {
    "wer_en": ("wer_en_basic", "wer_en_raw"),
    "wer_fr": ("wer_fr_lenient", "wer_fr_raw"),
    "cer_zh": ("cer_zh_basic", "cer_zh_lenient", "cer_zh_raw"),
    "cer_yue": ("cer_yue_raw",),
    "bleu_to_de": ("chrf_to_de",),
    "acc_meld": ("acc_meld_lenient",),
    "wer_de": (),
}


@pytest.mark.parametrize("name", SECOND_OPINIONS)
def test_disputed_scores_have_marked_second_opinions(name: str) -> None:
    assert second_opinions(name) == SECOND_OPINIONS[name]


@pytest.mark.parametrize(
    ("name", "reference", "answer", "edits"),
    [
        ("wer_en", "two hundred", "200", 0),
        ("wer_en_basic", "two hundred", "200.", 2),
        ("wer_en_basic", "TWO hundred", "two hundred.", 0),
        ("wer_en_raw", "two hundred", "Two hundred.", 2),
        ("wer_fr", "ça cœur", "ca coeur", 2),
        ("wer_fr_lenient", "ça cœur", "ca coeur", 0),
        ("cer_zh", "開門ＡＢ", "开门ab", 4),
        ("cer_zh_lenient", "開門ＡＢ２個", "开门ab二个", 0),
        ("cer_zh_basic", "二个", "2个", 1),
        ("cer_zh_raw", "好 <|zh|>", "好。", 1),
        ("cer_yue_raw", "開", "开", 1),
    ],
)
def test_second_opinions_forgive_and_blame_what_they_say(
    name: str, reference: str, answer: str, edits: int
) -> None:
    assert metric(name).count([reference], [answer])[0, 0] == edits
