"""Somebody who talks with the server, over any transport: for the conformance suite and benchmarks."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.speech import Utterance
from tests.waiting import News

Event = dict[str, Any]
SILENCE_S = 1.0
"""After each utterance: with it, the turn ends."""


class Refused(Exception):
    """The server lets nobody in at the moment; it said so in its transport's own way."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Peer(ABC):
    """Sees all its connections as one conversation.

    events: what it was told, each connection's after those of the one before. heard_ms: of each item of
    the assistant, how much came out of its loudspeaker: its own record; heard_before_ms: as it was when the
    session was resumed last. token: to resume with. is_played_for: whether sound begins where the server
    says when it is back; else the peer has sound of its own to go on with.
    """

    is_played_for = False

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.heard_ms: defaultdict[str, float] = defaultdict(float)
        self.heard_before_ms: defaultdict[str, float] = self.heard_ms
        self.token = ""
        self._news = News()

    # What each transport has its own way for ----------------------------------------------

    @abstractmethod
    async def begin(self, **session: Any) -> None:
        """Connect, with a session that can be resumed. Raises Refused."""

    @abstractmethod
    async def send(self, kind: str, **rest: Any) -> str:
        """An event of the client. Returns its event_id."""

    @abstractmethod
    async def speak(self, utterance: Utterance) -> None:
        """At the pace of speech, and then be silent. What one connection leaves unsaid, the next one says."""

    @abstractmethod
    async def press(self) -> None:
        """Push to talk: the button goes down. What is said before does not count."""

    @abstractmethod
    async def release(self) -> None: ...

    @abstractmethod
    async def hush(self) -> None:
        """Stop the answer that is heard, without a word."""

    @abstractmethod
    async def falls_silent(self) -> None:
        """Wait until all that has come was heard, or dropped."""

    @abstractmethod
    async def kill(self) -> None:
        """The connection is gone at once, and nothing is said of it."""

    @abstractmethod
    async def resume(self) -> Event:
        """Come back after that. Returns parlour.resumed or the error."""

    @abstractmethod
    async def knock(self) -> None:
        """Begin to come back, and be killed before it is known whether that was heard."""

    @abstractmethod
    async def take_over(self, token: str) -> Event:
        """Connect, and go on with the session of somebody else. Returns parlour.resumed or the error."""

    @abstractmethod
    async def close(self) -> None:
        """Say goodbye if that is still possible, and leave nothing behind."""

    # What all do alike --------------------------------------------------------------------

    async def ask(self, text: str = "Please recite.") -> None:
        content = [{"type": "input_text", "text": text}]
        await self.send(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content}
        )
        await self.send("response.create")

    async def hand_over(self) -> str:
        n_told = len(self.of("parlour.hand_over_token"))
        await self.send("parlour.hand_over")
        return str((await self.until("parlour.hand_over_token", n_told + 1))["token"])

    async def history(self, item_id: str) -> str:
        """The words of an item that the conversation keeps."""
        n_told = len(self.of("conversation.item.retrieved"))
        await self.send("conversation.item.retrieve", item_id=item_id)
        item = (await self.until("conversation.item.retrieved", n_told + 1))["item"]
        return "".join(part.get("transcript") or "" for part in item["content"])

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def words(self, item_id: str) -> str:
        """What it was told of an answer's text."""
        text, is_anew = "", False
        for event in self.events:
            match event:
                case {"type": "parlour.resumed", "replayed": False}:
                    is_anew = True
                case {"type": "response.output_audio_transcript.delta", "item_id": told, "delta": delta}:
                    if told == item_id:
                        text, is_anew = (delta if is_anew else text + delta), False
                case {"type": "conversation.item.done", "item": {"id": told, "role": "assistant"} as item}:
                    if told == item_id and is_anew:
                        text, is_anew = item["content"][0]["transcript"], False
        return text

    def answers(self) -> list[str]:
        """The ids of the assistant's spoken items that it was told of, oldest first."""
        added = [event["item"] for event in self.of("response.output_item.added")]
        return list(dict.fromkeys(item["id"] for item in added if item["type"] == "message"))

    async def until(self, kind: str, n: int = 1) -> Event:
        """The nth event of that type."""
        await self.wait(lambda: len(self.of(kind)) >= n, f"{kind} number {n}")
        return self.of(kind)[n - 1]

    async def answer(self, n: int = 1) -> str:
        """The id of the nth spoken answer, once there is one."""
        await self.wait(lambda: len(self.answers()) >= n, f"answer number {n}")
        return self.answers()[n - 1]

    async def hears(self, item_id: str, ms: float) -> None:
        """Wait until so much of it was heard."""
        await self.wait(lambda: self.heard_ms[item_id] >= ms, f"{ms} ms of sound")

    async def wait(self, is_so: Callable[[], Any], what: str) -> None:
        def missed() -> str:
            told = [event["type"] for event in self.events]
            return f"{what}, but {told}, and {dict(self.heard_ms)} ms were heard"

        await self._news.until(is_so, missed)

    def _took(self, event: Event) -> None:
        if event["type"] in ("parlour.resume_token", "parlour.resumed"):
            self.token = event["token"]
        if event["type"] == "parlour.resumed":
            self.heard_before_ms = self.heard_ms.copy()
        self.events.append(event)
        self._news()
