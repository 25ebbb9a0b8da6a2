"""Markdown and HTML: signs that shape a page and are not read."""

import re

from agent.speech_text.numbers import cardinal
from agent.speech_text.rule import Rule, any_of, nothing

_BLOCKS = ("br", "p", "div", "li", "ul", "ol", "tr", "td", "th", "table", "hr", "h1", "h2", "h3", "h4")
_ATTRIBUTE = r"\s{1,9}[\w:-]{1,40}\s?=\s?(?:\"[^\"<>]{0,300}\"|'[^'<>]{0,300}'|[^\s\"'<>]{1,300})"
_ENTITIES = {
    "&amp;": "and",
    "&lt;": "less than",
    "&gt;": "greater than",
    "&deg;": "degrees",
    "&nbsp;": "",
    "&quot;": "",
    "&mdash;": ",",
    "&ndash;": ",",
    "&hellip;": ".",
}


def _tag(match: re.Match[str]) -> str:
    return "," if match["tag"].lower() in _BLOCKS else ""


def _list_number(match: re.Match[str]) -> str:
    return f"{cardinal(match['list_number'])} ."


MARKUP = (
    Rule(r"```\w{0,20}|~~~", nothing),
    Rule(r"<!--[^<>]{0,400}-->|<\|\w{1,40}\|>", nothing),
    Rule(rf"</?(?P<tag>[A-Za-z][\w-]{{0,30}})(?:{_ATTRIBUTE}){{0,12}}\s?/?>", _tag),
    Rule(r"<(?=https?:|[\w.+-]{1,64}@)", nothing),
    Rule(any_of(_ENTITIES), lambda match: _ENTITIES[match[0]]),
    # A link's text is read, its address is not.
    Rule(r"!?\[(?=[^\[\]\n]{1,400}\]\()|\]\([^()\n]{0,2000}\)", nothing),
    Rule(r"(?m:^[ ]{0,8}(?:\#{1,6}[ ]|>[ ]?|[-*+•][ ]+(?:\[[ xX]\][ ])?))", nothing),
    Rule(r"(?m:^[ ]{0,8}(?P<list_number>\d{1,3})\)[ ]+)", _list_number),
    Rule(r"(?m:^[ ]{0,8}(?:[-*_|:][ ]?){3,200}$)", nothing),
    Rule(r"[ ]{0,9}\|[ ]{0,9}", lambda _: ","),
)
