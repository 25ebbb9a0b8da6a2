"""Made-up pairs of reference and answer, as varied as real ones: no sentence twice, words by Zipf's law.

English words are those of a pronouncing dictionary (misaki, which Kokoro's voices read), and among them
numbers in words and digits, money, years, titles, contractions and fillers. French words are stems with
endings; Chinese ones are drawn from common characters, with numbers as recognisers write them. An answer is
its reference with case and punctuation, and one word in ten lost, doubled or replaced.
"""

import json
import random
import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from itertools import accumulate

Pair = tuple[str, str]

ERRORS_PER_WORD = 0.1


def _words(text: str) -> list[str]:
    return text.split()


_ENGLISH_SMALL = _words(
    "the of and to a in is that it was for on are as with his they at be this from i have or by one had "
    "not but what all were when we there can an your which their said if do will each about how up out "
    "them then she many some so these would other into has more her two like him see time could no make "
    "than first been its who now people my made over did down only way find use may long little very "
    "after words just where most know"
)
_ENGLISH_SPECIAL = (
    "it's don't i'm that's can't won't he'd been we've she's gone they're you'll let's gonna wanna mr. "
    "mrs. dr. um uh twenty five|thirty one|nineteen eighty four|two thousand and six|one hundred|a "
    "million|forty two point five percent|three dollars and fifty cents|the twenty first|half past "
    "nine|minus ten|oh seven"
)
_FRENCH_SMALL = _words(
    "le la les un une des de du et à en dans que qui ne pas pour sur avec il elle nous vous ils ce "
    "cette est était l'été d'un qu'il s'est aujourd'hui n'a j'ai c'est où très déjà même après être "
    "fait dit plus sans leur"
)
_FRENCH_STEMS = _words(
    "parl mang chant regard port trouv donn pens aim cherch arriv mont tomb rest entr laiss pass appel "
    "jou lev march chang ferm coup tir montr travaill rappel étudi évit écout répét préfér révél cré "
    "appréci conseill plac lanc forc avanc commenc négoci vérifi modifi copi oubli remerci général "
    "natur cultur région nation tradition international fenêtr maîtr théâtr hôtel fête forêt île goût "
    "août garçon façon leçon français"
)
_FRENCH_ENDINGS = _words(
    "e er é ée és ées ait aient ons ez era erons eront ant ement ation ations eur eurs euse able ables "
    "ique isme iste istes ité ités eux euses age ages ure ures al ale aux if ive ment ière ières"
)
_CHINESE = (
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时要就下得可以生会自着去之过家学对里后小么心多天而能好"
    "都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意"
    "进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政"
    "海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张"
)
_CANTONESE = (
    "我你佢哋嘅咗喺唔係冇嚟啲咁嗰噉乜嘢點解邊個時間學校電話聽講睇見買賣車站雲"
    "麵貓隻開門關於會議國語書寫愛過還這們來對發頭東長樂氣"
)
_CHINESE_NUMBERS: Sequence[Callable[[random.Random], str]] = (
    lambda draw: f"{draw.randint(1950, 2030)}年",
    lambda draw: f"{draw.randint(1, 12)}月{draw.randint(1, 30)}日",
    lambda draw: f"{draw.randint(2, 900)}个",
    lambda draw: f"{draw.randint(2, 900)}块",
    lambda draw: f"{draw.randint(1, 99)}%",
    lambda draw: f"{draw.randint(1, 9)}.{draw.randint(1, 99)}万",
    lambda draw: f"{draw.randint(1, 999)}",
)


class _Zipf:
    """Words with a probability of 1 / (rank + 2.7), as Mandelbrot found them."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(words))))

    def draw(self, draw: random.Random, n: int) -> list[str]:
        return draw.choices(self._words, cum_weights=self._weights, k=n)


def english(n: int, seed: int) -> list[Pair]:
    draw = random.Random(seed)
    lexicon = json.loads(files("misaki.data").joinpath("us_gold.json").read_text("utf-8"))
    rare = [word for word in lexicon if re.fullmatch("[a-z]{3,14}", word)]
    draw.shuffle(rare)
    zipf = _Zipf([*_ENGLISH_SMALL, *rare])
    phrases = " ".join(_ENGLISH_SPECIAL.split("|")).split() + _ENGLISH_SPECIAL.split("|")
    pairs = []
    for _ in range(n):
        words = zipf.draw(draw, draw.randint(5, 24))
        for at in range(len(words)):
            if draw.random() < 0.06:
                words[at] = draw.choice(phrases)
        pairs.append((" ".join(words), _as_answered(draw, words, zipf, _english_number)))
    return pairs


def _english_number(draw: random.Random) -> str:
    return draw.choice(
        (
            str(draw.randint(0, 2_000)),
            f"{draw.randint(1, 99)},{draw.randint(100, 999)}",
            f"${draw.randint(1, 99)}.{draw.randint(10, 99)}",
            f"{draw.randint(1, 99)}.{draw.randint(1, 9)}%",
            f"{draw.randint(4, 20)}th",
        )
    )


def french(n: int, seed: int) -> list[Pair]:
    draw = random.Random(seed)
    rare = [stem + ending for stem in _FRENCH_STEMS for ending in _FRENCH_ENDINGS]
    draw.shuffle(rare)
    zipf = _Zipf([*_FRENCH_SMALL, *rare])
    number: Callable[[random.Random], str] = lambda draw: str(draw.randint(0, 2_000))  # noqa: E731
    pairs = []
    for _ in range(n):
        words = zipf.draw(draw, draw.randint(5, 22))
        reference = " ".join(words).capitalize() + draw.choice((".", " ?", " !", "."))
        pairs.append((reference, _as_answered(draw, words, zipf, number)))
    return pairs


def _as_answered(
    draw: random.Random, words: Sequence[str], zipf: _Zipf, number: Callable[[random.Random], str]
) -> str:
    answered: list[str] = []
    for word in words:
        match draw.random() / ERRORS_PER_WORD:
            case chance if chance < 0.3:
                continue
            case chance if chance < 0.5:
                answered += [word, word]
            case chance if chance < 0.8:
                answered += zipf.draw(draw, 1)
            case chance if chance < 1:
                answered.append(number(draw))
            case _:
                answered.append(word + "," if draw.random() < 0.08 else word)
    return " ".join(answered).capitalize() + draw.choice((".", "?", "...", "."))


def chinese(n: int, seed: int, *, characters: str = _CHINESE, with_numbers: float = 0.25) -> list[Pair]:
    draw = random.Random(seed)
    pairs = []
    for _ in range(n):
        reference = draw.choices(characters, k=draw.randint(6, 30))
        answer = [draw.choice(characters) if draw.random() < ERRORS_PER_WORD else one for one in reference]
        if draw.random() < with_numbers:
            answer.insert(draw.randrange(len(answer)), draw.choice(_CHINESE_NUMBERS)(draw))
        if draw.random() < 0.3:
            answer.insert(draw.randrange(len(answer)), "，")
        pairs.append(("".join(reference), "".join(answer) + "。"))
    return pairs


def cantonese(n: int, seed: int) -> list[Pair]:
    return chinese(n, seed, characters=_CANTONESE + _CHINESE[:120], with_numbers=0.1)


def labels(n: int, seed: int, of: Sequence[str]) -> list[Pair]:
    draw = random.Random(seed)
    written = ("{}", " {}", "{}.", "{}", "{}")
    return [(draw.choice(of), draw.choice(written).format(draw.choice(of))) for _ in range(n)]
