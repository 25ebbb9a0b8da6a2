"""One voice at a time: which of the responses in progress is heard now, and which wait, in their order."""


class SpeakingOrder:
    """Responses by their ids, in the order in which their first sound came; the first of them speaks."""

    def __init__(self) -> None:
        self._order: list[str] = []

    def __contains__(self, response_id: str) -> bool:
        """It speaks, or waits to."""
        return response_id in self._order

    def join(self, response_id: str) -> bool:
        """It has sound. Returns whether it may be heard now."""
        if response_id not in self._order:
            self._order.append(response_id)
        return self._order[0] == response_id

    def leave(self, response_id: str) -> None:
        """No more sound comes of it: the next one speaks."""
        if response_id in self._order:
            self._order.remove(response_id)

    @property
    def speaks(self) -> str | None:
        return self._order[0] if self._order else None
