"""Ids of tool calls that never repeat within a session, and the way back to the server's own.

Some servers give no id, some the same one in each answer (`search:0`). A client tells by the id which call an
output belongs to, so two calls of a conversation must not share one. The server in its turn may want the form
that it gave: its id comes back out of ours without being remembered, also in another process.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Collection

IDS_REMEMBERED = 10_000
"""Of all sessions together; the conversation itself holds those that matter longest."""

_MADE_UNIQUE = re.compile(r"(.+)~[0-9a-f]{8}", re.DOTALL)


class CallIds:
    def __init__(self, token: Callable[[], str]) -> None:
        """token: eight hexadecimal digits, at random."""
        self._token = token
        self._given: OrderedDict[tuple[str, str], None] = OrderedDict()

    def own(self, conversation_id: str, server_id: str, in_use: Collection[str]) -> str:
        """Return an id that is new in the conversation: the server's where it is, else one made from it.

        in_use: ids that the conversation holds already.
        """
        own_id = server_id
        while not own_id or own_id in in_use or (conversation_id, own_id) in self._given:
            # Nine letters and digits: Mistral's template takes nothing else.
            own_id = f"{server_id}~{self._token()}" if server_id else f"c{self._token()}"
        self._given[conversation_id, own_id] = None
        if len(self._given) > IDS_REMEMBERED:
            self._given.popitem(last=False)
        return own_id


def server_id_of(own_id: str) -> str:
    made = _MADE_UNIQUE.fullmatch(own_id)
    return made[1] if made else own_id
