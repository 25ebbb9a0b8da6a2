"""What an engine is: a conversation in, pieces of an answer out."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from agent.api import OWN_SAMPLING, KeepAlive, Message, PromptRead, Sampling, TextDelta, Tool, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One answer to generate. The engine makes its own prompt of it, and reuses what it can.

    messages: where the engine does not hear, every AudioPart carries its transcript.
    """

    conversation_id: str
    instructions: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    max_tokens: int | None = None
    sampling: Sampling = OWN_SAMPLING


@dataclass(frozen=True, slots=True)
class EngineDone:
    reason: Literal["stop", "max_tokens"]
    usage: Usage


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
