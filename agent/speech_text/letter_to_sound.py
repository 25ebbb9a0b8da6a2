"""How an unknown word probably sounds, letter by letter: names, inventions, misspellings.

A last resort, for a word that the lexicon lacks: longest spelling first, a stress on the first
vowel of a short word and on the one before the last two of a long one.
"""

import re
import unicodedata

_VOWELS = "AIOWYiuæɑɔəɛɜɪʊʌᵊ"

# Spelling (with what must stand round it) -> sound. The first that matches decides.
_RULES: tuple[tuple[str, str], ...] = (
    (r"^kn", "n"),
    (r"^gn", "n"),
    (r"^ps", "s"),
    (r"^wr", "ɹ"),
    (r"^x", "z"),
    (r"^mc", "mək"),
    (r"tion\b", "ʃən"),
    (r"ssion\b", "ʃən"),
    (r"sion\b", "ʒən"),
    (r"cian\b", "ʃən"),
    (r"cious\b|tious\b", "ʃəs"),
    (r"ture\b", "ʧəɹ"),
    (r"ough", "O"),
    (r"augh", "ɔ"),
    (r"eigh", "A"),
    (r"igh", "I"),
    (r"tch", "ʧ"),
    (r"sch", "ʃ"),
    (r"dge", "ʤ"),
    (r"que\b", "k"),
    (r"our\b", "əɹ"),
    (r"ous\b", "əs"),
    (r"le\b", "ᵊl"),
    (r"oor|oar|ore|our", "ɔɹ"),
    (r"air|are|ear(?=[aeiou])", "ɛɹ"),
    (r"eer|ier|ear", "ɪɹ"),
    (r"ar", "ɑɹ"),
    (r"(?<=.)er\b|or\b", "əɹ"),
    (r"er|ir|ur|yr", "ɜɹ"),
    (r"or", "ɔɹ"),
    (r"qu", "kw"),
    (r"ch", "ʧ"),
    (r"sh", "ʃ"),
    (r"th", "θ"),
    (r"ph", "f"),
    (r"gh(?=[aeiou])", "ɡ"),
    (r"gh", ""),
    (r"ck", "k"),
    (r"ng\b", "ŋ"),
    (r"n(?=[kq])", "ŋ"),
    (r"zh", "ʒ"),
    (r"wh", "w"),
    (r"mb\b", "m"),
    (r"sc(?=[eiy])", "s"),
    (r"ai|ay|ei|ey(?=.)", "A"),
    (r"ey\b", "i"),
    (r"ee|ea|ie", "i"),
    (r"oo|ou(?=p)|ue|ui", "u"),
    (r"ew", "ju"),
    (r"oa|oe", "O"),
    (r"ou", "W"),
    (r"ow\b", "O"),
    (r"ow", "W"),
    (r"oi|oy", "Y"),
    (r"au|aw", "ɔ"),
    (r"eu", "ju"),
    (r"a(?=[bcdfgklmnpqrstvz]e(?:s|d)?\b)", "A"),
    (r"i(?=[bcdfgklmnpqrstvz]e(?:s|d)?\b)", "I"),
    (r"o(?=[bcdfgklmnpqrstvz]e(?:s|d)?\b)", "O"),
    (r"u(?=[bcdfgklmnpqrstvz]e(?:s|d)?\b)", "u"),
    (r"(?<=[^aeiou])e(?=s?\b)(?<=..e)", ""),
    (r"a\b", "ə"),
    (r"i\b", "i"),
    (r"o\b", "O"),
    (r"u\b", "u"),
    (r"y\b", "i"),
    (r"^y|y(?=[aeiou])", "j"),
    (r"a", "æ"),
    (r"e", "ɛ"),
    (r"i|y", "ɪ"),
    (r"o", "ɑ"),
    (r"u", "ʌ"),
    (r"c(?=[eiy])", "s"),
    (r"cc|c", "k"),
    (r"g(?=[eiy])", "ʤ"),
    (r"gg|g", "ɡ"),
    (r"j", "ʤ"),
    (r"x", "ks"),
    (r"r+", "ɹ"),
    (r"bb|b", "b"),
    (r"dd|d", "d"),
    (r"ff|f", "f"),
    (r"h", "h"),
    (r"kk|k", "k"),
    (r"ll|l", "l"),
    (r"mm|m", "m"),
    (r"nn|n", "n"),
    (r"pp|p", "p"),
    (r"q", "k"),
    (r"(?<=[aeiou])s(?=[aeiou])", "z"),
    (r"ss|s", "s"),
    (r"tt|t", "t"),
    (r"vv|v", "v"),
    (r"w", "w"),
    (r"zz|z", "z"),
)
_COMPILED = tuple((re.compile(spelling), sound) for spelling, sound in _RULES)


def sounded(word: str) -> str:
    """The probable sound, in the lexicon's notation; "" for a word without Latin letters.

    word: lower case.
    """
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    letters = re.sub(r"[^a-z]", "", plain)
    sounds: list[str] = []
    place = 0
    while place < len(letters):
        for spelling, sound in _COMPILED:
            match = spelling.match(letters, place)
            if match:
                sounds.append(sound)
                place = match.end()
                break
        else:
            place += 1
    return _stressed("".join(sounds))


def _stressed(sounds: str) -> str:
    vowels = [place for place, sound in enumerate(sounds) if sound in _VOWELS]
    if not vowels:
        return sounds
    place = vowels[0] if len(vowels) <= 2 else vowels[-3]
    return f"{sounds[:place]}ˈ{sounds[place:]}"
