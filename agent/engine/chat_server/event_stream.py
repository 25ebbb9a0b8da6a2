"""Server-sent events: the bytes of a response's body -> events. Pure.

Source: WHATWG HTML 9.2.5 and 9.2.6, but for comments, which become events here: servers send them as
signs of life. `id` and `retry` are skipped, for an answer is never resumed.
"""

import codecs
from dataclasses import dataclass

EVENT_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """name: "" where the stream names none, which means "message".

    data: lines joined by line feeds, never empty.
    """

    data: str
    name: str = ""


class EventStream:
    """Feed it the body as it comes, cut anywhere."""

    def __init__(self) -> None:
        # The standard decodes UTF-8 whatever the response's header says. "sig": a first BOM is no content.
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._line = ""
        self._after_carriage_return = False
        self._name = ""
        self._data: list[str] = []
        self._event_chars = 0

    def feed(self, body: bytes) -> list[ServerSentEvent]:
        """Return the events that these bytes complete. An event that is never completed is none.

        Raises ValueError for an event of more than EVENT_BYTES_MAX.
        """
        events = []
        text = self._decoder.decode(body)
        if self._after_carriage_return and text:
            text = text.removeprefix("\n")  # the second half of a line end that two reads have cut
            self._after_carriage_return = False
        self._after_carriage_return |= text.endswith("\r")
        *lines, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in lines:
            event = self._take_line(self._line + line)
            self._line = ""
            if event is not None:
                events.append(event)
        self._line += rest
        if self._event_chars + len(self._line) > EVENT_BYTES_MAX:
            raise ValueError("an event without an end")
        return events

    def _take_line(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatched()
        self._event_chars += len(line)
        field, _, value = line.partition(":")  # a comment is a line of the field ""
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        return None

    def _dispatched(self) -> ServerSentEvent | None:
        data, name = "\n".join(self._data), self._name
        self._data, self._name, self._event_chars = [], "", 0
        return ServerSentEvent(data, name) if data else None
