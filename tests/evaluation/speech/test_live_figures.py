"""Conversations drawn by hand, whose figures are known."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.speech.live import conversation as conversation_module
from evaluation.speech.live import figures as figures_module
from evaluation.speech.live import full_duplex_bench, own_figures, tau_voice
from evaluation.speech.live.conversation import Conversation
from evaluation.speech.live.figures import figures, observations, wilson
from evaluation.speech.live.full_duplex_bench import backchannel_times, timing_distance
from evaluation.speech.live.observations import DEFINITIONS, Observation
from evaluation.speech.live.script import DISTRACTORS, Event, Script, Word
from evaluation.speech.live.segments import Segment

Spans = Sequence[tuple[float, float]]


def conversation(
    *events: Event, user: Spans | None = None, assistant: Spans = (), **script: Any
) -> Conversation:
    """user: where events are, unless said otherwise."""
    spoken = [(event.start_s, event.end_s) for event in events] if user is None else user
    told = Script(events=tuple(sorted(events, key=lambda event: event.start_s)), **script)
    return Conversation.of(
        told, tuple(Segment(*one) for one in spoken), tuple(Segment(*one) for one in assistant)
    )


def values(figure: str, held: Conversation) -> list[float]:
    return [float(round(one.value, 6)) for one in observations(held) if one.figure == figure]


def turn(start_s: float, end_s: float, *pauses: tuple[float, float]) -> Event:
    return Event("turn", start_s, end_s, pauses=tuple(Segment(*pause) for pause in pauses))


def interruption(start_s: float, end_s: float) -> Event:
    return Event("interruption", start_s, end_s)


def test_a_turn_that_is_answered_has_its_latency_in_every_panel() -> None:
    held = conversation(turn(1, 3), assistant=[(3.4, 6)])
    for rate in ("take_over", "tau_response_rate", "fdb_turn_take_over"):
        assert values(rate, held) == [1]
    for delay in ("response_latency_s", "tau_response_latency_s", "fdb_turn_latency_s"):
        assert values(delay, held) == [0.4]


def test_a_turn_counts_as_unanswered_when_the_user_has_to_speak_again() -> None:
    held = conversation(turn(1, 3), turn(8, 9), assistant=[(10, 12)])
    assert values("take_over", held) == [0, 1]
    assert values("tau_response_rate", held) == [0, 1]
    assert values("fdb_turn_take_over", held) == [0, 1]


def test_tau_voice_leaves_out_the_last_turn_where_nothing_follows_and_parlour_counts_it() -> None:
    held = conversation(turn(1, 3))
    assert values("tau_response_rate", held) == []
    assert values("take_over", held) == [0]


def test_a_short_answer_does_not_take_the_turn_over_unless_it_has_four_words() -> None:
    assert values("fdb_turn_take_over", conversation(turn(1, 3), assistant=[(3.4, 4.3)])) == [0]
    words = tuple(Word("w", 3.4 + n / 10, 3.5 + n / 10) for n in range(4))
    spoken = conversation(turn(1, 3), assistant=[(3.4, 4.3)], words=words)
    assert values("fdb_turn_take_over", spoken) == [1]
    assert values("fdb_turn_take_over", conversation(turn(1, 3), assistant=[(3.4, 4.4)])) == [1]


def test_an_answer_that_begins_within_the_turn_has_no_latency_in_full_duplex_bench() -> None:
    held = conversation(turn(1, 3), assistant=[(2.5, 5)])
    assert values("fdb_turn_latency_s", held) == [0]
    assert values("tau_response_rate", held) == [], "the assistant speaks at the end of the turn"
    assert values("tau_agent_interruptions", held) == [1]


def test_silences_of_half_a_second_do_not_divide_an_answer() -> None:
    held = conversation(turn(0, 1), Event("backchannel", 3, 3.4), assistant=[(2, 3.2), (3.6, 6)])
    assert values("tau_selectivity_backchannel", held) == [1]
    held = conversation(turn(0, 1), Event("backchannel", 3, 3.4), assistant=[(2, 3.2), (3.8, 6)])
    assert values("tau_selectivity_backchannel", held) == [0]


def test_a_pause_is_survived_when_no_answer_begins_before_the_turn_ends() -> None:
    one = turn(0, 6, (1, 2), (3, 4))
    assert values("pauses_survived", conversation(one, assistant=[(6.5, 8)])) == [1, 1]
    # It begins when the user speaks again already: the pause brought it about.
    late = conversation(one, user=[(0, 1), (2, 3), (4, 6)], assistant=[(2.2, 4)])
    assert values("pauses_survived", late) == [0, 1]
    assert values("fdb_pause_take_over", late) == [1, 0]
    again = Event("interruption", 0, 6, pauses=one.pauses)
    stopped = conversation(turn(-9, -8), again, assistant=[(-7, 0.2), (6.5, 8)])
    assert values("fdb_pause_take_over", stopped) == [0, 0], "an interruption may have pauses, too"
    # A back-channel of the assistant's is no take-over, but Parlour's figure says that somebody spoke.
    soft = conversation(one, assistant=[(1.2, 1.7), (6.5, 8)])
    assert values("fdb_pause_take_over", soft) == [0, 0]
    assert values("pauses_survived", soft) == [0, 1]


def test_an_interruption_has_a_yield_a_latency_and_an_answer() -> None:
    held = conversation(turn(0, 1), interruption(4, 5), assistant=[(2, 4.6), (6, 9)])
    for rate in ("barge_in_stops", "tau_yield_rate", "fdb_interruption_take_over"):
        assert values(rate, held) == [1]
    for delay in ("barge_in_latency_s", "tau_yield_latency_s", "fdb_stop_latency_s"):
        assert values(delay, held) == [0.6]
    assert values("fdb_interruption_latency_s", held) == [1]
    assert values("fdb_response_latency_s", held) == [1]
    assert values("tau_response_latency_s", held) == [1, 1]


def test_an_assistant_that_goes_on_for_two_seconds_did_not_yield() -> None:
    held = conversation(turn(0, 1), interruption(4, 5), assistant=[(2, 6)])
    assert values("tau_yield_rate", held) == [0]
    assert values("tau_yield_latency_s", held) == []
    assert values("fdb_stop_latency_s", held) == [2], "Full-Duplex-Bench has no window"
    assert values("tau_yield_rate", conversation(turn(0, 1), interruption(4, 5), assistant=[(2, 5.9)])) == [1]


@pytest.mark.parametrize(
    ("kind", "figure"),
    [
        ("backchannel", "tau_selectivity_backchannel"),
        ("cough", "tau_selectivity_vocal_tic"),
        ("side_talk", "tau_selectivity_non_directed"),
    ],
)
def test_a_distractor_is_talked_through_for_a_second(kind: Any, figure: str) -> None:
    for end_s, is_right in ((4.9, 0), (5.0, 1), (8.0, 1)):
        held = conversation(turn(0, 1), Event(kind, 4, 4.5), user=[(0, 1)], assistant=[(2, end_s)])
        assert values(figure, held) == [is_right]


def test_a_distractor_in_silence_is_not_answered_for_two_seconds() -> None:
    for kind, figure in (("cough", "vocal_tic"), ("side_talk", "non_directed")):
        for start_s, is_right in ((6.5, 0), (6.6, 1), (4.1, 0)):
            held = conversation(Event(kind, 4, 4.5), assistant=[(start_s, start_s + 2)])  # type: ignore[arg-type]
            assert values(f"tau_selectivity_{figure}", held) == [is_right]
            assert values("false_answer", held) == [1 - is_right]
    assert values("tau_selectivity_backchannel", conversation(Event("backchannel", 4, 4.5))) == []


@pytest.mark.parametrize("kind", DISTRACTORS)
def test_a_false_interruption_is_counted_by_its_kind_and_music_until_it_ends(kind: Any) -> None:
    figure = f"false_interruption_{kind}"
    for end_s, stops in ((7.9, 1), (9.1, 0)):
        held = conversation(turn(0, 1), Event(kind, 4, 8), user=[(0, 1)], assistant=[(2, end_s)])
        assert values(figure, held) == [stops]
        assert sum(len(values(f"false_interruption_{other}", held)) for other in DISTRACTORS) == 1


def test_an_answer_that_had_said_all_was_not_interrupted_where_the_cuts_are_known() -> None:
    events = (turn(0, 1), Event("cough", 4, 4.5))
    sides: dict[str, Any] = {"user": [(0, 1)], "assistant": [(2, 4.8)]}
    assert values("false_interruption_cough", conversation(*events, **sides)) == [1]
    assert values("false_interruption_cough", conversation(*events, **sides, cuts_s=())) == []
    assert values("false_interruption_cough", conversation(*events, **sides, cuts_s=(4.7,))) == [1]
    assert values("tau_selectivity_vocal_tic", conversation(*events, **sides, cuts_s=())) == [0], (
        "as published"
    )


def test_a_sound_that_follows_a_turn_without_answer_is_not_what_is_answered() -> None:
    held = conversation(turn(0, 2), Event("noise", 2.5, 2.6), user=[(0, 2)], assistant=[(3, 5)])
    assert values("false_answer", held) == []


def test_own_back_channels_are_counted_by_the_users_minute_and_timed_within_the_turn() -> None:
    held = conversation(turn(10, 40), assistant=[(12, 12.5), (20, 20.9), (25, 27)])
    assert values("fdb_backchannels_per_min", held) == [2]
    [figure] = [one for one in figures(observations(held), 1) if one.name == "fdb_backchannels_per_min"]
    assert figure.value == 4
    assert backchannel_times(held) == [2, 10]
    chatty = conversation(
        turn(10, 40),
        assistant=[(12, 12.5)],
        words=tuple(Word("w", 12 + n / 10, 12.1 + n / 10) for n in range(3)),
    )
    assert backchannel_times(chatty) == []


def test_jensen_shannon_distance_is_that_of_hand() -> None:
    assert timing_distance([0.1, 0.5], [0.15, 0.45]) == 0
    assert timing_distance([0.1], [0.3]) == 1
    assert timing_distance([], [0.3]) == 1
    assert np.isnan(timing_distance([], []))
    # p = (1, 0), q = (1/2, 1/2): middle (3/4, 1/4).
    expected = np.sqrt((np.log2(4 / 3) + 0.5 * np.log2(2 / 3) + 0.5 * np.log2(2)) / 2)
    assert timing_distance([0.1, 0.1], [0.1, 0.3]) == pytest.approx(expected)
    assert timing_distance([0.2], [0.2 - 1e-12]) == 0, "an edge of a bin is no matter of rounding"


def test_endpoints_within_pauses_are_false_cut_offs_and_the_first_after_a_turn_is_its_delay() -> None:
    one = turn(0, 6, (1, 2), (3, 3.1), (4, 4.5))
    assert values("eot_false_cut_offs", conversation(one, assistant=[(7, 8)])) == [], "nobody told"
    held = conversation(one, assistant=[(7, 8)], endpoints_s=(1.6, 6.5, 9.0))
    assert values("eot_false_cut_offs", held) == [1, 0], "a pause under 0.2 s is none"
    assert values("eot_delay_s", held) == [0.5]
    assert values("eot_delay_s", conversation(one, endpoints_s=(5.95,))) == [0]
    assert values("eot_delay_s", conversation(one, turn(8, 9), endpoints_s=(8.5, 9.7))) == [0.7]


def test_a_turn_lasts_from_its_first_to_its_last_voice_within_what_the_script_says() -> None:
    held = conversation(turn(0, 4), user=[(0.5, 1), (1.5, 3)], assistant=[(3.5, 6)])
    assert values("response_latency_s", held) == [0.5]
    assert values("response_latency_s", conversation(turn(0, 3), user=[(0.5, 9)], assistant=[(3.5, 6)])) == [
        0.5
    ]
    assert values("response_latency_s", conversation(turn(0, 3), user=[], assistant=[(3.5, 6)])) == [0.5]


def seen(figure: str, *of: float, per: float = 1.0) -> list[Observation]:
    return [Observation(figure, one, 0.0, per=per) for one in of]


def test_a_figure_of_fewer_than_ten_events_is_hidden_and_its_count_is_not() -> None:
    [few] = figures(seen("take_over", *[1] * 8, 0))
    assert (few.value, few.low, few.high, few.n, few.total) == (None, None, None, 9, 8)
    [enough] = figures(seen("take_over", *[1] * 8, 0, 0))
    assert enough.value == 0.8
    assert (enough.low, enough.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_delays_have_mean_and_percentiles_and_the_same_interval_each_time() -> None:
    delays = [0.1 * n for n in range(1, 12)]
    [figure] = figures(seen("response_latency_s", *delays))
    assert (figure.value, figure.p50, figure.p90) == pytest.approx((0.6, 0.6, 1.0))
    assert figure.low is not None
    assert figure.high is not None
    assert 0.1 < figure.low < 0.6 < figure.high < 1.1
    assert figures(seen("response_latency_s", *delays)) == [figure]


def test_wilson_intervals_are_those_of_the_tables() -> None:
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1), abs=1e-4)
    assert wilson(11, 24) == pytest.approx((0.2789, 0.6493), abs=1e-4)


# Random conversations -------------------------------------------------------------------------

_LENGTHS = st.floats(0.1, 3).map(lambda one: round(one, 1))


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Events one after another, goes of the assistant anywhere."""
    events, at_s = [], 0.0
    for kind in draw(st.lists(st.sampled_from(("turn", "interruption", *DISTRACTORS)), max_size=6)):
        start_s = round(at_s + draw(_LENGTHS), 3)
        at_s = round(start_s + draw(_LENGTHS), 3)
        events.append(Event(kind, start_s, at_s))  # type: ignore[arg-type]
    goes, at_s = [], 0.0
    for _ in range(draw(st.integers(0, 5))):
        start_s = round(at_s + draw(_LENGTHS), 3)
        at_s = round(start_s + draw(_LENGTHS), 3)
        goes.append((start_s, at_s))
    cuts_s = draw(st.sampled_from((None, (), tuple(end_s for _, end_s in goes))))
    return conversation(
        *events, assistant=goes, cuts_s=cuts_s, endpoints_s=draw(st.sampled_from((None, (2.0,))))
    )


