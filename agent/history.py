"""A conversation -> what of it a model's request holds: well formed, and within the context. Pure.

Clients, interruptions and limits leave conversations that no model's server takes: calls of tools without
outputs, outputs without calls, empty messages, two messages of one speaker in a row, more than the context.
Every engine gets its messages through here; how long a message is, each one measures itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

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

NO_OUTPUT = "No result: the tool has not answered."
"""Stands for the output of a call that has none (yet): protocols want one for each call."""
CUT_CHARS_LEAST = 80
"""A text that is too long is cut to so many characters at the shortest."""
_CUT_MARK = " [...] "


def well_formed(messages: Sequence[Message], hears: bool) -> tuple[Message, ...]:
    """The messages that say something, each call directly followed by its group's outputs, one for each.

    hears: whether audio counts by itself, or only by its words. A late output is moved to its call. Where an
    answer was given in between and the output is what the next one is about, the call is moved to the output.
    A call without output gets NO_OUTPUT; an output without a call, and a second one, is left out, and so is a
    call with an id that its group holds already.
    """
    return _paired([message for message in messages if not _is_empty(message, hears)])


def joined(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same with consecutive messages of one speaker as one."""
    result: list[Message] = []
    for _, run in groupby(messages, type):
        match list(run):
            case [UserMessage(), _, *_] as said:
                result.append(_joined_user([one for one in said if isinstance(one, UserMessage)]))
            case [AssistantMessage(), _, *_] as said:
                texts = (one.text for one in said if isinstance(one, AssistantMessage))
                result.append(AssistantMessage(" ".join(texts)))
            case others:
                result += others
    return tuple(result)


@dataclass(frozen=True, slots=True)
class Fitted:
    """messages: joined. tokens: of all of them, as measured. is_cut: a text was shortened."""

    messages: tuple[Message, ...]
    tokens: int
    is_cut: bool = False


def fitted(
    messages: Sequence[Message],
    size: Callable[[Message], int],
    fixed_tokens: int,
    budget_tokens: int | None,
    truncation: Truncation,
) -> Fitted:
    """The newest turns that fit, beginning with the user's, and joined.

    messages: well formed. size: tokens of a message. fixed_tokens: of instructions, tools and template, which
    always stay. budget_tokens: for all of it, None where nobody knows. System messages stay as long as
    anything else can leave. What the user said last stays, cut where it is too long by itself; the calls of
    tools made since leave before that, the oldest first, each with its output.
    Raises AgentError: `context_length_exceeded`.
    """
    units = [_Unit(unit, sum(map(size, unit))) for unit in _leaving_together(messages)]
    needed = _tokens(units)
    room = needed if budget_tokens is None else budget_tokens - fixed_tokens
    if truncation.tokens_max is not None:
        room = min(room, truncation.tokens_max)
    if needed <= room:
        return Fitted(joined(messages), needed)
    if truncation.retention_ratio is None:
        raise _too_long("The conversation takes", fixed_tokens + needed, fixed_tokens + room)
    staying = _staying(units, room, truncation.retention_ratio)
    needed = _tokens(staying)
    kept = [message for unit in staying for message in unit.messages]
    if needed <= room:
        return Fitted(joined(kept), needed)
    if not truncation.cuts_texts:
        raise _too_long("The instructions and the last turn take", fixed_tokens + needed, fixed_tokens + room)
    return _cut_to(kept, size, fixed_tokens, room)


# What is said ----------------------------------------------------------------------------


def _joined_user(messages: Sequence[UserMessage]) -> UserMessage:
    parts: list[TextPart | AudioPart] = []
    for message in messages:
        if parts and isinstance(parts[-1], TextPart):
            parts.append(TextPart("\n"))
        parts += message.parts
    return UserMessage(tuple(parts))


