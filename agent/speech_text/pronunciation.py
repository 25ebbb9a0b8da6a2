"""Words -> American pronunciations, from a lexicon; no sentence analysis, no code under the GPL.

The lexicon is misaki's (Apache-2.0): about 180,000 words in the notation that Kokoro speaks. What
it lacks is derived from its stem, spelled out, or sounded by rule (`letter_to_sound`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.speech_text.letter_to_sound import sounded
from agent.speech_text.speakable import Piece

_Entry = str | Mapping[str, str | None]
_VOWELS = frozenset("AIOWYaeiouæɑɔəɛɜɪʊʌᵊᵻ")

# Words whose sound in running speech is not the one of a lexicon: weak forms, and a letter's name.
_WEAK = {
    "a": "ɐ",
    "an": "ən",
    "and": "ænd",
    "of": "əv",
    "the": "ðə",
    "to": "tə",
    "i": "I",
}
_BEFORE_VOWEL = {"the": "ði", "to": "tʊ"}

_BEFORE_VERB = frozenset(
    {
        *("to", "i", "you", "we", "they", "who", "people", "let's", "please", "also", "not"),
        *("can", "could", "will", "would", "shall", "should", "may", "might", "must", "do", "does", "did"),
        *("cannot", "can't", "don't", "didn't", "won't"),
    }
)
_BEFORE_PARTICIPLE = frozenset(
    {
        *("have", "has", "had", "having", "i've", "you've", "we've", "they've"),
        *("was", "were", "been", "be", "being", "is", "are"),
    }
)


Span = tuple[int, int]
"""From the first character to behind the last one."""


@dataclass(frozen=True, slots=True)
class Pronounced:
    """A piece of speech, and its sound: of a pause its own sign, of a word that has none ""."""

    piece: Piece
    sound: str


def unpronounced(said: Sequence[Pronounced]) -> tuple[Span, ...]:
    """The stretches of the text whose words have no sound: they are in another language's letters."""
    spans: list[Span] = []
    reached = 0
    goes_on = False
    for one in said:
        if one.sound and not one.piece.is_pause:
            goes_on = False
        elif not one.sound:
            spans.append((spans.pop()[0] if goes_on else reached, one.piece.end))
            goes_on = True
        reached = one.piece.end
    return tuple(span for span in spans if span[0] < span[1])