@given(conversations())
def test_rates_are_shares_delays_are_not_negative_and_every_event_counts_once(held: Conversation) -> None:
    observed = observations(held)
    for one in observed:
        assert one.value in (0, 1) or DEFINITIONS[one.figure].of != "rate"
        assert one.value >= 0
    counts = {name: sum(one.figure == name for one in observed) for name in DEFINITIONS}
    n_turns = sum(event.kind == "turn" for event in held.script.events)
    assert counts["fdb_turn_take_over"] == n_turns
    assert counts["tau_agent_interruptions"] == len(held.turns)
    assert counts["take_over"] <= len(held.turns)
    for name in DEFINITIONS:
        if name.endswith("_latency_s") and name.replace("_latency_s", "_rate") in counts:
            assert counts[name] <= counts[name.replace("_latency_s", "_rate")]
    distracted = sum(counts[f"false_interruption_{kind}"] for kind in DISTRACTORS) + counts["false_answer"]
    assert distracted <= sum(event.kind in DISTRACTORS for event in held.script.events)


@given(conversations(), _LENGTHS)
def test_figures_do_not_depend_on_when_the_recording_began(held: Conversation, later_s: float) -> None:
    def moved(one: Segment) -> tuple[float, float]:
        return round(one.start_s + later_s, 3), round(one.end_s + later_s, 3)

    script = held.script
    later = conversation(
        *(Event(event.kind, *moved(event.span)) for event in script.events),
        user=[moved(one) for one in held.user],
        assistant=[moved(one) for one in held.assistant],
        cuts_s=None if script.cuts_s is None else tuple(round(at_s + later_s, 3) for at_s in script.cuts_s),
        endpoints_s=None
        if script.endpoints_s is None
        else tuple(at_s + later_s for at_s in script.endpoints_s),
    )
    now, then = figures(observations(held), 1), figures(observations(later), 1)
    assert [(one.name, one.n, round(one.total, 5)) for one in now] == [
        (one.name, one.n, round(one.total, 5)) for one in then
    ]


