"""How much a chat server reads: its own word, a setting, or learned from what it refuses. Pure."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.api import (
    AgentError,
    AssistantMessage,
    Message,
    SystemMessage,
    Tool,
    ToolCallMessage,
    ToolResultMessage,
    UserMessage,
)
from agent.engine.base import EngineRequest
from agent.engine.chat_server.tool_calls import json_object
from agent.history import Fitted, fitted
from agent.prompt import (
    FEWEST_TOKENS_PER_ESTIMATE,
    chat_system,
    chat_tools,
    said_by_user,
    token_estimate,
)

CONTEXT_TOKENS_LEAST = 256
"""Less is no model's context: a server that says so means something else."""
OWN_ANSWER_SHARE = 0.25
"""Of a context, for an answer whose length nobody limits."""
LAST_TURN_TOKENS = 64
MESSAGE_TOKENS = 6
"""What templates put round a message, at the most."""
BYTES_PER_TOKEN = 4
"""Of English text."""
_CAREFUL = 1.05
"""Beyond what a server has counted: the next text is another one."""
_MOST_TOKENS_PER_ESTIMATE = 3 * _CAREFUL
"""A token for each byte, of which the estimate takes three for one: no tokenizer makes more."""
_TELLING_SHARE = 0.125
"""Of a context: in a shorter prompt the template counts for more than the words."""


