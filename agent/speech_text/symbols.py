"""Signs that are read as words, and signs that make a pause."""

import re

from agent.speech_text.rule import Rule, any_of

_SYMBOLS = {
    "&": "and",
    "+": "plus",
    "−": "minus",
    "±": "plus or minus",
    "=": "equals",
    "≠": "is not equal to",
    "×": "times",
    "÷": "divided by",
    "√": "the square root of",
    "@": "at",
    "%": "percent",
    "<": "less than",
    ">": "greater than",
    "→": "to",
    "≈": "about",
    "≤": "at most",
    "≥": "at least",
    "°": "degrees",
    "²": "squared",
    "³": "cubed",
    "$": "dollars",
    "€": "euros",
    "£": "pounds",
}

_PERIODS = ("second", "minute", "hour", "day", "night", "week", "month", "year", "person")

NUMBER_SIGNS = (
    Rule(r"(?:#|№\s?|(?<!\w)[Nn]os?\.\s?)(?=\d)", lambda _: "number"),
    Rule(r"(?<![\w~])~\s?(?=[\d$€£])", lambda _: "about"),
    Rule(r"(?<=\d)\s?\*\s?(?=\d)", lambda _: "times"),
    Rule(r"(?<=\d)(?<!\b0)\s?x\s?(?=\d)", lambda _: "by"),
    Rule(r"(?<=\d)\s/\s(?=\d)", lambda _: "divided by"),
    Rule(r"(?<=[\w)])\^(?=[\w(])", lambda _: "to the power of"),
    Rule(rf"(?<=[a-z])/(?={any_of(_PERIODS)}\b)", lambda _: "per"),
    Rule(r"[-=]>", lambda _: "to"),
    # Options of commands: "rm -rf", "--force".
    Rule(r"(?<![^\s`(])-{1,2}(?=[A-Za-z])", lambda match: " ".join(["dash"] * len(match[0]))),
)
SYMBOLS = (
    Rule(r"\.{2,}|…", lambda _: "."),
    Rule(r"[,.?!;:]+", lambda match: match[0][0]),
    Rule(r"[ ][-–—]+[ ]|[–—]+|[()\[\]]", lambda _: ","),
    Rule(r"\n\s*", lambda _: "."),
    Rule(rf"[{re.escape(''.join(_SYMBOLS))}]", lambda match: _SYMBOLS[match[0]]),
)