@given(conversations())
def test_who_never_speaks_takes_nothing_over_and_is_never_interrupted(held: Conversation) -> None:
    silent = conversation(*held.script.events, assistant=[], cuts_s=())
    observed = observations(silent)
    assert {one.value for one in observed if one.figure.endswith("take_over")} <= {0}
    assert not any(one.figure.startswith(("false_interruption", "tau_yield", "barge_in")) for one in observed)


def test_every_figure_can_be_observed() -> None:
    held = conversation(
        turn(0, 6, (1, 2)),
        interruption(10, 11),
        *(Event(kind, 14 + n, 14.3 + n) for n, kind in enumerate(DISTRACTORS)),
        Event("cough", 40, 40.3),
        assistant=[(7, 10.5), (12, 30)],
        endpoints_s=(6.5,),
    )
    assert {one.name for one in figures(observations(held))} == set(DEFINITIONS)
    assert figures_module.EVENTS_MIN == 10


# Planted bugs ---------------------------------------------------------------------------------

PROMISES = (
    test_a_turn_that_is_answered_has_its_latency_in_every_panel,
    test_a_turn_counts_as_unanswered_when_the_user_has_to_speak_again,
    test_tau_voice_leaves_out_the_last_turn_where_nothing_follows_and_parlour_counts_it,
    test_a_short_answer_does_not_take_the_turn_over_unless_it_has_four_words,
    test_an_answer_that_begins_within_the_turn_has_no_latency_in_full_duplex_bench,
    test_silences_of_half_a_second_do_not_divide_an_answer,
    test_a_pause_is_survived_when_no_answer_begins_before_the_turn_ends,
    test_an_interruption_has_a_yield_a_latency_and_an_answer,
    test_an_assistant_that_goes_on_for_two_seconds_did_not_yield,
    test_a_distractor_in_silence_is_not_answered_for_two_seconds,
    test_an_answer_that_had_said_all_was_not_interrupted_where_the_cuts_are_known,
    test_a_sound_that_follows_a_turn_without_answer_is_not_what_is_answered,
    test_own_back_channels_are_counted_by_the_users_minute_and_timed_within_the_turn,
    test_endpoints_within_pauses_are_false_cut_offs_and_the_first_after_a_turn_is_its_delay,
    test_a_turn_lasts_from_its_first_to_its_last_voice_within_what_the_script_says,
    partial(test_a_distractor_is_talked_through_for_a_second, "cough", "tau_selectivity_vocal_tic"),
    partial(test_a_false_interruption_is_counted_by_its_kind_and_music_until_it_ends, "music"),
)

