"""The client's picture of the conversation: built from events alone, it must come out right."""

from collections.abc import Iterator

from tests.e2e.clients.shape import Event


class History:
    """Item ids in their order, as a client keeps them; the user's speech on its way there."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._known: set[str] = set()
        self._done: set[str] = set()
        self._wanted_after: dict[str, str | None] = {}
        self._speaking: str | None = None
        self._stopped: str | None = None
        self._committed: dict[str, str | None] = {}
        self._transcripts: dict[str, str] = {}

    def sent(self, event: Event) -> None:
        item = event.get("item")
        if event.get("type") == "conversation.item.create" and isinstance(item, dict):
            item_id, previous = item.get("id"), event.get("previous_item_id")
            if isinstance(item_id, str):
                self._wanted_after[item_id] = previous if isinstance(previous, str) else None

    def received(self, event: Event) -> Iterator[str]:
        match event["type"]:
            case "conversation.item.added":
                yield from self._added(event)
            case "conversation.item.done":
                yield from self._item_done(event)
            case "conversation.item.deleted":
                if event["item_id"] not in self._order:
                    yield "an item is deleted that is not there"
                else:
                    self._order.remove(event["item_id"])
            case "conversation.item.retrieved":
                if event["item"]["id"] not in self._order:
                    yield "an item is retrieved that was never added"
            case "conversation.item.truncated":
                if event["item_id"] not in self._known:
                    yield "an item is truncated that was never added"
            case kind if kind.startswith("input_audio_buffer."):
                yield from self._input(kind, event)
            case kind if kind.startswith("conversation.item.input_audio_transcription."):
                yield from self._transcription(kind, event)

    def _added(self, event: Event) -> Iterator[str]:
        item_id, previous = event["item"]["id"], event.get("previous_item_id")
        if "previous_item_id" not in event:
            yield "previous_item_id is absent"
        if item_id in self._known:
            yield "an item is added twice"
        if item_id == self._stopped:
            yield "what was spoken is added before input_audio_buffer.committed"
        wanted = self._wanted_after.pop(item_id, None)
        expected = wanted if wanted is not None else (self._order[-1] if self._order else None)
        expected = None if expected == "root" else expected
        if previous != expected:
            yield f"previous_item_id is {previous!r}, not {expected!r}"
        if item_id in self._committed and self._committed[item_id] != previous:
            yield "previous_item_id differs from that of input_audio_buffer.committed"
        place = self._order.index(previous) + 1 if previous in self._order else 0
        self._order.insert(place, item_id)
        self._known.add(item_id)

    def _item_done(self, event: Event) -> Iterator[str]:
        item_id = event["item"]["id"]
        if item_id not in self._order:
            yield "an item is done that was never added"
            return
        if item_id in self._done:
            yield "an item is done twice"
        self._done.add(item_id)
        if event["item"].get("status") == "in_progress":
            yield "an item is done and in_progress"
        place = self._order.index(item_id)
        expected = self._order[place - 1] if place else None
        if event.get("previous_item_id") != expected:
            yield f"previous_item_id is {event.get('previous_item_id')!r}, not {expected!r}"

    def _input(self, kind: str, event: Event) -> Iterator[str]:
        match kind.removeprefix("input_audio_buffer."):
            case "speech_started":
                if self._speaking is not None:
                    yield "speech starts twice without an end"
                self._speaking = event["item_id"]
            case "speech_stopped":
                if self._speaking != event["item_id"]:
                    yield "speech stops that did not start"
                self._speaking, self._stopped = None, event["item_id"]
            case "committed":
                if self._stopped not in (None, event["item_id"]):
                    yield "another item is committed than was spoken"
                self._speaking = self._stopped = None
                self._committed[event["item_id"]] = event.get("previous_item_id")
                if event.get("previous_item_id") != (self._order[-1] if self._order else None):
                    yield "previous_item_id of a committed item is not the last one"
            case "cleared":
                self._speaking = None

    def _transcription(self, kind: str, event: Event) -> Iterator[str]:
        item_id = event["item_id"]
        if item_id not in self._known:
            yield "a transcription of an item that was never added"
        so_far = self._transcripts.get(item_id, "")
        if kind.endswith(".delta"):
            self._transcripts[item_id] = so_far + event["delta"]
        elif kind.endswith(".completed") and so_far != event["transcript"]:
            yield "the transcription's deltas do not add up"
