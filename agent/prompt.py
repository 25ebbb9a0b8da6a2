"""A conversation -> what a language model that reads is given. Pure.

Two forms: the ChatML text of a small model, with example turns and a limit on its length, and the
messages of the OpenAI chat protocol.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent.api import (
    AUTO_TRUNCATION,
    AssistantMessage,
    AudioPart,
    Message,
    SystemMessage,
    TextPart,
    Tool,
    ToolCallMessage,
    ToolResultMessage,
    Truncation,
    UserMessage,
)
from agent.history import NO_OUTPUT, Fitted, fitted

PERSONA = "You are Parlour, a friendly voice assistant."
"""For a session without instructions of its own."""
SPEECH_RULE = (
    "Everything you write is spoken aloud. Answer in one or two short sentences, as people talk: no "
    "markdown, no lists, no emoji, numbers and units in a form that can be read out. What the user says "
    "reaches you through speech recognition, so forgive misheard words."
)
SMALL_SPEECH_RULE = "You answer in one short sentence."
"""The same for a model of 135 million parameters, which a long rule only confuses."""

_ANSWER = "<|im_start|>assistant\n"

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Line:
    role: Role
    text: str


EXAMPLES: tuple[Line, ...] = (
    Line("user", "How many minutes are in an hour?"),
    Line("assistant", "There are sixty minutes in an hour."),
    Line("user", "Who painted the Mona Lisa?"),
    Line("assistant", "Leonardo da Vinci painted the Mona Lisa."),
    Line("user", "I have a cat called Luna."),
    Line("assistant", "Luna is a lovely name for a cat."),
    Line("user", "What is my cat called?"),
    Line("assistant", "Your cat is called Luna."),
    Line("user", "What should I eat for breakfast?"),
    Line("assistant", "You could eat some fruit, or eggs with toast."),
)
"""Turns that show a small model how to answer, and that what was said earlier counts. Chosen among
nine sets by the share of right answers to everyday questions and to questions about earlier turns;
they count more than any wording of the rule (tests/bench/bench_agent.py)."""


# For a small model -----------------------------------------------------------------------


def small_prompt(
    instructions: str, messages: Sequence[Message], budget_tokens: int, examples: Sequence[Line] = EXAMPLES
) -> str:
    """ChatML that ends where the assistant's answer begins.

    budget_tokens: for the whole prompt, as `token_estimate` counts. Raises AgentError where the instructions
    alone take it.
    """
    made = small_fitted(instructions, messages, budget_tokens, AUTO_TRUNCATION, examples)
    return small_chatml(instructions, made.messages, examples)


def small_fitted(
    instructions: str,
    messages: Sequence[Message],
    budget_tokens: int,
    truncation: Truncation,
    examples: Sequence[Line] = EXAMPLES,
    tokens_per_estimate: float = 1.0,
) -> Fitted:
    """The messages that fit. tokens_per_estimate: where the model has counted. Raises AgentError."""

    def tokens(text: str) -> int:
        return math.ceil(token_estimate(text) * tokens_per_estimate)

    def size(message: Message) -> int:
        line = _line(message)
        return tokens(_chatml([line])) if line is not None else 0

    head = small_prefix(instructions, examples) + _ANSWER
    return fitted(messages, size, tokens(head), budget_tokens, truncation)


def small_chatml(instructions: str, messages: Sequence[Message], examples: Sequence[Line] = EXAMPLES) -> str:
    system, lines = _system_and_lines(_small_system(instructions), messages)
    return _chatml([Line("system", system), *examples, *lines]) + _ANSWER


def small_prefix(instructions: str, examples: Sequence[Line] = EXAMPLES) -> str:
    """What the prompts of all conversations with these instructions begin with."""
    return _chatml([Line("system", _small_system(instructions)), *examples])


def _small_system(instructions: str) -> str:
    return f"{instructions or PERSONA} {SMALL_SPEECH_RULE}"


def token_estimate(text: str) -> int:
    """At least as many as SmolLM2's tokenizer makes of everyday text in Latin letters."""
    return math.ceil(len(text.encode()) / 3)


FEWEST_TOKENS_PER_ESTIMATE = 0.6
"""Of English text: where the estimate, which is a careful one, says no, the model may still say yes."""


def plain(text: str) -> str:
    """The same text, of which no tokenizer makes a control token.

    Every control token of SmolLM2 begins with "<" and a letter or a bar: "<|im_end|>", "<file_sep>".
    """
    return re.sub(r"<(?=[|\w/])", "< ", text)


def _system_and_lines(system: str, messages: Sequence[Message]) -> tuple[str, list[Line]]:
    """Lines that take turns: a small model gets confused by two of one speaker in a row."""
    lines: list[Line] = []
    for message in messages:
        line = _line(message)
        if line is None or not line.text:
            continue
        if line.role == "system":
            system = f"{system} {line.text}"
        elif lines and lines[-1].role == line.role:
            lines[-1] = Line(line.role, f"{lines[-1].text} {line.text}")
        else:
            lines.append(line)
    return system, lines


def _line(message: Message) -> Line | None:
    match message:
        case SystemMessage(text):
            return Line("system", text.strip())
        case UserMessage():
            return Line("user", said_by_user(message))
        case AssistantMessage(text):
            return Line("assistant", text.strip())
        case ToolResultMessage(_, output) if output != NO_OUTPUT:
            return Line("user", f"Here is what I found: {output}")
        case ToolCallMessage() | ToolResultMessage():
            return None


def _chatml(lines: Sequence[Line]) -> str:
    return "".join(f"<|im_start|>{line.role}\n{plain(line.text)}<|im_end|>\n" for line in lines)


# For a chat server -----------------------------------------------------------------------


def chat_messages(instructions: str, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages of `/v1/chat/completions`, the system prompt first. messages: well formed."""
    chat: list[dict[str, Any]] = [{"role": "system", "content": chat_system(instructions)}]
    for message in messages:
        match message:
            case SystemMessage(text):
                # Many chat templates refuse a second system message, or one in the middle.
                chat[0]["content"] += f"\n\n{text}"
            case UserMessage():
                chat.append({"role": "user", "content": said_by_user(message)})
            case AssistantMessage(text):
                chat.append({"role": "assistant", "content": text})
            case ToolCallMessage(call_id, name, arguments):
                function = {"name": name, "arguments": arguments}
                call = {"id": call_id, "type": "function", "function": function}
                if chat[-1].get("tool_calls"):
                    chat[-1]["tool_calls"].append(call)  # calls of one answer belong in one message
                elif chat[-1]["role"] == "assistant":
                    chat[-1]["tool_calls"] = [call]
                else:
                    chat.append({"role": "assistant", "content": None, "tool_calls": [call]})
            case ToolResultMessage(call_id, output):
                chat.append({"role": "tool", "tool_call_id": call_id, "content": output})
    return chat


def chat_system(instructions: str) -> str:
    return f"{instructions or PERSONA}\n\n{SPEECH_RULE}"


def chat_tools(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
            },
        }
        for tool in tools
    ]


def chat_tool_choice(choice: str) -> str | dict[str, Any]:
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


# What the user said ----------------------------------------------------------------------


def said_by_user(message: UserMessage) -> str:
    """The words of a message: typed ones as they are, spoken ones by their transcript."""
    words = (part.text if isinstance(part, TextPart) else part.transcript or "" for part in message.parts)
    return " ".join(word.strip() for word in words if word.strip())


def holds_audio(message: UserMessage) -> bool:
    return any(isinstance(part, AudioPart) for part in message.parts)
