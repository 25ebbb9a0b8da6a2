"""A typed instruction beside a clip -> what of the clip it asks for, as far as that can be told. Pure.

English. A question counts only if all of it is about the clip: "What is said?" is, "What is said about dogs?"
is about the words, and those are the language model's. So each clause has to match a phrase as a whole,
without its politeness and without the "in the recording" at its end.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from agent.analysis.phrases import ADDITIONS, BY_THE_WAY, PHRASES, POLITENESS, WORDS, Topic

CHARS_MAX = 300
"""Of an instruction; a longer one asks for more than what a clip is like."""


@dataclass(frozen=True, slots=True)
class Asked:
    """topics: in the order of the question, each once. names_clip: by a noun ("the clip"), not "it"."""

    topics: tuple[Topic, ...]
    names_clip: bool


def asked(instruction: str) -> Asked | None:
    """None where anything but the clip itself is asked for."""
    if len(instruction) > CHARS_MAX:
        return None
    text = _plain(instruction)
    found = [topic for sentence in re.split(r"[.?!;:\n]+", text) for topic in _topics(sentence)]
    topics = [topic for topic in found if isinstance(topic, Topic)]
    if not topics or not all(found):
        return None
    return Asked(tuple(dict.fromkeys(topics)), re.search(rf"\b{_expanded('NAMED')}\b", text) is not None)


def _topics(sentence: str) -> Iterator[Topic | bool]:
    """Of each clause its topic, True where it asks for nothing, False where it is about something else."""
    whole = _topic(sentence)
    if whole:
        yield whole
        return
    yield from map(_topic, re.split(r",| and | or | as well as | then ", sentence))


def _topic(clause: str) -> Topic | bool:
    core = _core(clause)
    if not core or _is(core, BY_THE_WAY):
        return True
    return next((topic for topic, phrases in PHRASES.items() if _is(core, phrases)), False)


def _plain(instruction: str) -> str:
    """Lower case, contractions written out, without the language tags of speech models' prompts."""
    text = re.sub(r"<\|[^|]*\|>", " ", instruction.lower().replace("’", "'"))
    text = re.sub(r"\b(what|who|how|where|when|there|that|it|here|he|she)'s\b", r"\1 is", text)
    text = re.sub(r"\b(they|you|we|what|who)'re\b", r"\1 are", text)
    text = re.sub(r"\bi'd\b", "i would", text)
    return re.sub(r"[\"“”()*_`]|[ \t]+", " ", text).strip()


def _core(clause: str) -> str:
    """Without what stands before and after a question and asks for nothing."""
    core = " ".join(clause.replace(",", " ").replace("-", " ").split())
    while (shorter := _without(core)) != core:
        core = shorter
    return core


def _without(core: str) -> str:
    core = re.sub(rf"^(?:{_either(POLITENESS)}) +", "", core)
    return re.sub(rf" +(?:{_either(ADDITIONS)})$", "", core)


# Phrases -> regular expressions ------------------------------------------------------------------


def _is(clause: str, phrases: str) -> bool:
    return re.fullmatch(_either(phrases), clause) is not None


@cache
def _either(phrases: str) -> str:
    """One expression for the phrases of all lines."""
    return "|".join(_expression(line.strip()) for line in phrases.split("\n") if line.strip())


@cache
def _expanded(word: str) -> str:
    return f"(?:{_expression(WORDS[word])})"


_MARKS = re.compile(r"[A-Z_]{2,}|\[(?!sz\])|(?<!\[sz)\]| |\((?!\?)")


def _expression(phrase: str) -> str:
    def of(mark: re.Match[str]) -> str:
        match mark[0]:
            case "[" | "(":
                return "(?:"
            case "]":
                return ")?"
            case " ":
                return " *"
            case word:
                return _expanded(word)

    return _MARKS.sub(of, phrase)
