"""What happened on the user's side of a recorded conversation, as a JSON file:

    {"version": 1,
     "events": [{"kind": "turn", "start_s": 0.5, "end_s": 3.1, "label": "question", "pauses": [[1.2, 2.0]]},
                {"kind": "backchannel", "start_s": 5.0, "end_s": 5.4}],
     "endpoints_s": [3.7], "cuts_s": [], "words": [{"text": "Hello", "start_s": 4.0, "end_s": 4.3}]}

Times are in seconds from the start of both tracks.
"""

from pathlib import Path
from typing import Literal

import msgspec

from evaluation.errors import EvaluationError
from evaluation.speech.live.segments import Segment

Kind = Literal["turn", "interruption", "backchannel", "cough", "side_talk", "music", "noise"]
DISTRACTORS: tuple[Kind, ...] = ("backchannel", "cough", "side_talk", "music", "noise")
"""What is no turn: it should neither stop an answer nor be answered."""


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """kind: "turn" is said to the assistant while it is silent, "interruption" while it speaks, to stop it.

    pauses: (start, end) of the silences inside a turn. label: for whoever looks for the event in the
    recording.
    """

    kind: Kind
    start_s: float
    end_s: float
    label: str = ""
    pauses: tuple[Segment, ...] = ()

    def __post_init__(self) -> None:
        span = Segment(self.start_s, self.end_s)
        if any(not (span.start_s <= pause.start_s and pause.end_s <= span.end_s) for pause in self.pauses):
            raise ValueError(f"expected the pauses of the {self.kind} at {self.start_s:g} s inside of it")

    @property
    def span(self) -> Segment:
        return Segment(self.start_s, self.end_s)

    @property
    def is_said_to_the_assistant(self) -> bool:
        return self.kind in ("turn", "interruption")


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    start_s: float
    end_s: float


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The events in the order of their starts, and what is known besides the sound; None: not known.

    endpoints_s: when the client was told that the user's turn is over. cuts_s: when the client stopped the
    assistant's sound before its end. words: the assistant's.
    """

    version: Literal[1] = 1
    events: tuple[Event, ...]
    endpoints_s: tuple[float, ...] | None = None
    cuts_s: tuple[float, ...] | None = None
    words: tuple[Word, ...] | None = None

    def __post_init__(self) -> None:
        if list(self.events) != sorted(self.events, key=lambda event: event.start_s):
            raise ValueError("expected the events in the order of their starts")


def read_script(path: Path) -> Script:
    """Raises EvaluationError, which says what field is wrong."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Script)
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read: {error.strerror}.") from None
    except msgspec.MsgspecError as error:
        raise EvaluationError(f"{path} holds no events: {error}.") from None


def write_script(path: Path, script: Script) -> None:
    """Raises EvaluationError."""
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(script), indent=1) + b"\n")
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}.") from None
