"""The responses in progress: at most one in the conversation, and out-of-band ones beside it.

Here each begins, gets the agent's events, and ends: complete, cancelled, failed or overdue.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from agent.api import (
    OWN_SAMPLING,
    SPEAKING_HZ,
    AgentRequest,
    GenerationDone,
    GenerationFailed,
    KeepAlive,
    Message,
    PromptRead,
    Sampling,
    StageDone,
)
from realtime.errors import ClientError
from realtime.protocol.config import SessionConfig
from realtime.protocol.config_update import ResponseConfig
from realtime.protocol.conversation import Conversation
from realtime.protocol.effects import Effect, Generate, Play, StopGenerating
from realtime.protocol.estimated_usage import estimated_input
from realtime.protocol.heard_history import HeardHistory
from realtime.protocol.inputs import FromAgent
from realtime.protocol.items import audio_ms
from realtime.protocol.limits import Limits
from realtime.protocol.response import CancelReason, Response


@dataclass(slots=True)
class Idle:
    """No response is in progress."""

    since: float


@dataclass(slots=True)
class Generating:
    """A response is in progress.

    last_event_at: when the agent's latest event of it came; None: none has. alive_at: its latest sign of life
    between events.
    """

    response: Response
    started_at: float
    last_event_at: float | None = None
    alive_at: float = -math.inf

    def deadline(self, limits: Limits) -> float:
        if self.last_event_at is None:
            silent_until = max(self.started_at, self.alive_at) + limits.first_event_s
        else:
            silent_until = max(self.last_event_at, self.alive_at) + limits.next_event_s
        return min(self.started_at + max(limits.response_s, limits.first_event_s), silent_until)


class Responses:
    """state: of the conversation's own response. conversation_id: as clients see it in each response."""

    def __init__(
        self,
        conversation: Conversation,
        heard: HeardHistory,
        limits: Limits,
        new_id: Callable[[str], str],
        now: float,
    ) -> None:
        self.state: Idle | Generating = Idle(now)
        self.conversation_id = new_id("conv")
        self._conversation = conversation
        self._heard = heard
        self._limits = limits
        self._new_id = new_id
        self._out_of_band: dict[str, Generating] = {}

    @property
    def current(self) -> Generating | None:
        """The conversation's own, if one is in progress."""
        return self.state if isinstance(self.state, Generating) else None

    def in_progress(self) -> list[Generating]:
        """All of them, the conversation's own first."""
        current = [self.current] if self.current else []
        return [*current, *self._out_of_band.values()]

    def find(self, response_id: str) -> Generating | None:
        if self.current is not None and self.current.response.id == response_id:
            return self.current
        return self._out_of_band.get(response_id)

    @property
    def deadline(self) -> float:
        """When the next of them is overdue; infinite when none is in progress."""
        return min((one.deadline(self._limits) for one in self.in_progress()), default=math.inf)

    def check_room(self, out_of_band: bool) -> None:
        """Raises ClientError where another one cannot begin now."""
        if out_of_band and len(self._out_of_band) >= self._limits.out_of_band:
            raise ClientError(
                "too_many_responses",
                f"At most {self._limits.out_of_band} out-of-band responses run at a time.",
            )
        if not out_of_band and self.current is not None:
            raise ClientError(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.current.response.id}. "
                "Wait until the response is finished before creating a new one.",
            )

    def begin(
        self,
        session: SessionConfig,
        config: ResponseConfig,
        view: tuple[Message, ...],
        now: float,
        out_of_band: bool = False,
        verbatim: str = "",
    ) -> list[Effect]:
        """view: of the conversation, for the agent. verbatim: the answer, where it is known already.

        There must be room for one more.
        """
        response_id = self._new_id("resp")
        request = agent_request(session.id, response_id, config, view, verbatim)
        response = Response(
            response_id,
            config,
            None if out_of_band else self._conversation,
            self.conversation_id,
            self._new_id,
            sends_alignment=session.extensions.alignment,
            estimate_input=partial(estimated_input, request),
        )
        if out_of_band:
            self._out_of_band[response.id] = Generating(response, now)
        else:
            self.state = Generating(response, now)
        return [*response.begin(), Generate(request)]

    def feed(self, answer: FromAgent, now: float) -> list[Effect]:
        """Take in an event of the agent; one of a response that has ended is dropped."""
        generating = self.find(answer.response_id)
        if generating is None:
            return []
        response = generating.response
        if isinstance(answer.event, KeepAlive):
            generating.alive_at = now
        elif not isinstance(
            answer.event, StageDone | PromptRead
        ):  # a stage is only on the way to the first event
            generating.last_event_at = now
        match answer.event:
            case GenerationDone() as done:
                return self._end(generating, response.finish(done), now)
            case GenerationFailed() as failure:
                return self._end(generating, response.fail(failure), now)
            case event:
                effects = response.feed(event)
                for effect in effects:
                    if isinstance(effect, Play) and not response.is_out_of_band:
                        duration_ms = audio_ms(effect.pcm, SPEAKING_HZ)
                        self._heard.playback.audio_sent(response.id, effect.item_id, duration_ms, now)
                return effects

    def cancel(self, generating: Generating, reason: CancelReason, now: float) -> list[Effect]:
        response = generating.response
        return [StopGenerating(response.id), *self._end(generating, response.cancel(reason), now)]

    def fail(self, generating: Generating, failure: GenerationFailed, now: float) -> list[Effect]:
        response = generating.response
        return [StopGenerating(response.id), *self._end(generating, response.fail(failure), now)]

    def fail_overdue(self, now: float) -> list[Effect]:
        late = GenerationFailed("agent_timeout", "The agent took too long to go on with its answer.")
        overdue = [one for one in self.in_progress() if now >= one.deadline(self._limits)]
        return [effect for one in overdue for effect in self.fail(one, late, now)]

    def fail_all(self, failure: GenerationFailed, now: float) -> list[Effect]:
        return [effect for one in self.in_progress() for effect in self.fail(one, failure, now)]

    def _end(self, generating: Generating, effects: list[Effect], now: float) -> list[Effect]:
        response = generating.response
        if response.is_out_of_band:
            del self._out_of_band[response.id]
            return effects
        if response.message is not None:
            self._heard.response_ended(response.message)
        self.state = Idle(now)
        self._conversation.trim(self._limits)
        return effects


def agent_request(
    session_id: str,
    response_id: str,
    config: ResponseConfig,
    view: tuple[Message, ...],
    verbatim: str = "",
) -> AgentRequest:
    return AgentRequest(
        session_id=session_id,
        response_id=response_id,
        instructions=config.instructions,
        messages=view,
        modality=config.modality,
        voice=config.voice,
        speed=config.speed,
        tools=config.tools,
        tool_choice=config.tool_choice,
        max_output_tokens=None if verbatim else config.max_output_tokens,
        verbatim=verbatim,
        sampling=OWN_SAMPLING if config.temperature is None else Sampling(temperature=config.temperature),
    )
