"""The oracle: judges every event that the gateway sends, against the schema and the rules of order.

Give it both sides of a connection, frame by frame; it keeps what it objects to in `complaints`.
"""

import json
from collections.abc import Iterator
from typing import Literal

from tests.e2e.clients.history import History
from tests.e2e.clients.ladder import Ladders
from tests.e2e.clients.requests import Requests
from tests.e2e.clients.shape import Event, complaints_about_shape

Side = Literal["client", "gateway"]


class Oracle:
    """One connection, from the first frame on."""

    def __init__(self) -> None:
        self.frames: list[tuple[Side, str | bytes]] = []
        self.events: list[Event] = []
        self.client_events: list[Event] = []
        self.complaints: list[str] = []
        self._event_ids: set[str] = set()
        self._requests = Requests()
        self._history = History()
        self._ladders = Ladders()

    # What happens on the connection

    def sent(self, frame: str | bytes) -> None:
        """The client has sent this; it need not be valid."""
        try:
            event = json.loads(frame)
        except ValueError:
            event = {}
        event = event if isinstance(event, dict) else {}
        self.frames.append(("client", frame))
        self.client_events.append(event)
        self._requests.sent(event)
        self._history.sent(event)

    def received(self, frame: str | bytes) -> None:
        """The gateway has sent this."""
        event = json.loads(frame)
        self.frames.append(("gateway", frame))
        self.events.append(event)
        objections = list(self._objections(event, frame))
        self.complaints += [f"{event.get('type')} (event {len(self.events)}): {one}" for one in objections]

    def _objections(self, event: Event, frame: str | bytes) -> Iterator[str]:
        if isinstance(frame, bytes):
            yield "a binary frame"
        if (len(self.events) == 1) != (event.get("type") == "session.created"):
            yield "session.created comes first, and once"
        if event.get("event_id") in self._event_ids:
            yield "an event_id that was used before"
        self._event_ids.add(str(event.get("event_id")))
        yield from complaints_about_shape(event, len(frame.encode() if isinstance(frame, str) else frame))
        for rules in (self._requests, self._history, self._ladders):
            try:
                yield from rules.received(event)
            except (KeyError, TypeError, AttributeError, IndexError, ValueError) as broken:
                # So misshapen that the rules of order cannot be asked; `shape` says what is wrong.
                yield f"it cannot be followed ({type(rules).__name__}: {broken!r})"

    # What to ask afterwards

    @property
    def errors(self) -> list[Event]:
        """The `error` of each error event."""
        return [event["error"] for event in self.events if event["type"] == "error"]

    @property
    def is_settled(self) -> bool:
        return bool(self.events) and not any(self.unanswered())

    def unanswered(self) -> list[str]:
        """What is still to come before this connection may be closed."""
        return [*self._requests.unanswered(), *self._ladders.unfinished()]

    def named(self, event_type: str) -> list[Event]:
        return [event for event in self.events if event["type"] == event_type]

    def types(self) -> list[str]:
        return [str(event["type"]) for event in self.events]

    def judge(self, errors: tuple[str, ...] = ()) -> None:
        """Raise AssertionError unless all was right. errors: the codes that were provoked, in order."""
        owed = [f"never came: {one}" for one in self.unanswered()]
        wrong = [*self.complaints, *owed]
        assert not wrong, "\n".join(wrong)
        codes = [error["code"] for error in self.errors]
        assert codes == list(errors), f"errors {codes}, expected {list(errors)}"
