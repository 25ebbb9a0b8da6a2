"""IFEval's 25 instructions that code can check (Zhou et al. 2023, arXiv:2311.07911, appendix; its data's
`kwargs`).

Written from the definitions; where the published checker is odder than its words, the rule says so, for its
figures are the ones to be compared with.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from evaluation.errors import EvaluationError
from evaluation.scoring.spoken.ifeval.text import has_language, n_capital_words, n_sentences, n_words

Arguments = Mapping[str, Any]
Rule = Callable[[str, Arguments], bool]


def follows(instruction_id: str, response: str, arguments: Arguments) -> bool:
    """Whether the response keeps to the instruction. An empty one keeps to none.

    arguments: as the data's `kwargs`; a null is as good as absent. Raises EvaluationError for an instruction
    that is not known and for an argument that is missing or of another type.
    """
    rule = RULES.get(instruction_id)
    if rule is None:
        raise EvaluationError(
            f"{instruction_id!r} is no instruction of IFEval: expected one of {', '.join(RULES)}."
        )
    if not response.strip():
        return False
    try:
        return rule(response, {name: value for name, value in arguments.items() if value is not None})
    except KeyError as missing:
        raise EvaluationError(f"{instruction_id} needs the argument {missing} in kwargs.") from None
    except (TypeError, AttributeError):
        raise EvaluationError(
            f"{instruction_id} cannot use its kwargs: a value is of another type."
        ) from None


def _within(n: int, relation: str, limit: float) -> bool:
    """relation: "less than" or "at least", the only ones that the data has."""
    if relation not in ("less than", "at least"):
        raise EvaluationError(f"expected the relation 'less than' or 'at least', got {relation!r}.")
    return n < limit if relation == "less than" else n >= limit


def _number(given: Arguments, name: str) -> float:
    value = given[name]
    if not isinstance(value, int | float):
        raise TypeError(name)
    return value


def _found(word: str, text: str) -> int:
    """Inside longer words, too."""
    return len(re.findall(re.escape(word), text, re.IGNORECASE))


def _keywords(response: str, given: Arguments) -> bool:
    return all(_found(word, response) for word in given["keywords"])


def _keyword_frequency(response: str, given: Arguments) -> bool:
    return _within(_found(given["keyword"], response), given["relation"], given["frequency"])


def _forbidden_words(response: str, given: Arguments) -> bool:
    """Whole words alone: "cat" does not forbid "category"."""
    words = (re.escape(word) for word in given["forbidden_words"])
    return not any(re.search(rf"\b{word}\b", response, re.IGNORECASE) for word in words)


def _letter_frequency(response: str, given: Arguments) -> bool:
    n = response.lower().count(given["letter"].lower())
    return _within(n, given["let_relation"], given["let_frequency"])


def _language(response: str, given: Arguments) -> bool:
    return has_language(response, given["language"])


def _sentences(response: str, given: Arguments) -> bool:
    return _within(n_sentences(response), given["relation"], given["num_sentences"])


def _words(response: str, given: Arguments) -> bool:
    return _within(n_words(response), given["relation"], given["num_words"])


def _paragraphs(response: str, given: Arguments) -> bool:
    """Divided by ***; an empty one may stand at the beginning and at the end alone."""
    parts = [part.strip() for part in re.split(r"\s?\*\*\*\s?", response)]
    if not all(parts[1:-1]):
        return False
    return sum(map(bool, parts)) == _number(given, "num_paragraphs")


def _nth_paragraph_first_word(response: str, given: Arguments) -> bool:
    """Divided by one empty line. Empty ones do not count, but the n-th is found among all, as published."""
    paragraphs = response.split("\n\n")
    n_filled = sum(bool(paragraph.strip()) for paragraph in paragraphs)
    nth = int(_number(given, "nth_paragraph"))
    if n_filled != _number(given, "num_paragraphs") or not 1 <= nth <= n_filled:
        return False
    words = paragraphs[nth - 1].split()
    if not words:
        return False
    first = re.split(r"""[.,?!'"]""", words[0].lstrip("'").lstrip('"'))[0]
    return first.lower() == str(given["first_word"]).lower()


def _placeholders(response: str, given: Arguments) -> bool:
    return len(re.findall(r"\[.*?\]", response)) >= _number(given, "num_placeholders")


def _postscript(response: str, given: Arguments) -> bool:
    marker = given["postscript_marker"]
    spaced = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    return re.search(spaced.get(marker, re.escape(marker.lower())), response.lower()) is not None


def _bullets(response: str, given: Arguments) -> bool:
    """Lines that begin with - or with a single *; exactly so many."""
    stars = re.findall(r"^\s*\*[^*].*$", response, re.MULTILINE)
    dashes = re.findall(r"^\s*-.*$", response, re.MULTILINE)
    return len(stars) + len(dashes) == _number(given, "num_bullets")


def _constrained_response(response: str, given: Arguments) -> bool:
    return any(f"My answer is {word}." in response for word in ("yes", "no", "maybe"))


def _highlights(response: str, given: Arguments) -> bool:
    """*so* or **so**, with something between; the second kind counts as published, by both patterns."""
    single = [one for one in re.findall(r"\*([^\n*]*)\*", response) if one.strip()]
    double = [one for one in re.findall(r"\*\*([^\n*]*)\*\*", response) if one.strip()]
    return len(single) + len(double) >= _number(given, "num_highlights")


def _sections(response: str, given: Arguments) -> bool:
    """ "Section 1", by whatever word the instruction asks for."""
    heads = re.findall(rf"\s?{re.escape(given['section_spliter'])}\s?\d+\s?", response)
    return len(heads) >= _number(given, "num_sections")


def _json_format(response: str, given: Arguments) -> bool:
    fenced = re.fullmatch(r"(?:```(?:json|Json|JSON)?)?(.*?)(?:```)?", response.strip(), re.DOTALL)
    try:
        json.loads(fenced[1].strip() if fenced else response)
    except ValueError:
        return False
    return True


def _title(response: str, given: Arguments) -> bool:
    titles: list[str] = re.findall(r"<<[^\n]+>>", response)
    return any(title.lstrip("<").rstrip(">").strip() for title in titles)


def _two_responses(response: str, given: Arguments) -> bool:
    """Divided by ******, and not the same."""
    parts = [part.strip() for part in response.split("******")]
    filled = [part for part in parts if part]
    return all(parts[1:-1]) and len(filled) == 2 and filled[0] != filled[1]


def _repeat_prompt(response: str, given: Arguments) -> bool:
    return response.strip().lower().startswith(str(given["prompt_to_repeat"]).strip().lower())


def _end_phrase(response: str, given: Arguments) -> bool:
    return response.strip().strip('"').lower().endswith(str(given["end_phrase"]).strip().lower())


def _capital_words(response: str, given: Arguments) -> bool:
    return _within(n_capital_words(response), given["capital_relation"], given["capital_frequency"])


def _english_capitals(response: str, given: Arguments) -> bool:
    return response.isupper() and has_language(response, "en")


def _english_lowercase(response: str, given: Arguments) -> bool:
    return response.islower() and has_language(response, "en")


def _no_comma(response: str, given: Arguments) -> bool:
    return "," not in response


def _quotation(response: str, given: Arguments) -> bool:
    text = response.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


RULES: Mapping[str, Rule] = {
    "keywords:existence": _keywords,
    "keywords:frequency": _keyword_frequency,
    "keywords:forbidden_words": _forbidden_words,
    "keywords:letter_frequency": _letter_frequency,
    "language:response_language": _language,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_words": _words,
    "length_constraints:nth_paragraph_first_word": _nth_paragraph_first_word,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:constrained_response": _constrained_response,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _json_format,
    "detectable_format:title": _title,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeat_prompt,
    "startend:end_checker": _end_phrase,
    "startend:quotation": _quotation,
    "change_case:capital_word_frequency": _capital_words,
    "change_case:english_capital": _english_capitals,
    "change_case:english_lowercase": _english_lowercase,
    "punctuation:no_comma": _no_comma,
}