def _is_empty(message: Message, hears: bool) -> bool:
    match message:
        case UserMessage(parts):
            return not any(_says_something(part, hears) for part in parts)
        case SystemMessage(text) | AssistantMessage(text):
            return not text.strip()
        case ToolCallMessage() | ToolResultMessage():
            return False


def _says_something(part: TextPart | AudioPart, hears: bool) -> bool:
    match part:
        case TextPart(text):
            return bool(text.strip())
        case AudioPart(pcm, transcript):
            return bool((transcript or "").strip()) or (hears and bool(pcm))


# Calls and outputs -----------------------------------------------------------------------


def _paired(messages: Sequence[Message]) -> tuple[Message, ...]:
    output_of = _outputs_of_calls(messages)
    moved = {call: output for call, output in output_of.items() if _is_answered_next(messages, call, output)}
    calls_at = {output: call for call, output in moved.items()}
    result: list[Message] = []
    group: dict[str, int] = {}

    def close_group() -> None:
        result.extend(messages[call] for call in group.values())
        for call_id, call in group.items():
            output = output_of.get(call)
            result.append(ToolResultMessage(call_id, NO_OUTPUT) if output is None else messages[output])
        group.clear()

    for place, message in enumerate(messages):
        match message:
            case ToolCallMessage(call_id):
                if place not in moved:
                    group[call_id] = place
                continue
            case ToolResultMessage(call_id):
                close_group()
                if place in calls_at:
                    group[call_id] = calls_at[place]
                    close_group()
            case _:
                close_group()
                result.append(message)
    close_group()
    return tuple(result)


def _outputs_of_calls(messages: Sequence[Message]) -> dict[int, int]:
    """Places of calls -> places of their outputs.

    Ids may come again in a later turn: an output belongs to the latest call before it that has none. One that
    comes before any call with its id belongs to the first after it.
    """
    calls: dict[str, list[int]] = {}
    for place, message in enumerate(messages):
        if isinstance(message, ToolCallMessage):
            calls.setdefault(message.call_id, []).append(place)
    outputs: dict[int, int] = {}
    early: list[tuple[int, str]] = []
    for place, message in enumerate(messages):
        if not isinstance(message, ToolResultMessage):
            continue
        with_id = calls.get(message.call_id, [])
        before = [call for call in with_id if call < place]
        waiting = [call for call in before if call not in outputs]
        if waiting:
            outputs[waiting[-1]] = place
        elif with_id and not before:
            early.append((place, message.call_id))
    for place, call_id in early:
        waiting = [call for call in calls[call_id] if call not in outputs]
        if waiting:
            outputs[waiting[0]] = place
    return outputs


def _is_answered_next(messages: Sequence[Message], call: int, output: int) -> bool:
    """Whether a late output is what the next answer is about: one answer lies before it, no question after.

    At its call it would leave the request to end in the assistant's own words.
    """
    before = [message for message in messages[call:output] if isinstance(message, _Spoken)]
    if not before or not isinstance(before[-1], AssistantMessage):
        return False
    after = next((message for message in messages[output:] if isinstance(message, _Spoken)), None)
    return not isinstance(after, UserMessage)


_Spoken = (UserMessage, AssistantMessage)


# What fits -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Unit:
    """What leaves together: a message, or calls of tools with their outputs."""

    messages: tuple[Message, ...]
    tokens: int


def _tokens(units: Sequence[_Unit]) -> int:
    return sum(unit.tokens for unit in units)


def _leaving_together(messages: Sequence[Message]) -> list[tuple[Message, ...]]:
    units: list[tuple[Message, ...]] = []
    for message in messages:
        before = units[-1][-1] if units else None
        begins_group = isinstance(message, ToolCallMessage) and not isinstance(before, ToolCallMessage)
        if isinstance(message, _OfTools) and isinstance(before, _OfTools) and not begins_group:
            units[-1] = (*units[-1], message)
        else:
            units.append((message,))
    return units


_OfTools = (ToolCallMessage, ToolResultMessage)


