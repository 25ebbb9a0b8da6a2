"""Abbreviations with a full stop: what they stand for, and whether the stop ends a sentence, too."""

import re

from agent.speech_text.dates import MONTHS
from agent.speech_text.rule import CONTEXT, Rule, after, any_of, before

_BEFORE_NAMES = {
    "Dr.": "doctor",
    "Mr.": "mister",
    "Mrs.": "missus",
    "Ms.": "miz",
    "Prof.": "professor",
    "Rev.": "reverend",
    "Hon.": "honorable",
    "Gov.": "governor",
    "Sen.": "senator",
    "Rep.": "representative",
    "Pres.": "president",
    "Gen.": "general",
    "Col.": "colonel",
    "Maj.": "major",
    "Capt.": "captain",
    "Cpt.": "captain",
    "Lt.": "lieutenant",
    "Sgt.": "sergeant",
    "St.": "saint",
    "Mt.": "mount",
    "Ft.": "fort",
}
_BEFORE_NUMBERS = {
    "Fig.": "figure",
    "fig.": "figure",
    "Vol.": "volume",
    "vol.": "volume",
    "Ch.": "chapter",
    "ch.": "chapter",
    "Sec.": "section",
    "sec.": "section",
    "Eq.": "equation",
    "Art.": "article",
    "p.": "page",
    "pp.": "pages",
    "ca.": "about",
    "tel.": "telephone",
    "Tel.": "telephone",
    "ext.": "extension",
    "Ext.": "extension",
}
_ANYWHERE = {
    "etc.": "et cetera",
    "Jr.": "junior",
    "Sr.": "senior",
    "Inc.": "incorporated",
    "Ltd.": "limited",
    "Corp.": "corporation",
    "Co.": "company",
    "Bros.": "brothers",
    "Ave.": "avenue",
    "Blvd.": "boulevard",
    "Rd.": "road",
    "Ln.": "lane",
    "Hwy.": "highway",
    "Apt.": "apartment",
    "Dept.": "department",
    "dept.": "department",
    "Univ.": "university",
    "est.": "estimated",
    "temp.": "temperature",
    "max.": "maximum",
    "Ph.D.": "P H D",
    "PhD.": "P H D",
    "M.Sc.": "M S C",
    "B.Sc.": "B S C",
    "et al.": "and others",
    **{f"{month[:3]}.": month for month in MONTHS if month != "May"},
    "Sept.": "September",
}
_INSIDE_SENTENCES = {
    "vs.": "versus",
    "e.g.": "for example",
    "i.e.": "that is",
    "E.g.": "for example",
    "I.e.": "that is",
    "approx.": "approximately",
    "cf.": "compare",
}
_STREETS = {"St.": "street", "Dr.": "drive"}
_WITHOUT_STOP = {
    "vs": "versus",
    "etc": "et cetera",
    "PhD": "P H D",
    "Ctrl": "control",
    "Cmd": "command",
    "w/o": "without",
    "w/": "with",
}
# Capitals that begin a sentence rather than a name.
_STARTERS = any_of(
    (
        "The",
        "It",
        "He",
        "She",
        "We",
        "You",
        "They",
        "I",
        "This",
        "That",
        "There",
        "Then",
        "Turn",
        "And",
        "But",
        "In",
        "On",
        "At",
        "If",
    )
)
_SENTENCE_BEGINS = r"(?=\s{1,9}[\"'“‘(*]{0,3}[A-Z]|[\"'”’)*]{0,3}\s{0,9}$)"


def _is_street(front: str, back: str) -> bool:
    """ "Main St. is", "42nd St."; but "St. Louis", "in downtown St. Louis"."""
    if re.search(r"\d(?:st|nd|rd|th)\s$", front):
        return True
    return bool(re.search(r"\b[A-Z][a-z]+\s$", front) and not re.match(rf"\s(?!{_STARTERS}\b)[A-Z]", back))


def _title_or_street(match: re.Match[str]) -> str:
    name = match["name"]
    if name in _STREETS and _is_street(before(match), after(match)):
        stop = " ." if re.match(_SENTENCE_BEGINS, after(match)) else ""
        return _STREETS[name] + stop
    return _BEFORE_NAMES[name]


ABBREVIATIONS = (
    Rule(rf"(?<!\w)(?P<name>{any_of(_BEFORE_NAMES)})", _title_or_street),
    Rule(rf"(?<!\w)(?P<number>{any_of(_BEFORE_NUMBERS)})(?=\s?\d)", lambda match: _BEFORE_NUMBERS[match[0]]),
    Rule(rf"(?<!\w){any_of(_INSIDE_SENTENCES)}", lambda match: _INSIDE_SENTENCES[match[0]]),
    # Where a sentence begins after it, the stop is left for the pause.
    Rule(
        rf"(?<!\w)(?:{any_of(one[:-1] for one in _ANYWHERE)}(?=\.)(?:\.(?!{_SENTENCE_BEGINS}))?)",
        lambda match: _ANYWHERE[match[0].rstrip(".") + "."],
    ),
    Rule(rf"(?<!\w){any_of(_WITHOUT_STOP)}(?![\w/])", lambda match: _WITHOUT_STOP[match[0]]),
)


_WORD_WITH_STOP = re.compile(
    r"(?:(?<![\w.])|(?<=\d))(?:et al|(?:[A-Za-z]{1,3}\.){1,5}[A-Za-z]{0,3}|[A-Za-z]{1,6}|\d+)\.$"
)


def ends_sentence(text: str, end: int) -> bool | None:
    """Whether the full stop before `end` ends a sentence; None where only what follows can tell.

    text: a sentence's beginning, or that of a line, to what has been written so far.
    """
    front, back = text[max(0, end - CONTEXT) : end], text[end : end + CONTEXT]
    found = _WORD_WITH_STOP.search(front)
    if found is None:
        return True
    word = found[0]
    follower = back.lstrip()[:1]
    if word[:-1].isdigit():
        # The number of a list's line belongs to it.
        return text[:end].rpartition("\n")[2].strip() != word
    if word in _INSIDE_SENTENCES:
        return False
    if word in _STREETS and follower and _is_street(front[: found.start()], back):
        return follower.isupper()
    if word in _BEFORE_NAMES:
        return False
    is_time = word.lower() in {"a.m.", "p.m."}
    is_number_word = word in _BEFORE_NUMBERS or word.lower() in {"no.", "nos."}
    if not (is_time or is_number_word or word in _ANYWHERE):
        # "J. Smith", "the U.S. team".
        return re.fullmatch(r"(?:\w\.)+", word) is None
    if not follower:
        return None
    return not follower.isdigit() if is_number_word else follower.isupper()
