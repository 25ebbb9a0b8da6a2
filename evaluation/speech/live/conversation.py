"""A conversation as figures are made of it: who is heard when, and what the user did."""

from dataclasses import dataclass

import msgspec

from evaluation.speech.live.script import Event, Script
from evaluation.speech.live.segments import Segment, apart_s, at, merged, within

USER_GAP_S = 0.6
ASSISTANT_GAP_S = 0.5
"""Silences up to so long lie within one go (Full-Duplex-Bench v1.5)."""
CUT_WITHIN_S = 0.3
"""So near to the end of a go, a cut is what ended it."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One recording. user, assistant: in order, short silences closed.

    Each turn and interruption begins and ends where the user's voice does, as far as that lies inside of
    what the script says; the script may be drawn generously.
    """

    user: tuple[Segment, ...]
    assistant: tuple[Segment, ...]
    script: Script

    @classmethod
    def of(cls, script: Script, user: tuple[Segment, ...], assistant: tuple[Segment, ...]) -> "Conversation":
        """user, assistant: as voice activity detection has them."""
        events = tuple(_on_voice(event, user) for event in script.events)
        exact = msgspec.structs.replace(script, events=tuple(sorted(events, key=lambda event: event.start_s)))
        return cls(merged(user, USER_GAP_S), merged(assistant, ASSISTANT_GAP_S), exact)

    @property
    def turns(self) -> tuple[Event, ...]:
        """What is said to the assistant, in order."""
        return tuple(event for event in self.script.events if event.is_said_to_the_assistant)

    def turn_after(self, event: Event) -> Event | None:
        return next((one for one in self.turns if one.start_s >= event.end_s and one is not event), None)

    def heard_at(self, at_s: float) -> Segment | None:
        """The assistant's go at this moment."""
        return at(self.assistant, at_s)

    def ended_by_itself(self, go: Segment) -> bool:
        """Whether the assistant had said all: known where the script tells the cuts, and False where not."""
        cuts_s = self.script.cuts_s
        return cuts_s is not None and all(abs(apart_s(go.end_s, cut_s)) > CUT_WITHIN_S for cut_s in cuts_s)

    def n_words(self, go: Segment) -> int | None:
        """How many words begin in it; None where no words are known."""
        words = self.script.words
        return None if words is None else sum(go.holds(word.start_s) for word in words)


def _on_voice(event: Event, user: tuple[Segment, ...]) -> Event:
    if not event.is_said_to_the_assistant:
        return event
    heard = within(user, event.span)
    if not heard:
        return event
    # A pause at the edge would lie outside then.
    start_s = min([heard[0].start_s, *(pause.start_s for pause in event.pauses)])
    end_s = max([heard[-1].end_s, *(pause.end_s for pause in event.pauses)])
    return msgspec.structs.replace(event, start_s=start_s, end_s=end_s)
