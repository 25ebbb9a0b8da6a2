"""What a model's request holds of a conversation, whatever state clients leave it in."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import history
from agent.api import (
    AgentError,
    AssistantMessage,
    AudioPart,
    Message,
    SystemMessage,
    TextPart,
    ToolCallMessage,
    ToolResultMessage,
    Truncation,
    UserMessage,
)
from agent.history import NO_OUTPUT, Fitted, cut_text, fitted, joined, well_formed

AUTO = Truncation()


def said(*texts: str) -> UserMessage:
    return UserMessage(tuple(map(TextPart, texts)))


def answered(text: str) -> AssistantMessage:
    return AssistantMessage(text)


def call(call_id: str) -> ToolCallMessage:
    return ToolCallMessage(call_id, "weather", "{}")


def output(call_id: str, text: str = "sunny") -> ToolResultMessage:
    return ToolResultMessage(call_id, text)


def size(message: Message) -> int:
    """A token for each character, and four for a message."""
    match message:
        case UserMessage(parts):
            return 4 + sum(len(part.text if isinstance(part, TextPart) else "") for part in parts)
        case SystemMessage(text) | AssistantMessage(text) | ToolResultMessage(output=text):
            return 4 + len(text)
        case ToolCallMessage(arguments=arguments):
            return 4 + len(arguments)


def fit(messages: Sequence[Message], budget: int | None, truncation: Truncation = AUTO) -> Fitted:
    return fitted(well_formed(messages, hears=False), size, 0, budget, truncation)


# Calls and outputs -----------------------------------------------------------------------


def test_a_call_whose_tool_still_runs_has_an_output_that_says_so() -> None:
    assert well_formed([said("Weather?"), call("c"), said("Never mind.")], hears=False) == (
        said("Weather?"),
        call("c"),
        output("c", NO_OUTPUT),
        said("Never mind."),
    )


def test_a_late_output_is_moved_to_its_call() -> None:
    messages = [said("Weather?"), call("c"), said("And a joke."), output("c")]
    assert well_formed(messages, hears=False) == (messages[0], call("c"), output("c"), messages[2])


def test_a_late_output_that_is_to_be_answered_takes_its_call_along() -> None:
    """At its call it would leave the request to end in the assistant's own words."""
    before = [said("Weather?"), call("c"), said("A joke!"), answered("Knock, knock."), output("c")]
    made = (said("Weather?"), said("A joke!"), answered("Knock, knock."), call("c"), output("c"))
    assert well_formed(before, hears=False) == made
    later = [answered("It is sunny."), said("Thanks.")]
    assert well_formed([*before, *later], hears=False) == (*made, *later)


def test_a_late_output_before_a_question_is_moved_to_its_call() -> None:
    messages = [said("Weather?"), call("c"), said("A joke!"), answered("Knock."), output("c"), said("So?")]
    assert well_formed(messages, hears=False)[1:3] == (call("c"), output("c"))


def test_outputs_stand_in_the_order_of_their_calls() -> None:
    messages = [said("Both?"), call("a"), call("b"), output("b", "2"), output("a", "1")]
    assert well_formed(messages, hears=False)[1:] == (
        call("a"),
        call("b"),
        output("a", "1"),
        output("b", "2"),
    )


@pytest.mark.parametrize(
    "messages",
    [
        [said("Hi"), output("nobody's")],
        [said("Hi"), output("c")],
    ],
)
def test_an_output_without_a_call_is_left_out(messages: list[Message]) -> None:
    assert well_formed(messages, hears=False) == (said("Hi"),)


def test_a_second_output_is_left_out() -> None:
    messages = [said("Hi"), call("c"), output("c", "first"), output("c", "second"), said("So?")]
    assert well_formed(messages, hears=False) == (*messages[:3], said("So?"))


def test_an_output_before_its_call_is_moved_to_it() -> None:
    messages = [output("c"), said("Hi"), call("c"), said("So?")]
    assert well_formed(messages, hears=False) == (said("Hi"), call("c"), output("c"), said("So?"))