def _staying(units: Sequence[_Unit], room: int, retention_ratio: float) -> list[_Unit]:
    """The units that are left when the oldest turns have gone; they may still be too long.

    Turns leave by a share of the room at once: if they left one by one, each answer would have to read the
    whole conversation anew, for what a server keeps of it ends where the first turn changes.
    """
    first = [unit.messages[0] for unit in units]
    systems = [place for place, message in enumerate(first) if isinstance(message, SystemMessage)]
    others = [place for place, message in enumerate(first) if not isinstance(message, SystemMessage)]
    users = [place for place in others if isinstance(first[place], UserMessage)]
    last_turn = max(users or others, default=0)
    surplus = _tokens(units) - room
    step = max(round(room * (1 - retention_ratio)), 1)
    leaving = -(-surplus // step) * step
    gone: set[int] = set()
    for place in others:
        if place >= last_turn or (leaving <= 0 and isinstance(first[place], UserMessage)):
            break
        gone.add(place)
        leaving -= units[place].tokens
        surplus -= units[place].tokens
    since = [place for place in others if place > last_turn]
    for place in [*since[:-1], *systems]:
        if surplus <= 0:
            break
        gone.add(place)
        surplus -= units[place].tokens
    return [unit for place, unit in enumerate(units) if place not in gone]


def _cut_to(messages: Sequence[Message], size: Callable[[Message], int], fixed: int, room: int) -> Fitted:
    """The messages with their texts cut to one length, the greatest at which all fit."""

    def cut(chars: int) -> Fitted:
        shorter = [_cut_message(message, chars) for message in messages]
        return Fitted(joined(shorter), sum(map(size, shorter)), is_cut=True)

    best = cut(CUT_CHARS_LEAST)
    if best.tokens > room:
        raise _too_long("The instructions and the last turn take", fixed + best.tokens, fixed + room)
    fits, too_long = CUT_CHARS_LEAST, max(map(_longest_text, messages), default=0)
    while too_long - fits > 1:
        # Twice as much first: texts are long, what fits is short, and each trial takes its length's time.
        chars = min(2 * fits, (fits + too_long) // 2)
        trial = cut(chars)
        if trial.tokens <= room:
            best, fits = trial, chars
        else:
            too_long = chars
    return best


def _cut_message(message: Message, chars: int) -> Message:
    match message:
        case UserMessage(parts):
            return UserMessage(tuple(_cut_part(part, chars) for part in parts))
        case SystemMessage(text) | AssistantMessage(text):
            return replace(message, text=cut_text(text, chars))
        case ToolResultMessage(call_id, output):
            return ToolResultMessage(call_id, cut_text(output, chars))
        case ToolCallMessage():
            return message  # its arguments would be no JSON


def _cut_part(part: TextPart | AudioPart, chars: int) -> TextPart | AudioPart:
    match part:
        case TextPart(text):
            return TextPart(cut_text(text, chars))
        case AudioPart(pcm, transcript):
            return AudioPart(pcm, transcript and cut_text(transcript, chars))


def cut_text(text: str, chars: int) -> str:
    """At most so many characters of it, and a mark: a question stands at its beginning or at its end."""
    if len(text) <= chars:
        return text
    left = max(chars - len(_CUT_MARK), 2)
    end = left // 3
    return f"{text[: left - end]}{_CUT_MARK}{text[-end:] if end else ''}"


def _longest_text(message: Message) -> int:
    match message:
        case UserMessage(parts):
            texts = [part.text if isinstance(part, TextPart) else part.transcript or "" for part in parts]
        case SystemMessage(text) | AssistantMessage(text) | ToolResultMessage(output=text):
            texts = [text]
        case ToolCallMessage():
            texts = []
    return max(map(len, texts), default=0)


def _too_long(what: str, tokens: int, budget_tokens: int) -> AgentError:
    return AgentError(
        "context_length_exceeded",
        f"{what} {tokens} tokens; {budget_tokens} at most leave room for an answer.",
    )
