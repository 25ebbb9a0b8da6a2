"""What an engine is: a conversation in, pieces of an answer out."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from agent.api import (
    AUTO_TRUNCATION,
    OWN_SAMPLING,
    KeepAlive,
    Message,
    PromptRead,
    Sampling,
    TextDelta,
    Tool,
    ToolCall,
    Truncation,
    Usage,
)

ANSWER_TOKENS_MAX = 4096
"""Of an answer whose length nobody limits, thoughts included: the highest limit that the wire knows."""


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One answer to generate. The engine makes its own prompt of it, and reuses what it can.

    messages: well formed (`agent.history.well_formed`); what of them fits into its context, the engine finds
    out. Where it does not hear, every AudioPart carries its transcript. max_tokens: None where the client
    leaves it to the engine, which then takes its own, at most tokens_max.
    """

    conversation_id: str
    instructions: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    max_tokens: int | None = None
    sampling: Sampling = OWN_SAMPLING
    truncation: Truncation = AUTO_TRUNCATION
    tokens_max: int = ANSWER_TOKENS_MAX


@dataclass(frozen=True, slots=True)
class EngineDone:
    """input_was_cut: as in GenerationDone."""

    reason: Literal["stop", "max_tokens"]
    usage: Usage
    input_was_cut: bool = False


EngineDelta = TextDelta | ToolCall | KeepAlive | PromptRead | EngineDone


class Engine(Protocol):
    hears: bool
    """Whether it takes audio itself; otherwise speech is recognised first."""

    def generate(self, request: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
        """Yield the answer, EngineDone last. Closing aborts within one token. Raises AgentError."""
        ...

    async def warm(self, request: EngineRequest) -> None:
        """Prefill what `generate` will need. Raises AgentError."""
        ...

    async def aclose(self) -> None: ...
