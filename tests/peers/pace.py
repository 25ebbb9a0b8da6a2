"""The pace of what happens in real time: speech, sound that is played, packets one after another."""

import asyncio


class Paced:
    """Says when the next piece is due. Time is counted from the first, so that lateness does not add up.

    catches_up: whether pieces that are late come at once, as from a microphone that has kept them; else the
    pace goes on from where it is, as that of a loudspeaker that had nothing to play.
    """

    def __init__(self, catches_up: bool = True) -> None:
        self._loop = asyncio.get_running_loop()
        self._catches_up = catches_up
        self._due_at = self._loop.time()

    async def after(self, seconds: float) -> None:
        """Wait until so much more has passed since the piece before was due."""
        begins_at = self._due_at if self._catches_up else max(self._due_at, self._loop.time())
        self._due_at = begins_at + seconds
        await asyncio.sleep(max(0.0, self._due_at - self._loop.time()))
