"""BLEU as sacrebleu computes it: the same counts, totals and score, counted for many pairs at once.

N-grams are counted as numbers. A token's place in the vocabulary of its batch is a digit, and its pair's
place in the batch the leading one: an n-gram of a pair is one integer, and no other n-gram is the same.
"""

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from evaluation.scoring.bleu_tokens import Tokeniser
from evaluation.scoring.metric import Counts

_ORDER: Final = 4
_BATCH_PAIRS: Final = 512
_BITS: Final = 62  # of an integer that holds an n-gram; one more says whose it is

_ANSWER_TOKENS, _REFERENCE_TOKENS, _MATCHES, _NGRAMS = 0, 1, slice(2, 2 + _ORDER), slice(2 + _ORDER, None)


class Bleu:
    """Corpus BLEU: 4-grams, case kept, one reference, smoothing "exp", 0 to 100."""

    higher_is_better = True
    statistics = (
        "answer_tokens",
        "reference_tokens",
        *(f"matches_{n}" for n in range(1, _ORDER + 1)),
        *(f"answer_ngrams_{n}" for n in range(1, _ORDER + 1)),
    )

    def __init__(self, name: str, tokeniser: Tokeniser) -> None:
        self.name = name
        self._tokeniser = tokeniser
        self.signature = (
            f"{name}|nrefs:1|case:mixed|eff:no|tok:{tokeniser.name}|smooth:exp|version:{version('sacrebleu')}"
        )

    def count(self, references: Sequence[str], responses: Sequence[str]) -> Counts:
        if len(references) != len(responses):
            raise ValueError(
                f"expected as many answers as references, got {len(responses)} for {len(references)}"
            )
        counts = np.zeros((len(references), len(self.statistics)), np.int64)
        for start in range(0, len(references), _BATCH_PAIRS):
            batch = slice(start, start + _BATCH_PAIRS)
            expected = references[batch]
            encoded = self._tokeniser.encoded([*expected, *responses[batch]])
            _count(encoded[: len(expected)], encoded[len(expected) :], counts[batch])
        return counts

    def value(self, sums: Counts) -> NDArray[np.float64]:
        """NaN for a corpus whose references have no tokens."""
        values = [_score(row) for row in sums.reshape(-1, len(self.statistics))]
        return np.array(values, np.float64).reshape(sums.shape[:-1])

    def as_compared(self, text: str) -> str:
        return " ".join(self._tokeniser.tokens(text))


def _score(row: Counts) -> float:
    if row[_REFERENCE_TOKENS] == 0:
        return float("nan")
    return float(
        BLEU.compute_bleu(
            correct=row[_MATCHES].tolist(),
            total=row[_NGRAMS].tolist(),
            sys_len=int(row[_ANSWER_TOKENS]),
            ref_len=int(row[_REFERENCE_TOKENS]),
            smooth_method="exp",
        ).score
    )


def _count(references: Sequence[str], answers: Sequence[str], counts: Counts) -> None:
    """Fill in the rows of some pairs, whose texts have one code point for each token."""
    n_pairs = len(references)
    tokens = np.frombuffer("".join([*references, *answers]).encode("utf-32-le", "surrogatepass"), np.uint32)
    vocabulary, token = np.unique(tokens, return_inverse=True)
    base = max(len(vocabulary), 1)
    if n_pairs * base**_ORDER >= 2**_BITS:
        if n_pairs == 1:
            _count_one(references[0], answers[0], counts[0])
            return
        half = n_pairs // 2
        _count(references[:half], answers[:half], counts[:half])
        _count(references[half:], answers[half:], counts[half:])
        return
    lengths = np.array([[len(text) for text in texts] for texts in (references, answers)], np.int64)
    counts[:, _ANSWER_TOKENS], counts[:, _REFERENCE_TOKENS] = lengths[1], lengths[0]
    flat = lengths.ravel()
    # Of each token: which pair it belongs to, whether to its answer, and how many tokens are left in its
    # text.
    pair = np.repeat(np.tile(np.arange(n_pairs), 2), flat)
    is_answer = np.repeat(np.repeat(np.array([0, 1]), n_pairs), flat)
    left = np.repeat(np.cumsum(flat), flat) - np.arange(len(token))
    ngram = pair.astype(np.int64)
    for n in range(1, _ORDER + 1):
        ngram = ngram[: len(token) - n + 1] * base + token[n - 1 :]
        is_whole = left[: len(ngram)] >= n
        matches = _matches(ngram[is_whole] * 2 + is_answer[: len(ngram)][is_whole], base**n, n_pairs)
        counts[:, _MATCHES.start + n - 1] = matches
        counts[:, _NGRAMS.start + n - 1] = np.maximum(lengths[1] - n + 1, 0)


def _matches(marked: NDArray[np.int64], ngrams_of_a_pair: int, n_pairs: int) -> NDArray[np.int64]:
    """How many n-grams of each answer its reference has too, each as often as it has it.

    marked: the n-grams of all texts, each times two, and one more in an answer.
    """
    if len(marked) == 0:
        return np.zeros(n_pairs, np.int64)
    marked.sort()
    ngram = marked >> 1
    starts = np.flatnonzero(np.concatenate([[True], ngram[1:] != ngram[:-1]]))
    ends = np.append(starts[1:], len(marked))
    answers_before = np.concatenate([[0], np.cumsum(marked & 1)])
    in_answer = answers_before[ends] - answers_before[starts]
    in_both = np.minimum(in_answer, ends - starts - in_answer)
    return np.bincount(ngram[starts] // ngrams_of_a_pair, in_both, n_pairs).astype(np.int64)


def _count_one(reference: str, answer: str, row: Counts) -> None:
    """The same for a pair with so many different tokens that its n-grams are no integers."""
    row[_ANSWER_TOKENS], row[_REFERENCE_TOKENS] = len(answer), len(reference)
    for n in range(1, _ORDER + 1):
        expected = Counter([reference[at : at + n] for at in range(len(reference) - n + 1)])
        given = Counter([answer[at : at + n] for at in range(len(answer) - n + 1)])
        row[_MATCHES.start + n - 1] = (expected & given).total()
        row[_NGRAMS.start + n - 1] = given.total()