class Lexicon:
    """Looks words up. Reads 6 MB of JSON once (0.1 s, about 45 MB of memory)."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._known: dict[str, _Entry] = {}
        for file in reversed(files):  # the first one decides
            self._known.update(json.loads(file.read_text("utf-8")))

    def pronounced(self, said: Sequence[Piece]) -> list[Pronounced]:
        sounds = iter(self.phrase([piece.spoken for piece in said if not piece.is_pause]))
        return [Pronounced(piece, piece.spoken if piece.is_pause else next(sounds)) for piece in said]

    def phrase(self, words: Sequence[str]) -> list[str]:
        """One pronunciation for each word. Stress marks stand before the vowel they belong to."""
        said: list[str] = []
        for place, word in enumerate(words):
            previous = words[place - 1].lower() if place else ""
            said.append(self._in_context(word, previous))
        for place, word in enumerate(words[:-1]):
            follower = said[place + 1].lstrip("ˈˌ")
            if word.lower() in _BEFORE_VOWEL and follower[:1] in _VOWELS:
                said[place] = _BEFORE_VOWEL[word.lower()]
        return said

    def _in_context(self, word: str, previous: str) -> str:
        lowered = word.lower()
        if lowered in _WEAK and not (word == "A" and previous):
            return _WEAK[lowered]
        if previous in _BEFORE_PARTICIPLE:
            use = "VBN"
        elif previous in _BEFORE_VERB:
            use = "VERB"
        else:
            use = "DEFAULT"
        return self.word(word, use)

    def word(self, word: str, use: str = "DEFAULT") -> str:
        """use: a part of speech (VERB, VBN, NOUN, ADJ) where the sound hangs on it ("read")."""
        found = self._looked_up(word, use) or self._derived(word.lower(), use)
        if found is None and "-" in word:
            found = "".join(self.word(part, use) for part in word.split("-") if part)
        if found is None and _is_spelled(word):
            found = "".join(self._letter(letter) for letter in word)
        if found is None:
            found = self._compound(word.lower())
        return sounded(word.lower()) if found is None else found

    def _looked_up(self, word: str, use: str) -> str | None:
        for spelling in (word, word.lower(), word.capitalize()):
            # A word in capitals may be a shout of a known word, or initials: only the exact entry counts.
            if len(word) <= 4 and word.isupper() and spelling != word and not _has_vowel_letter(word):
                continue
            entry = self._known.get(spelling)
            if isinstance(entry, str):
                return entry
            if entry is not None:
                return entry.get(use) or entry["DEFAULT"]
        return None

    def _letter(self, letter: str) -> str:
        """The letter's name, stressed: initials are said one by one."""
        name = self._looked_up(letter.upper(), "DEFAULT") or sounded(letter.lower())
        return name if "ˈ" in name else _stressed(name)

    def _derived(self, word: str, use: str) -> str | None:
        """A known stem with a regular ending."""
        for ending, restored, sound in _ENDINGS:
            if not word.endswith(ending) or len(word) - len(ending) < 2:
                continue
            stem_letters = word.removesuffix(ending)
            for tail in restored:
                spelling = stem_letters[:-1] if tail == "-" else stem_letters + tail
                if tail == "-" and stem_letters[-1] != stem_letters[-2]:
                    continue  # only a doubled consonant is undone: "stopped"
                stem = self._looked_up(spelling, use)
                if stem:
                    return stem + sound(stem[-1])
        return None

    def _compound(self, word: str) -> str | None:
        """Two known words written as one ("bluebox"); each of three letters at least."""
        for cut in range(len(word) - 3, 2, -1):
            head, tail = self._looked_up(word[:cut], "NOUN"), self._looked_up(word[cut:], "NOUN")
            if head and tail:
                return head + tail.replace("ˌ", "").replace("ˈ", "ˌ")
        return None


def _plural(last: str) -> str:
    if last in "szʃʒʧʤ":
        return "ᵻz"
    return "s" if last in "ptkfθ" else "z"


def _past(last: str) -> str:
    if last in "td":
        return "ᵻd"
    return "t" if last in "pkfθsʃʧ" else "d"


# Ending, what may have to be put back to find the stem ("-" undoes a doubled consonant), its sound.
_ENDINGS = (
    ("'s", ("",), _plural),
    ("s'", ("", "s"), _plural),
    ("ies", ("y",), _plural),
    ("es", ("", "e"), _plural),
    ("s", ("",), _plural),
    ("ied", ("y",), _past),
    ("ed", ("", "e", "-"), _past),
    ("ing", ("", "e", "-"), lambda _: "ɪŋ"),
    ("ly", ("", "le"), lambda _: "li"),
    ("er", ("", "e", "-"), lambda _: "əɹ"),
    ("est", ("", "e", "-"), lambda _: "əst"),
    ("ness", ("",), lambda _: "nəs"),
    ("less", ("",), lambda _: "ləs"),
    ("ful", ("",), lambda _: "fᵊl"),
    ("ment", ("",), lambda _: "mənt"),
    ("able", ("", "e"), lambda _: "əbᵊl"),
)


def _is_spelled(word: str) -> bool:
    """Whether it is said letter by letter: initials, or letters that no mouth can join."""
    return word.isalpha() and (
        (word.isupper() and len(word) <= 5) or (len(word) <= 4 and not _has_vowel_letter(word))
    )


def _has_vowel_letter(word: str) -> bool:
    return any(letter in "aeiouy" for letter in word.lower())


def _stressed(name: str) -> str:
    for place, sound in enumerate(name):
        if sound in _VOWELS:
            return f"{name[:place]}ˈ{name[place:]}"
    return name
