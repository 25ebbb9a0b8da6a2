"""The timing figures of Full-Duplex-Bench v1 and v1.5 (Lin et al. 2025, arXiv:2503.04721 and 2507.23159).

Written from their definitions in words: an answer of at least a second or more than three words takes the
turn over; one of less than a second and at most two words is a back-channel. Where no words are known,
lengths decide alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from evaluation.speech.live.conversation import Conversation
from evaluation.speech.live.observations import Observation
from evaluation.speech.live.script import Event
from evaluation.speech.live.segments import Segment, apart_s, first_from

TAKE_OVER_S, TAKE_OVER_WORDS = 1.0, 3
BACKCHANNEL_S, BACKCHANNEL_WORDS = 1.0, 2
BIN_S = 0.2


def observe(conversation: Conversation) -> Iterator[Observation]:
    for event in conversation.turns:
        yield from _pauses(conversation, event)
        if event.kind == "turn":
            yield from _answer(conversation, event, "fdb_turn")
            yield from _backchannels(conversation, event)
        else:
            yield from _answer(conversation, event, "fdb_interruption")
    for event in conversation.script.events:
        yield from _overlap(conversation, event)


def takes_over(conversation: Conversation, go: Segment) -> bool:
    n_words = conversation.n_words(go)
    return go.seconds >= TAKE_OVER_S or (n_words is not None and n_words > TAKE_OVER_WORDS)


def backchannel_times(conversation: Conversation) -> list[float]:
    """Where in the user's turns the assistant gives back-channels, in seconds from the turn's start."""
    return [
        go.start_s - event.start_s
        for event in conversation.turns
        for go in conversation.assistant
        if event.span.holds(go.start_s) and _is_backchannel(conversation, go)
    ]


def timing_distance(times_s: Sequence[float], reference_s: Sequence[float]) -> float:
    """Jensen-Shannon distance (base 2, 0 to 1) of two histograms of back-channel times, in bins of 0.2 s.

    1 where one of them is empty and the other is not; NaN where both are.
    """
    if not times_s and not reference_s:
        return float("nan")
    if not times_s or not reference_s:
        return 1.0
    n_bins = 1 + int(max(*times_s, *reference_s) / BIN_S + 1e-9)
    edges = np.arange(n_bins + 1) * BIN_S
    p, q = (np.histogram(np.asarray(one) + 1e-9, edges)[0] / len(one) for one in (times_s, reference_s))
    middle = (p + q) / 2

    def divergence(one: np.ndarray) -> float:
        filled = one > 0
        return float(np.sum(one[filled] * np.log2(one[filled] / middle[filled])))

    return float(np.sqrt(max(0.0, (divergence(p) + divergence(q)) / 2)))


def _pauses(conversation: Conversation, event: Event) -> Iterator[Observation]:
    for number, pause in enumerate(event.pauses):
        # An answer that the pause has brought about may begin when the user already speaks again.
        until_s = event.pauses[number + 1].start_s if number + 1 < len(event.pauses) else event.end_s
        taken = any(
            pause.start_s <= go.start_s < until_s and takes_over(conversation, go)
            for go in conversation.assistant
        )
        yield Observation("fdb_pause_take_over", taken, pause.start_s, event.label)


def _backchannels(conversation: Conversation, event: Event) -> Iterator[Observation]:
    n_backchannels = sum(
        event.span.holds(go.start_s) and _is_backchannel(conversation, go) for go in conversation.assistant
    )
    minutes = event.span.seconds / 60
    yield Observation("fdb_backchannels_per_min", n_backchannels, event.start_s, event.label, per=minutes)


def _answer(conversation: Conversation, event: Event, figure: str) -> Iterator[Observation]:
    """The first go of the assistant that takes over: begun within the turn or after it, before the next
    turn."""
    following = conversation.turn_after(event)
    until_s = following.start_s if following else float("inf")
    answer = next(
        (
            go
            for go in conversation.assistant
            if event.start_s < go.start_s < until_s and takes_over(conversation, go)
        ),
        None,
    )
    yield Observation(f"{figure}_take_over", answer is not None, event.end_s, event.label)
    if answer is not None:
        latency_s = max(0.0, apart_s(event.end_s, answer.start_s))
        yield Observation(f"{figure}_latency_s", latency_s, event.end_s, event.label)


def _overlap(conversation: Conversation, event: Event) -> Iterator[Observation]:
    """v1.5 has four kinds of overlap: an interruption, a back-channel, talk to others, talk around."""
    if event.kind not in ("interruption", "backchannel", "side_talk"):
        return
    go = conversation.heard_at(event.start_s)
    if go is None:
        return
    label = event.label or event.kind
    if event.kind == "interruption":
        yield Observation("fdb_stop_latency_s", apart_s(event.start_s, go.end_s), event.start_s, label)
    answer = first_from(conversation.assistant, event.end_s)
    following = conversation.turn_after(event)
    if (
        answer is not None
        and (following is None or answer.start_s < following.start_s)
        and event.kind == "interruption"
    ):
        yield Observation("fdb_response_latency_s", apart_s(event.end_s, answer.start_s), event.end_s, label)


def _is_backchannel(conversation: Conversation, go: Segment) -> bool:
    n_words = conversation.n_words(go)
    return go.seconds < BACKCHANNEL_S and (n_words is None or n_words <= BACKCHANNEL_WORDS)
