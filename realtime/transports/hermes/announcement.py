"""A text that a program gives a site to speak, and what comes after it. Pure."""

from typing import Literal

from realtime.protocol import events as wire

SAY_EVENT = "hermes_say"
"""The id of the event that asks the session to speak it."""
Then = Literal["listen", "sleep", "leave"]
"""After the text: the user's turn, the end of the Hermes session, or of the conversation."""


class Announcement:
    """From when it is given until its answer is made; its sound may yet be heard then.

    is_made: nothing more comes of it, also where it failed. finished: what to post once it was heard, or is
    not to be heard any more.
    """

    def __init__(self, text: str, then: Then, finished: tuple[str, bytes] | None = None) -> None:
        self.ask = wire.Say(text=text, event_id=SAY_EVENT)
        self.then = then
        self.finished = finished
        self.is_made = False
        self._response: str | None = None

    def observe(self, event: wire.ServerEvent) -> None:
        """What the session tells its client. The next answer that it creates is this one."""
        match event:
            case wire.ResponseCreated(response=response) if self._response is None:
                self._response = response.id
            case wire.ResponseDone(response=response) if response.id == self._response:
                self.is_made = True
            case wire.Error(error=error) if error.event_id == SAY_EVENT:
                self.is_made = True