def test_an_id_that_comes_again_in_a_later_turn_is_another_call() -> None:
    messages = [said("1"), call("c"), output("c", "1"), answered("a"), said("2"), call("c"), output("c", "2")]
    assert well_formed(messages, hears=False) == tuple(messages)


def test_a_second_call_of_one_id_in_a_group_is_left_out() -> None:
    assert well_formed([said("Hi"), call("c"), call("c"), output("c")], hears=False) == (
        said("Hi"),
        call("c"),
        output("c"),
    )


# Speakers --------------------------------------------------------------------------------


def test_what_says_nothing_is_left_out() -> None:
    silence = UserMessage((AudioPart(b"\0\0", ""),))
    messages = [SystemMessage(" "), said("Hi"), silence, said(), answered("\n"), said("So?")]
    assert well_formed(messages, hears=False) == (said("Hi"), said("So?"))
    assert silence in well_formed(messages, hears=True)


def test_consecutive_messages_of_one_speaker_are_one() -> None:
    messages = [said("One."), said("Two."), answered("A."), answered("B."), said("Three.")]
    assert joined(messages) == (said("One.", "\n", "Two."), answered("A. B."), said("Three."))


# What fits -------------------------------------------------------------------------------

LONG = [
    message
    for n in range(10)
    for message in (said(f"question {n} ".ljust(46, "q")), answered(f"answer {n} ".ljust(46, "a")))
]


def test_the_oldest_turns_leave_and_the_rest_begins_with_the_users() -> None:
    made = fit([*LONG, said("Now?")], 400, Truncation(1.0))
    assert isinstance(made.messages[0], UserMessage)
    assert made.messages == (*LONG[-6:], said("Now?"))
    assert not made.is_cut


