"""What people notice in a conversation, by kind of event; and the figures of eot-bench that a recording can
show.

Unlike the published figures, an answer that has said all is not taken for one that was stopped, where the
recording tells the cuts; and music and noise count, which the others leave out.
"""

from collections.abc import Iterator

from evaluation.speech.live.conversation import Conversation
from evaluation.speech.live.observations import Observation
from evaluation.speech.live.script import DISTRACTORS, Event
from evaluation.speech.live.segments import apart_s, first_from

STOPS_WITHIN_S = 1.0
"""After the end of a sound: so long, what stops the answer is taken to be the sound."""
YIELDS_WITHIN_S = 2.0
ANSWERS_WITHIN_S = 2.0
EOT_PAUSE_S = (0.2, 5.0)
EARLY_S = 0.1
"""An endpoint so little before the end of a turn is one of that end: the end itself is not surer."""


def observe(conversation: Conversation) -> Iterator[Observation]:
    for event in conversation.script.events:
        if event.kind in DISTRACTORS:
            yield from _distractor(conversation, event)
            continue
        yield from _answer(conversation, event)
        yield from _pauses(conversation, event)
        yield from _endpoints(conversation, event)
        if event.kind == "interruption":
            yield from _barge_in(conversation, event)


def _answer(conversation: Conversation, event: Event) -> Iterator[Observation]:
    following = conversation.turn_after(event)
    until_s = following.start_s if following else float("inf")
    answer = first_from(conversation.assistant, event.end_s)
    if conversation.heard_at(event.end_s) is None:
        is_answered = answer is not None and answer.start_s < until_s
        yield Observation("take_over", is_answered, event.end_s, event.label)
        if answer is not None and is_answered:
            yield Observation(
                "response_latency_s", apart_s(event.end_s, answer.start_s), event.end_s, event.label
            )


def _pauses(conversation: Conversation, event: Event) -> Iterator[Observation]:
    for number, pause in enumerate(event.pauses):
        until_s = event.pauses[number + 1].start_s if number + 1 < len(event.pauses) else event.end_s
        cut_off = any(pause.start_s <= go.start_s < until_s for go in conversation.assistant)
        yield Observation("pauses_survived", not cut_off, pause.start_s, event.label)


def _barge_in(conversation: Conversation, event: Event) -> Iterator[Observation]:
    go = conversation.heard_at(event.start_s)
    if go is None:
        return
    by_itself = apart_s(event.end_s, go.end_s) <= YIELDS_WITHIN_S and conversation.ended_by_itself(go)
    if by_itself:
        return
    latency_s = apart_s(event.start_s, go.end_s)
    stops = latency_s < max(YIELDS_WITHIN_S, event.span.seconds)
    yield Observation("barge_in_stops", stops, event.start_s, event.label)
    if stops:
        yield Observation("barge_in_latency_s", latency_s, event.start_s, event.label)


def _distractor(conversation: Conversation, event: Event) -> Iterator[Observation]:
    label = event.label or event.kind
    go = conversation.heard_at(event.start_s)
    if go is not None:
        ends_here = apart_s(event.end_s, go.end_s) < STOPS_WITHIN_S
        if not (ends_here and conversation.ended_by_itself(go)):
            yield Observation(f"false_interruption_{event.kind}", ends_here, event.start_s, label)
        return
    if _owes_an_answer(conversation, event):
        return
    answer = first_from(conversation.assistant, event.start_s)
    is_answered = answer is not None and apart_s(event.end_s, answer.start_s) <= ANSWERS_WITHIN_S
    yield Observation("false_answer", is_answered, event.start_s, label)


def _owes_an_answer(conversation: Conversation, event: Event) -> bool:
    """A turn before it was not answered yet: what begins now may be its answer."""
    before = [turn for turn in conversation.turns if turn.end_s <= event.start_s]
    return bool(before) and not any(
        before[-1].end_s <= go.start_s < event.start_s for go in conversation.assistant
    )


def _endpoints(conversation: Conversation, event: Event) -> Iterator[Observation]:
    """eot-bench judges detectors on silences; of a conversation, it is known when the client was told."""
    endpoints_s = conversation.script.endpoints_s
    if endpoints_s is None:
        return
    least_s, most_s = EOT_PAUSE_S
    for pause in event.pauses:
        if least_s <= pause.seconds <= most_s:
            cut_off = any(pause.holds(endpoint_s) for endpoint_s in endpoints_s)
            yield Observation("eot_false_cut_offs", cut_off, pause.start_s, event.label)
    following = conversation.turn_after(event)
    until_s = following.start_s if following else float("inf")
    told_s = next(
        (one for one in sorted(endpoints_s) if apart_s(event.end_s, one) >= -EARLY_S and one < until_s), None
    )
    if told_s is not None:
        yield Observation("eot_delay_s", max(0.0, apart_s(event.end_s, told_s)), event.end_s, event.label)