PLANTED: dict[str, tuple[object, str, object]] = {
    "half a second takes a turn over": (full_duplex_bench, "TAKE_OVER_S", 0.5),
    "four words are not enough": (full_duplex_bench, "TAKE_OVER_WORDS", 4),
    "two seconds are a back-channel": (full_duplex_bench, "BACKCHANNEL_S", 2.5),
    "three words are a back-channel": (full_duplex_bench, "BACKCHANNEL_WORDS", 3),
    "one has longer to yield": (tau_voice, "NO_YIELD_S", 2.1),
    "one yields to a cough later": (tau_voice, "DISTRACTOR_YIELD_S", 1.1),
    "one answers a cough later": (tau_voice, "DISTRACTOR_RESPONSE_S", 2.2),
    "shorter silences divide an answer": (conversation_module, "ASSISTANT_GAP_S", 0.3),
    "longer silences do not divide an answer": (conversation_module, "ASSISTANT_GAP_S", 0.7),
    "a sound stops an answer for longer": (own_figures, "STOPS_WITHIN_S", 1.2),
    "short pauses count": (own_figures, "EOT_PAUSE_S", (0.0, 5.0)),
    "an endpoint is never early": (own_figures, "EARLY_S", 0.0),
    "nothing ends by itself": (Conversation, "ended_by_itself", lambda *_: False),
    "all ends by itself": (Conversation, "ended_by_itself", lambda *_: True),
    "no turn follows another": (Conversation, "turn_after", lambda *_: None),
    "words are never known": (Conversation, "n_words", lambda *_: None),
    "no answer is owed": (own_figures, "_owes_an_answer", lambda *_: False),
    "an answer is always owed": (own_figures, "_owes_an_answer", lambda *_: True),
    "turns last as long as the script says": (conversation_module, "_on_voice", lambda event, _: event),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_breaks_a_promise(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for promise in PROMISES:
        promise()
    where, name, wrong = PLANTED[bug]
    monkeypatch.setattr(where, name, wrong)
    assert any(_breaks(promise) for promise in PROMISES)


def _breaks(promise: Callable[[], None]) -> bool:
    try:
        promise()
    except AssertionError:
        return True
    return False
