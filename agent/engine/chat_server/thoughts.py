"""A model's text as it is decoded -> what of it is meant for the listener. Pure.

A server that knows the model's template takes the rest out itself; one that does not sends it as text: what
the model thinks before it answers, calls of tools, the control tokens of the template. Sources: the chat
templates of Qwen3, DeepSeek-R1, Seed-OSS (`<seed:think>`), Magistral (`[THINK]`), Kimi-VL, Hermes
(`<tool_call>`), Gemma, and OpenAI's Harmony format (`<|channel|>analysis<|message|>`).
"""

import re
from typing import Literal

CALL_CHARS_MAX = 1 << 16
_HEADER_CHARS_MAX = 80
_TAGS = ("think", "thinking", "thought", "thoughts", "reasoning", "reflection", "seed:think")

_OPEN = [*(f"<{tag}>" for tag in _TAGS), "[think]", "◁think▷", "<|begin_of_thought|>"]
_CLOSE = [*(f"</{tag}>" for tag in _TAGS), "[/think]", "◁/think▷", "<|end_of_thought|>"]
_HEADER = ["<|start|>", "<|channel|>", "<|im_start|>", "<|start_header_id|>", "<start_of_turn>"]
_BODY = ["<|message|>", "<|end_header_id|>"]
_CONTROL = ["<s>", "</s>", "<bos>", "<eos>", "<pad>", "<unk>", "<end_of_turn>"]

_Kind = Literal["open", "close", "call", "called", "header", "body", "end", "control"]
_KINDS: dict[str, _Kind] = {
    **dict.fromkeys(_OPEN, "open"),
    **dict.fromkeys(_CLOSE, "close"),
    **dict.fromkeys(_HEADER, "header"),
    **dict.fromkeys(_BODY, "body"),
    **dict.fromkeys(_CONTROL, "control"),
    "<tool_call>": "call",
    "</tool_call>": "called",
    "<|end|>": "end",
}
# DeepSeek's control tokens have the fullwidth bar.
_MARKER = re.compile(
    "|".join(map(re.escape, _KINDS)) + r"|<[|｜][^<>\[◁\s]{1,40}[|｜]>", re.IGNORECASE | re.ASCII
)
_CONTROL_BEGUN = re.compile(r"<[|｜][^<>\[◁\s]{0,41}", re.ASCII)
_MARKER_CHARS_MAX = 44


class VisibleText:
    """Takes the text in pieces, cut anywhere, and gives back what is to be shown and spoken.

    written_calls: the contents of `<tool_call>`, JSON as the model wrote it. What stood before an end of
    thoughts without a beginning has been given back already.
    """

    def __init__(self) -> None:
        self.written_calls: list[str] = []
        self._state: Literal["visible", "thought", "header", "call"] = "visible"
        self._held = ""  # what may yet become a marker
        self._kept = ""  # of a header, or of a call
        self._has_begun = False

    def push(self, text: str) -> str:
        text = self._held + text
        shown, at = [], 0
        for marker in _MARKER.finditer(text):
            shown.append(self._passed(text[at : marker.start()]))
            self._turn(_KINDS.get(marker[0].lower(), "control"))
            at = marker.end()
        rest = text[at:]
        self._held = rest[_possible_marker(rest) :]
        shown.append(self._passed(rest[: len(rest) - len(self._held)]))
        return self._begun("".join(shown))

    def finish(self) -> str:
        """Return what was held back. Thoughts that have no end were thoughts all the same."""
        shown = self._begun(self._passed(self._held))
        self._held = ""
        self._turn("called")
        return shown

    def _passed(self, text: str) -> str:
        """Text without markers goes by; return what of it is visible."""
        match self._state:
            case "visible":
                return text
            case "thought":
                return ""
            case "call":
                self._kept = (self._kept + text)[: CALL_CHARS_MAX + 1]
                return ""
            case "header":
                self._kept += text
                line, line_end, _ = self._kept[:_HEADER_CHARS_MAX].partition("\n")
                if not line_end and len(self._kept) <= _HEADER_CHARS_MAX:
                    return ""
                self._state = "visible"  # "<|im_start|>assistant\n": the header ends with its line
                return self._kept[len(line) :]

    def _turn(self, marker: _Kind) -> None:
        """What comes after a marker."""
        match self._state, marker:
            case "call", "called":
                if len(self._kept) <= CALL_CHARS_MAX:
                    self.written_calls.append(self._kept)
                self._state = "visible"
            case "call", _:
                pass
            case _, "header":
                self._state, self._kept = "header", ""
            case "header", "body":
                speaks = not self._kept.strip().lower().startswith(("analysis", "commentary"))
                self._state = "visible" if speaks else "thought"
            case (("visible" | "thought" | "header"), ("close" | "end")):
                self._state = "visible"
            case (("visible" | "header"), "open"):
                self._state = "thought"
            case (("visible" | "header"), "call"):
                self._state, self._kept = "call", ""
            case _:
                pass

    def _begun(self, shown: str) -> str:
        """The space between thoughts and answer belongs to neither."""
        if not self._has_begun:
            shown = shown.lstrip()
            self._has_begun = bool(shown)
        return shown


def _possible_marker(text: str) -> int:
    """Where the end of the text may be the beginning of a marker; its length where it is not."""
    start = max(text.rfind(sign, -_MARKER_CHARS_MAX) for sign in "<[◁")
    if start < 0:
        return len(text)
    tail = text[start:].lower()
    begun = any(marker.startswith(tail) for marker in _KINDS) or _CONTROL_BEGUN.fullmatch(tail)
    return start if begun else len(text)


class WholeCharacters:
    """Joins the two halves of a character that a server cut between two JSON strings (UTF-16 surrogates)."""

    def __init__(self) -> None:
        self._half = ""

    def push(self, text: str) -> str:
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return whole_characters(text.removesuffix(self._half) if self._half else text)


def whole_characters(text: str) -> str:
    """The text with surrogate pairs as one character, and halves without their other left out."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
