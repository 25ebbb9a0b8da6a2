"""Letters said by their names, Roman numerals, and words as they are."""

import re
import unicodedata

from agent.speech_text.numbers import cardinal, digits, ordinal
from agent.speech_text.rule import Rule, after, any_of, before

# Capitals that the lexicon would take for a word in lower case.
_INITIALISMS = ("US", "IT", "WHO", "AM", "PM", "ID", "OS", "UN", "AI")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_NUMBERED = any_of(
    (
        *("Chapter", "Part", "Section", "Volume", "Book", "Act", "Scene", "Appendix", "Article", "Title"),
        *("War", "Phase", "Type", "Stage", "Level", "Class", "Grade", "Figure", "Table", "Step", "Mark"),
    )
)
_REIGNING = any_of(
    (
        *(
            "Henry",
            "Louis",
            "Elizabeth",
            "George",
            "Charles",
            "Edward",
            "James",
            "William",
            "Richard",
            "Mary",
        ),
        *(
            "Philip",
            "Paul",
            "Benedict",
            "Pius",
            "Francis",
            "Leo",
            "Gregory",
            "Napoleon",
            "Nicholas",
            "Catherine",
        ),
        *(
            "Peter",
            "Alexander",
            "Ivan",
            "Frederick",
            "Wilhelm",
            "Ramses",
            "Ptolemy",
            "John",
            "Innocent",
            "Urban",
        ),
    )
)
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50}
_ROMAN = r"(?=[IVXL])X{0,3}(?:XL|L)?X{0,3}(?:IX|IV|V?I{0,3})"
_LETTER = r"[^\W\d_²³½¼¾⅓⅔⅛⅜⅝⅞]"


def _numbered(match: re.Match[str]) -> str:
    return f"{match['what']} {cardinal(_roman(match['numeral']))}"


def _roman_numeral(match: re.Match[str]) -> str:
    value = _roman(match["numeral"])
    if re.search(rf"\b{_REIGNING}\s$", before(match)):
        return f"the {ordinal(value)}"
    return cardinal(value)


def _roman(written: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in written]
    return sum(-value if value < max(values[place:]) else value for place, value in enumerate(values))


def _code(match: re.Match[str]) -> str:
    """ "H2O" -> "H two O"; of three digits or more, each is said: "BA2490"."""
    parts = re.findall(r"\d+|[A-Z]", match[0].translate(_SUBSCRIPTS))
    return " ".join(part if part.isalpha() else _said_figures(part) for part in parts)


def _said_figures(written: str) -> str:
    return digits(written) if len(written) > 2 or written.startswith("0") else cardinal(written)


def _initials(match: re.Match[str]) -> str:
    return " ".join(letter for letter in match[0].upper() if letter.isalpha())


def _initials_with_and(match: re.Match[str]) -> str:
    return " and ".join(" ".join(part) for part in re.split(r"&(?:amp;)?", match[0]))


def _initialism(match: re.Match[str]) -> str:
    """ "the US army"; but not where everything is written in capitals."""
    shouts = not any(letter.islower() for letter in before(match) + after(match))
    return match[0] if shouts and len(before(match) + after(match)) > 2 else " ".join(match[0])


def _greek_letter(match: re.Match[str]) -> str:
    return unicodedata.name(match[0]).rpartition(" ")[2].lower().replace("lamda", "lambda")


def _word(match: re.Match[str]) -> str:
    # Roman or circled figures count as letters of a word for `re`; no voice can say them.
    return "".join(sign for sign in match[0].replace("’", "'") if sign.isalpha() or sign in "'-").strip("'-")


LETTERS = (
    Rule(r"(?<![\w&])[A-Z]{1,2}(?:&(?:amp;)?[A-Z]{1,2}){1,3}(?!\w)", _initials_with_and),
    Rule(r"(?<!\w)(?:[A-Za-z]\.){2,12}", _initials),
    Rule(rf"(?<!\w)(?P<what>{_NUMBERED})\s(?P<numeral>{_ROMAN})(?!\w)", _numbered),
    Rule(rf"(?<!\w)(?P<numeral>(?=[IVXL]{{2}}){_ROMAN})(?!\w)", _roman_numeral),
    Rule(r"(?<!\w)[A-Z]{1,4}[\d₀-₉]{1,6}(?:[A-Z]{1,3}[\d₀-₉]{0,4}){0,3}(?!\w)", _code),
    Rule(rf"(?<!\w){any_of(_INITIALISMS)}(?![\w'’])", _initialism),
    Rule(r"(?<!\w)[Α-ΡΣ-Ωα-ω](?!\w)", _greek_letter),
    Rule(rf"{_LETTER}+(?:['’-]{_LETTER}+)*", _word),
)