@dataclass(frozen=True, slots=True)
class Context:
    """tokens: of prompt and answer; None where nobody knows. tokens_per_estimate: as the server counts.

    has_refused: the server, something that was estimated to fit. is_guess: tokens_per_estimate, which the
    server's refusals did not tell.
    """

    tokens: int | None = None
    tokens_per_estimate: float = 1.0
    has_refused: bool = False
    is_guess: bool = False

    def answer_tokens(self, request: EngineRequest) -> int:
        """The limit of an answer. What a client asked for may take half of the context, our own a quarter."""
        if self.tokens is None:
            return request.max_tokens or request.tokens_max
        if request.max_tokens is not None:
            return max(min(request.max_tokens, self.tokens // 2), 1)
        return max(min(request.tokens_max, int(self.tokens * OWN_ANSWER_SHARE)), 1)

    def fit(self, request: EngineRequest) -> Fitted:
        """The messages that fit beside an answer. Raises AgentError."""
        try:
            return self._fit(request, self.tokens_per_estimate)
        except AgentError:
            if self.has_refused:
                raise
            return self._fit(request, FEWEST_TOKENS_PER_ESTIMATE)

    def _fit(self, request: EngineRequest, rate: float) -> Fitted:
        def size(message: Message) -> int:
            return math.ceil(message_estimate(message) * rate)

        fixed = math.ceil(_fixed_estimate(request.instructions, request.tools) * rate)
        budget = None if self.tokens is None else self.tokens - self.answer_tokens(request)
        return fitted(request.messages, size, fixed, budget, request.truncation)

    @property
    def instructions_bytes_max(self) -> int:
        """As in Health: what of longer ones a server might still take, leaves no room for a conversation."""
        if self.tokens is None:
            return 0
        room = int(self.tokens * (1 - OWN_ANSWER_SHARE)) - LAST_TURN_TOKENS
        return max(room, LAST_TURN_TOKENS) * BYTES_PER_TOKEN


def estimate(instructions: str, tools: Sequence[Tool], messages: Sequence[Message]) -> int:
    """Tokens of a request; a careful guess."""
    return _fixed_estimate(instructions, tools) + sum(map(message_estimate, messages))


def message_estimate(message: Message) -> int:
    match message:
        case UserMessage():
            text = said_by_user(message)
        case SystemMessage(text) | AssistantMessage(text) | ToolResultMessage(output=text):
            pass
        case ToolCallMessage(call_id, name, arguments):
            text = f"{call_id}{name}{arguments}"
    return token_estimate(text) + MESSAGE_TOKENS


def _fixed_estimate(instructions: str, tools: Sequence[Tool]) -> int:
    declared = json.dumps(chat_tools(tools)) if tools else ""
    return token_estimate(chat_system(instructions) + declared) + 2 * MESSAGE_TOKENS


# What a server says of itself ------------------------------------------------------------

_LENGTHS = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx")
"""vLLM and SGLang; OpenRouter, Together and LM Studio; Groq; Mistral; llama.cpp."""


def context_of_models(listing: object, model: str) -> int | None:
    """Of the answer to `/v1/models`: the entry of that name, or the only one."""
    entries = listing.get("data") if isinstance(listing, Mapping) else None
    found = [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    named = [entry for entry in found if entry.get("id") == model]
    [entry] = named[:1] or (found if len(found) == 1 else []) or [{}]
    meta = entry.get("meta")
    return _length_in(entry) or (_length_in(meta) if isinstance(meta, Mapping) else None)


def context_of_props(props: object) -> int | None:
    """Of the answer to llama.cpp's `/props`: what one conversation has of the whole."""
    if not isinstance(props, Mapping):
        return None
    settings = props.get("default_generation_settings")
    return (_length_in(settings) if isinstance(settings, Mapping) else None) or _length_in(props)


def _length_in(entry: Mapping[str, Any]) -> int | None:
    return next(filter(None, (_plausible(entry.get(name)) for name in _LENGTHS)), None)


def _plausible(number: object) -> int | None:
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        return None
    return int(number) if number >= CONTEXT_TOKENS_LEAST else None


# What it refuses -------------------------------------------------------------------------

_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|size|window|limit)|exceed_context|maximum (?:context|model) length|max_model_len"
    r"|(?:prompt|input|request|messages?|conversation)\b(?!\")[^.]{0,40}\btoo (?:long|large)"
    r"|too (?:many|long)\W+(?:\w+\W+){0,3}tokens|reduce the length|maximum number of tokens allowed"
)
_NUMBER = r"(\d[\d,]{1,9})"
_CONTEXT = [
    re.compile(pattern)
    for pattern in (
        rf"(?:context[ _-]?(?:length|size|window)|model length|max_model_len)\D{{0,40}}?{_NUMBER}",
        rf"{_NUMBER} (?:tokens? )?(?:maximum )?context",
        rf"> {_NUMBER}",  # Anthropic: "208310 tokens > 200000 maximum"
        rf"(?:allowed|maximum|must be <=)\D{{0,20}}{_NUMBER}",
    )
]
_PROMPT = [
    re.compile(pattern)
    for pattern in (
        rf"{_NUMBER} (?:tokens )?in the messages",
        rf"(?:has|have|contains|resulted in|requested|given:) (?:at least )?{_NUMBER} "
        r"(?:input |`inputs` )?tokens",
        rf"request \({_NUMBER} tokens",
        rf"(?:token count|too long)\D{{0,4}}{_NUMBER}",
    )
]
_AT_LEAST = re.compile(r"contains at least \d")


@dataclass(frozen=True, slots=True)
class ContextRefusal:
    """context_tokens, prompt_tokens: as far as the server names them.

    has_more: the prompt; the server stopped counting where it was too long (vLLM: "at least").
    """

    context_tokens: int | None = None
    prompt_tokens: int | None = None
    has_more: bool = False


def context_refusal(status: int, body: str) -> ContextRefusal | None:
    """None where a refusal (its status and its body) is not about the length of what was sent."""
    words = body.lower()
    if status != 413 and not _TOO_LONG.search(words):
        return None
    named: dict[str, int] = {}
    for found in _objects(json_object(body)):
        for name in ("n_ctx", "n_prompt_tokens"):
            number = _plausible(found.get(name))
            if number is not None:
                named[name] = number
    return ContextRefusal(
        named.get("n_ctx") or _first_number(_CONTEXT, words),
        named.get("n_prompt_tokens") or _first_number(_PROMPT, words),
        has_more=bool(_AT_LEAST.search(words)),
    )


def learned(
    context: Context, refusal: ContextRefusal, estimated: int, answer_tokens: int = 0, refused_before: int = 0
) -> Context:
    """What is known after a refusal: with it, what was refused does not fit any more.

    estimated: `estimate` of what was refused. answer_tokens: the limit that was asked for beside it.
    refused_before: how often the same conversation was, each time with less of it.
    """
    estimated = max(estimated, 1)
    rate, is_guess = context.tokens_per_estimate, context.is_guess
    if refusal.prompt_tokens is not None:
        counted = max(refusal.prompt_tokens / estimated * _CAREFUL, 0.5)
        is_guess = refusal.has_more
        if not is_guess:
            rate = counted
        else:
            rate = max(counted, rate if refused_before == 0 else _MOST_TOKENS_PER_ESTIMATE)
    tokens = refusal.context_tokens or context.tokens
    if tokens is None and estimated * rate < 2 * CONTEXT_TOKENS_LEAST:
        return context  # no model reads so little: it is about something else
    if tokens is None:  # nobody says: half of it is tried
        tokens = max(int(estimated * rate * 2 / 3), CONTEXT_TOKENS_LEAST)
    elif refusal.prompt_tokens is None and estimated * rate + answer_tokens <= tokens:
        rate, is_guess = tokens / estimated, True  # there is more in the text than was estimated
    elif refusal.prompt_tokens is not None and refusal.context_tokens is None:
        tokens = min(tokens, refusal.prompt_tokens)  # it reads less than was set, or than it said
    return Context(tokens, rate, has_refused=True, is_guess=is_guess)


def corrected(context: Context, estimated: int, prompt_tokens: int) -> Context:
    """What is known once the server has counted a prompt that it took: a guess is put right.

    estimated: `estimate` of that prompt.
    """
    if not context.is_guess or context.tokens is None or prompt_tokens < context.tokens * _TELLING_SHARE:
        return context
    rate = max(prompt_tokens / max(estimated, 1) * _CAREFUL, 0.5)
    return replace(context, tokens_per_estimate=rate, is_guess=False)


def _first_number(patterns: Sequence[re.Pattern[str]], words: str) -> int | None:
    for pattern in patterns:
        for match in pattern.finditer(words):
            number = _plausible(int(match[1].replace(",", "")))
            if number is not None:
                return number
    return None


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _objects(inner)
