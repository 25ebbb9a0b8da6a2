"""Calls of tools as a stream brings them, in pieces -> whole calls. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.engine.chat_server.thoughts import whole_characters


@dataclass(slots=True)
class PartialCall:
    """server_id: "" where the server gives none. arguments: JSON, as far as it has come."""

    server_id: str = ""
    name: str = ""
    arguments: str = ""


class ToolCallPieces:
    """Tells which call a piece belongs to: by its id, else by its index, else by its place in the list.

    Ollama and Gemini number every call 0 and give each an id; others give none, or a new one with each piece.
    """

    def __init__(self) -> None:
        self._calls: list[PartialCall] = []
        self._by_id: dict[str, PartialCall] = {}
        self._by_index: dict[int, PartialCall] = {}

    def take(self, piece: Mapping[str, Any], place: int) -> None:
        """place: the piece's position in its delta. Raises TypeError and its like for what is no piece."""
        function = piece.get("function") or {}
        server_id, name = str(piece.get("id") or ""), str(function.get("name") or "")
        index = piece.get("index")
        index = place if index is None else int(index)
        call = self._by_id.get(server_id) or self._by_index.get(index)
        if call is None or self._begins_another(call, server_id, name):
            call = PartialCall(server_id)
            self._calls.append(call)
        call.server_id = call.server_id or server_id
        self._by_index[index] = call
        if call.server_id:
            self._by_id[call.server_id] = call
        call.name = _joined(call.name, name)
        arguments = function.get("arguments")
        if arguments:
            # Ollama sends an object where the protocol says a string.
            call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)

    def whole(self, is_cut: bool = False) -> list[PartialCall]:
        """The calls so far, in the order in which they began, each with a name.

        is_cut: by a limit of tokens; then the last is left out where its arguments have not begun.
        """
        calls = [call for call in self._calls if call.name]
        if is_cut and calls and not calls[-1].arguments.strip():
            del calls[-1]
        return [
            PartialCall(
                call.server_id,
                whole_characters(call.name),
                whole_characters("{}" if call.arguments.strip() in ("", "null") else call.arguments),
            )
            for call in calls
        ]

    def _begins_another(self, call: PartialCall, server_id: str, name: str) -> bool:
        """Whether a piece with the index of a call begins the next: only what has a name does."""
        if not name or (server_id and server_id == call.server_id):
            return False
        if server_id and call.server_id:
            return True
        return json_object(call.arguments) is not None  # nothing is to be added to this one


def _joined(name: str, piece: str) -> str:
    """Most servers send a name once, some again with each piece, some in pieces."""
    return piece if piece.startswith(name) else name + piece


def written_call(content: str, tool_names: frozenset[str]) -> PartialCall | None:
    """A call that was left in the text, {"name": ..., "arguments": {...}}; None for anything else."""
    call = json_object(content)
    if call is None or not isinstance(call.get("name"), str) or call["name"] not in tool_names:
        return None
    arguments = call.get("arguments", call.get("parameters", {}))
    return PartialCall("", call["name"], arguments if isinstance(arguments, str) else json.dumps(arguments))


def json_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
