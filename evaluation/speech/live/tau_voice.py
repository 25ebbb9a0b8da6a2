"""The interaction figures of tau-voice (sierra-research/tau2-bench, docs/interaction-metrics.md, MIT).

Its windows are kept; its ticks of 200 ms are not: here time is that of the tracks. Of an event that begins
while the assistant speaks, the question is whether it falls silent; of one in silence, whether it answers.
"""

from collections.abc import Iterator

from evaluation.speech.live.conversation import Conversation
from evaluation.speech.live.observations import Observation
from evaluation.speech.live.script import Event
from evaluation.speech.live.segments import apart_s, first_from, within

NO_YIELD_S = 2.0
DISTRACTOR_YIELD_S = 1.0
DISTRACTOR_RESPONSE_S = 2.0
_SELECTIVITY = {"backchannel": "backchannel", "cough": "vocal_tic", "side_talk": "non_directed"}


def observe(conversation: Conversation) -> Iterator[Observation]:
    for event in conversation.turns:
        yield from _response(conversation, event)
        yield from _yield(conversation, event)
    yield from _agent_interruptions(conversation)
    for event in conversation.script.events:
        if event.kind in _SELECTIVITY:
            yield from _selectivity(conversation, event)


def _response(conversation: Conversation, event: Event) -> Iterator[Observation]:
    """Of turns that end with the assistant silent. The last is left out where nothing follows it at all."""
    if conversation.heard_at(event.end_s) is not None:
        return
    answer = first_from(conversation.assistant, event.end_s)
    following = conversation.turn_after(event)
    if answer is None and following is None:
        return
    is_answered = answer is not None and (following is None or answer.start_s <= following.start_s)
    yield Observation("tau_response_rate", is_answered, event.end_s, event.label)
    if answer is not None and is_answered:
        yield Observation(
            "tau_response_latency_s", apart_s(event.end_s, answer.start_s), event.end_s, event.label
        )


def _yield(conversation: Conversation, event: Event) -> Iterator[Observation]:
    """Whatever the script calls it: who begins while the assistant speaks, interrupts it."""
    go = conversation.heard_at(event.start_s)
    if go is None:
        return
    latency_s = apart_s(event.start_s, go.end_s)
    yields = latency_s < NO_YIELD_S
    yield Observation("tau_yield_rate", yields, event.start_s, event.label)
    if yields:
        yield Observation("tau_yield_latency_s", latency_s, event.start_s, event.label)


def _agent_interruptions(conversation: Conversation) -> Iterator[Observation]:
    """Per turn that may be answered, so only where there is one; more than one to a turn is possible."""
    for event in conversation.turns:
        spoken = within(conversation.user, event.span) or (event.span,)
        n = sum(any(said.holds(go.start_s) for said in spoken) for go in conversation.assistant)
        yield Observation("tau_agent_interruptions", n, event.start_s, event.label)


def _selectivity(conversation: Conversation, event: Event) -> Iterator[Observation]:
    figure = f"tau_selectivity_{_SELECTIVITY[event.kind]}"
    go = conversation.heard_at(event.start_s)
    if go is not None:
        talks_through = apart_s(event.start_s, go.end_s) >= DISTRACTOR_YIELD_S
        yield Observation(figure, talks_through, event.start_s, event.label)
    elif event.kind != "backchannel":  # in silence, it is none
        answer = first_from(conversation.assistant, event.start_s)
        ignores = answer is None or apart_s(event.end_s, answer.start_s) > DISTRACTOR_RESPONSE_S
        yield Observation(figure, ignores, event.start_s, event.label)