@pytest.mark.parametrize("ratio", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_turns_leave_until_the_retention_ratio_of_the_room_is_used(ratio: float) -> None:
    sizes = [fit(LONG[:n], 400, Truncation(ratio)).tokens for n in range(1, 2 * 400 // 50 + 1, 2)]
    after = next(tokens for before, tokens in pairwise(sizes) if tokens <= before)
    assert abs(after - ratio * 400) <= 100  # a turn


def test_with_a_ratio_below_one_the_first_turn_seldom_changes() -> None:
    """What a server keeps of the conversation ends where the first turn changes."""

    def firsts(ratio: float) -> int:
        made = [fit(LONG[:n], 400, Truncation(ratio)).messages[0] for n in range(1, len(LONG), 2)]
        return sum(first != before for before, first in pairwise(made))

    assert firsts(0.5) < firsts(1.0)


def test_a_conversation_may_be_limited_below_the_context() -> None:
    assert fit([*LONG, said("Now?")], None, Truncation(1.0, tokens_max=120)).tokens <= 120
    assert fit([*LONG, said("Now?")], 10_000, Truncation(1.0, tokens_max=120)).tokens <= 120


def test_with_truncation_disabled_nothing_leaves_and_the_answer_fails() -> None:
    assert fit(LONG, 1000, Truncation(None)).messages == tuple(LONG)
    with pytest.raises(AgentError, match="takes 1000 tokens; 999 at most") as failure:
        fit(LONG, 999, Truncation(None))
    assert failure.value.code == "context_length_exceeded"


def test_a_text_too_long_by_itself_is_cut_and_the_next_short_turn_is_whole() -> None:
    made = fit([said("What is this? " + "x" * 10_000 + " Tell me.")], 500)
    assert made.is_cut
    assert made.tokens <= 500
    [message] = made.messages
    assert isinstance(message, UserMessage)
    [part] = message.parts
    assert isinstance(part, TextPart)
    assert part.text.startswith("What is this? xxx")
    assert part.text.endswith("xxx Tell me.")
    unanswered = fit([said("x" * 10_000), said("Hello?")], 500)
    assert unanswered == Fitted((said("Hello?"),), 10)


def test_a_tools_output_too_long_by_itself_is_cut_and_its_question_stays() -> None:
    made = fit([said("Weather?"), call("c"), output("c", "x" * 10_000)], 500)
    assert made.is_cut
    assert made.messages[:2] == (said("Weather?"), call("c"))
    assert made.tokens <= 500


def test_of_a_turn_with_many_calls_the_oldest_leave_with_their_outputs() -> None:
    rounds = [message for n in range(9) for message in (call(f"c{n}"), output(f"c{n}", "x" * 50))]
    made = fit([*LONG, said("All?"), *rounds], 200)
    assert made.messages[0] == said("All?")
    assert made.messages[1:] == tuple(rounds[-6:])


def test_where_texts_must_not_be_cut_the_answer_fails() -> None:
    with pytest.raises(AgentError, match="take 10004 tokens; 500 at most") as failure:
        fit([said("x" * 10_000)], 500, Truncation(cuts_texts=False))
    assert failure.value.code == "context_length_exceeded"


def test_where_the_instructions_leave_no_room_the_answer_fails() -> None:
    with pytest.raises(AgentError) as failure:
        fitted([said("Hi")], size, 1000, 500, AUTO)
    assert failure.value.code == "context_length_exceeded"


def test_system_messages_stay_until_nothing_else_can_leave() -> None:
    rule = SystemMessage("The user is Ann.")
    assert rule in fit([rule, *LONG, said("Now?")], 200).messages
    assert fit([SystemMessage("x" * 400), rule, said("Now?")], 200).messages == (rule, said("Now?"))


@given(st.text(max_size=300), st.integers(10, 400))
def test_a_cut_text_is_at_most_as_long_as_it_may_be(text: str, chars: int) -> None:
    assert len(cut_text(text, chars)) <= chars


# Whatever comes --------------------------------------------------------------------------

IDS = st.sampled_from(["a", "b", "c"])
TEXTS = st.one_of(st.sampled_from(["", " ", "yes", "word " * 12]), st.text(max_size=40))
MESSAGES = st.lists(
    st.one_of(
        st.builds(said, TEXTS),
        st.builds(answered, TEXTS),
        st.builds(SystemMessage, TEXTS),
        st.builds(call, IDS),
        st.builds(call, IDS),
        st.builds(output, IDS, TEXTS),
        st.builds(output, IDS, TEXTS),
        st.just(UserMessage((AudioPart(b"\0\0", ""),))),
    ),
    max_size=14,
)
TRUNCATIONS = st.builds(Truncation, st.one_of(st.none(), st.floats(0.0, 1.0)))


def check(messages: list[Message], budget: int, truncation: Truncation) -> None:
    formed = well_formed(messages, hears=False)
    check_well_formed(messages, formed)
    longest_call = max(Counter(type(one) for one in messages)[ToolCallMessage], 1)
    try:
        made = fitted(formed, size, 0, budget, truncation)
    except AgentError as refused:
        assert refused.code == "context_length_exceeded"
        assert truncation.retention_ratio is None or budget < 100 * (1 + longest_call + len(messages))
        return
    assert made.tokens <= budget
    assert sum(map(size, made.messages)) <= budget + len(messages)  # what joins them
    check_well_formed(messages, made.messages)
    speakers = [one for one in made.messages if isinstance(one, UserMessage | AssistantMessage)]
    for before, after in pairwise(made.messages):
        assert not (type(before) is type(after) and isinstance(after, UserMessage | AssistantMessage))
    users = [one for one in formed if isinstance(one, UserMessage)]
    if users and not made.is_cut:
        last = next(one for one in reversed(speakers) if isinstance(one, UserMessage))
        assert last.parts[-len(users[-1].parts) :] == users[-1].parts
    if sum(map(size, formed)) <= budget:
        assert made.messages == joined(formed)
    elif users and not made.is_cut:
        begins = next(one for one in made.messages if not isinstance(one, SystemMessage))
        assert isinstance(begins, UserMessage)


def check_well_formed(messages: Sequence[Message], made: Sequence[Message]) -> None:
    assert well_formed(made, hears=False) == tuple(made)
    waiting: list[str] = []
    for message in made:
        match message:
            case ToolCallMessage(call_id):
                assert call_id not in waiting
                waiting.append(call_id)
            case ToolResultMessage(call_id):
                assert waiting
                assert call_id in waiting
                waiting.remove(call_id)
            case _:
                assert not waiting
                assert not isinstance(message, AssistantMessage | SystemMessage) or message.text.strip()
    assert not waiting
    spoken = [one for one in made if not isinstance(one, ToolCallMessage | ToolResultMessage)]
    assert len(spoken) <= len(messages)
    told = Counter(one.output for one in made if isinstance(one, ToolResultMessage))
    given_ = Counter(one.output for one in messages if isinstance(one, ToolResultMessage))
    assert all(n <= given_[text] for text, n in told.items() if text != NO_OUTPUT and " [...] " not in text)


@given(MESSAGES, st.integers(60, 900), TRUNCATIONS)
@settings(max_examples=400)
def test_whatever_conversation_comes_the_request_is_one_that_servers_take(
    messages: list[Message], budget: int, truncation: Truncation
) -> None:
    check(messages, budget, truncation)


# Planted bugs ----------------------------------------------------------------------------


class Bug(NamedTuple):
    place: str
    make: Callable[[Any], Any]


def forgets_calls_without_output(original: Any) -> Any:
    def paired(messages: Any) -> Any:
        return tuple(one for one in original(messages) if getattr(one, "output", "") != NO_OUTPUT)

    return paired


def leaves_orphans_in(original: Any) -> Any:
    def paired(messages: Any) -> Any:
        ids = {one.call_id for one in messages if isinstance(one, ToolCallMessage)}
        orphans = [one for one in messages if isinstance(one, ToolResultMessage) and one.call_id not in ids]
        return (*original(messages), *orphans)

    return paired


def leaves_late_outputs_where_they_are(_: Any) -> Any:
    return tuple


def takes_an_output_twice(original: Any) -> Any:
    def outputs(messages: Any) -> Any:
        found = original(messages)
        for place, one in enumerate(messages):
            if isinstance(one, ToolCallMessage):
                first = next((out for call, out in found.items() if messages[call] == one), None)
                if first is not None:
                    found[place] = first
        return found

    return outputs


def keeps_what_is_empty(_: Any) -> Any:
    return lambda message, hears: False


def joins_nothing(_: Any) -> Any:
    return tuple


def parts_pairs(_: Any) -> Any:
    return lambda messages: [(message,) for message in messages]


def lets_turns_leave_from_the_end(original: Any) -> Any:
    def staying(units: Any, room: int, ratio: float) -> Any:
        return list(units[: len(original(units, room, ratio))])

    return staying


def begins_in_mid_turn(original: Any) -> Any:
    def staying(units: Any, room: int, ratio: float) -> Any:
        kept = original(units, room, ratio)
        gone = [unit for unit in units if unit not in kept]
        if not gone or isinstance(gone[-1].messages[0], UserMessage):
            return kept
        is_room = sum(unit.tokens for unit in [gone[-1], *kept]) <= room
        return [gone[-1], *kept] if is_room else kept

    return staying


BUGS = [
    Bug("_paired", forgets_calls_without_output),
    Bug("_paired", leaves_orphans_in),
    Bug("_paired", leaves_late_outputs_where_they_are),
    Bug("_outputs_of_calls", takes_an_output_twice),
    Bug("_is_empty", keeps_what_is_empty),
    Bug("joined", joins_nothing),
    Bug("_leaving_together", parts_pairs),
    Bug("_staying", lets_turns_leave_from_the_end),
    Bug("_staying", begins_in_mid_turn),
]


def survives() -> bool:
    @given(MESSAGES, st.integers(60, 900), TRUNCATIONS)
    @settings(
        max_examples=300,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=[p for p in settings.default.phases if p.name == "generate"],
    )
    def attempt(messages: list[Message], budget: int, truncation: Truncation) -> None:
        check(messages, budget, truncation)

    try:
        attempt()
    except (AssertionError, StopIteration):
        return False
    return True


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.make.__name__)
def test_a_planted_bug_dies(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, bug.place, bug.make(getattr(history, bug.place)))
    assert not survives()


def test_without_a_planted_bug_all_survive() -> None:
    assert survives()
