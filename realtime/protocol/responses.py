"""The responses in progress: at most one in the conversation, and out-of-band ones beside it.

Here each begins, gets the agent's events, and ends: complete, cancelled, failed or overdue. One speaks at a
time, to its end: the sound of another waits for it (speaking_order.py), and its agent with it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from agent.api import (
    OWN_SAMPLING,
    SPEAKING_HZ,
    AgentEvent,
    AgentRequest,
    AudioDelta,
    GenerationDone,
    GenerationFailed,
    KeepAlive,
    Message,
    PromptRead,
    Sampling,
    StageDone,
    ToolCall,
)
from realtime.errors import ClientError
from realtime.protocol.config import SessionConfig
from realtime.protocol.config_update import ResponseConfig
from realtime.protocol.conversation import Conversation
from realtime.protocol.effects import (
    Effect,
    Generate,
    PauseGenerating,
    Play,
    ResumeGenerating,
    StopGenerating,
)
from realtime.protocol.estimated_usage import estimated_input
from realtime.protocol.heard_history import HeardHistory
from realtime.protocol.inputs import FromAgent
from realtime.protocol.items import audio_ms
from realtime.protocol.limits import Limits
from realtime.protocol.response import CancelReason, Response
from realtime.protocol.speaking_order import SpeakingOrder


@dataclass(slots=True)
class Idle:
    """No response is in progress."""

    since: float


@dataclass(slots=True)
class Generating:
    """A response is in progress.

    last_event_at: when the agent's latest event of it came; None: none has. alive_at: its latest sign of life
    between events. held: the agent's events from the first sound on, while another response speaks; empty
    while none does. held_since: when the first of them came. is_silenced: no more sound is to be heard of it.
    """

    response: Response
    started_at: float
    last_event_at: float | None = None
    alive_at: float = -math.inf
    held: list[AgentEvent] = field(default_factory=list)
    held_since: float = math.inf
    is_silenced: bool = False

    def deadline(self, limits: Limits) -> float:
        if self.held:
            return math.inf  # it waits for one that has a deadline
        if self.last_event_at is None:
            silent_until = max(self.started_at, self.alive_at) + limits.first_event_s
        else:
            silent_until = max(self.last_event_at, self.alive_at) + limits.next_event_s
        return min(self.started_at + max(limits.response_s, limits.first_event_s), silent_until)


class Responses:
    """state: of the conversation's own response. conversation_id: as clients see it in each response.
    running_calls: the conversation's calls of tools that have no output yet, and when each was told."""

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
        self.running_calls: dict[str, float] = {}
        self._order = SpeakingOrder()

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
            sends_thinking=session.extensions.thinking,
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
        if isinstance(answer.event, KeepAlive):
            generating.alive_at = now
        elif not isinstance(answer.event, StageDone | PromptRead):  # only on the way to the first event
            generating.last_event_at = now
        if generating.held and not isinstance(answer.event, KeepAlive):
            generating.held.append(answer.event)
            return []
        return self._take(generating, answer.event, now)

    def speaking(self) -> list[Generating]:
        """Those of which something was heard, or waits to be."""
        return [one for one in self.in_progress() if one.response.id in self._order]

    def silence(self, silenced: list[Generating]) -> None:
        """No sound of these is to be heard any more; their words go on. `go_on` is to follow."""
        for generating in silenced:
            generating.is_silenced = True
            self._order.leave(generating.response.id)

    def go_on(self, now: float) -> list[Effect]:
        """Take in what was held of those that need not wait any more."""
        effects: list[Effect] = []
        for generating in self.in_progress():
            if generating.is_silenced or generating.response.id == self._order.speaks:
                effects += self._release(generating, now)
        return effects

    def cancel(self, cancelled: list[Generating], reason: CancelReason, now: float) -> list[Effect]:
        return self._stop(cancelled, lambda response: response.cancel(reason), now)

    def fail_overdue(self, now: float) -> list[Effect]:
        late = GenerationFailed("agent_timeout", "The agent took too long to go on with its answer.")
        overdue = [one for one in self.in_progress() if now >= one.deadline(self._limits)]
        return self._stop(overdue, lambda response: response.fail(late), now)

    def fail_all(self, failure: GenerationFailed, now: float) -> list[Effect]:
        return self._stop(self.in_progress(), lambda response: response.fail(failure), now)

    def _stop(
        self, stopped: list[Generating], end: Callable[[Response], list[Effect]], now: float
    ) -> list[Effect]:
        effects: list[Effect] = []
        for generating in stopped:
            generating.held.clear()
            self._order.leave(generating.response.id)
        for generating in stopped:
            response = generating.response
            effects += [StopGenerating(response.id), *self._end(generating, end(response), now)]
        return effects

    def _take(self, generating: Generating, event: AgentEvent, now: float) -> list[Effect]:
        response = generating.response
        match event:
            case GenerationDone() as done:
                return self._end(generating, response.finish(done), now)
            case GenerationFailed() as failure:
                return self._end(generating, response.fail(failure), now)
            case AudioDelta() if generating.is_silenced:
                return []
            case AudioDelta() if response.would_play(event) and not self._order.join(response.id):
                generating.held.append(event)
                generating.held_since = now
                return [PauseGenerating(response.id)]
            case event:
                if isinstance(event, ToolCall) and not response.is_out_of_band:
                    self._note_call(event.call_id, now)
                effects = response.feed(event)
                for effect in effects:
                    if isinstance(effect, Play):
                        duration_ms = audio_ms(effect.pcm, SPEAKING_HZ)
                        self._heard.playback.audio_sent(response.id, effect.item_id, duration_ms, now)
                return effects

    def _note_call(self, call_id: str, now: float) -> None:
        running = {one: at for one, at in self.running_calls.items() if now < at + self._limits.tool_s}
        self.running_calls = {**running, call_id: now}

    def _end(self, generating: Generating, effects: list[Effect], now: float) -> list[Effect]:
        response = generating.response
        if response.is_out_of_band:
            del self._out_of_band[response.id]
        else:
            if response.message is not None:
                self._heard.response_ended(response.message)
            self.state = Idle(now)
            self._conversation.trim(self._limits)
        self._order.leave(response.id)
        return effects + self.go_on(now)

    def _release(self, generating: Generating, now: float) -> list[Effect]:
        if not generating.held:
            return []
        held, generating.held = generating.held, []
        generating.started_at += now - generating.held_since
        generating.last_event_at = now
        effects: list[Effect] = [ResumeGenerating(generating.response.id)]
        for event in held:
            if not generating.response.ended:
                effects += self._take(generating, event, now)
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
        truncation=config.truncation,
        sampling=OWN_SAMPLING if config.temperature is None else Sampling(temperature=config.temperature),
    )
