"""Two calls stay two, whatever a server numbers them; no id comes twice in a session."""

from itertools import count
from typing import Any

import pytest

from agent.engine.chat_server.call_ids import CallIds, server_id_of
from agent.engine.chat_server.tool_calls import PartialCall, ToolCallPieces, written_call

P, R = '{"city": "Paris"}', '{"city": "Rome"}'
HALVES = ('{"city": ', '"Paris"}')


def piece(arguments: object = None, name: str | None = "weather", **rest: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **rest}


CASES: dict[str, tuple[list[list[dict[str, Any]]], list[tuple[str, str]]]] = {
    "in pieces by index": (
        [[piece("", index=0, id="a")], [piece(HALVES[0], None, index=0)], [piece(HALVES[1], None, index=0)]],
        [("a", P)],
    ),
    "two by index, at the same time": (
        [
            [piece("", index=0, id="a"), piece("", index=1, id="b")],
            [piece(R, None, index=1), piece(P, None, index=0)],
        ],
        [("a", P), ("b", R)],
    ),
    "index from 1": ([[piece(P, index=1, id="a")], [piece(R, index=2, id="b")]], [("a", P), ("b", R)]),
    "same index, other ids": (
        [[piece(P, index=0, id="a")], [piece(R, index=0, id="b")]],
        [("a", P), ("b", R)],
    ),
    "same index, other ids, in pieces": (
        [
            [piece("", index=0, id="a")],
            [piece(P, None, index=0)],
            [piece("", index=0, id="b")],
            [piece(R, None, index=0)],
        ],
        [("a", P), ("b", R)],
    ),
    "no index, other ids": ([[piece(P, id="a")], [piece(R, id="b")]], [("a", P), ("b", R)]),
    "no index, same id": ([[piece(HALVES[0], id="a")], [piece(HALVES[1], None, id="a")]], [("a", P)]),
    "a new id with each piece": (
        [[piece(HALVES[0], index=0, id="a")], [piece(HALVES[1], None, index=0, id="b")]],
        [("a", P)],
    ),
    "by place, no ids": ([[piece(P), piece(R)]], [("", P), ("", R)]),
    "one after the other, neither id nor index": ([[piece(P)], [piece(R)]], [("", P), ("", R)]),
    "in pieces, neither id nor index": ([[piece(HALVES[0])], [piece(HALVES[1], None)]], [("", P)]),
    "the id comes late": ([[piece("", index=0)], [piece(P, None, index=0, id="a")]], [("a", P)]),
    "arguments as an object": ([[piece({"city": "Paris"}, index=0, id="a")]], [("a", P)]),
    "no arguments": ([[piece(None, index=0, id="a")]], [("a", "{}")]),
    "arguments null": ([[piece("null", index=0, id="a")]], [("a", "{}")]),
    "the name with each piece": ([[piece(HALVES[0], id="a")], [piece(HALVES[1], id="a")]], [("a", P)]),
    "the name in pieces": ([[piece("", "wea", id="a")], [piece(P, "ther", id="a")]], [("a", P)]),
    "no name": ([[piece(P, None, id="a")]], []),
    "half a character": ([[piece('{"city": "Paris\ud83d"}', id="a")]], [("a", P)]),
}


@pytest.mark.parametrize(("deltas", "expected"), CASES.values(), ids=CASES)
def test_calls_are_told_apart(deltas: list[list[dict[str, Any]]], expected: list[tuple[str, str]]) -> None:
    pieces = ToolCallPieces()
    for delta in deltas:
        for place, one in enumerate(delta):
            pieces.take(one, place)
    assert pieces.whole() == [
        PartialCall(server_id, "weather", arguments) for server_id, arguments in expected
    ]


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        ('\n{"name": "weather", "arguments": {"city": "Paris"}}\n', P),
        ('{"name": "weather", "parameters": {"city": "Paris"}}', P),
        ('{"name": "weather", "arguments": "{\\"city\\": \\"Paris\\"}"}', P),
        ('{"name": "weather"}', "{}"),
        ('{"name": "other", "arguments": {}}', None),
        ('{"name": [], "arguments": {}}', None),
        ('{"name": "weather", "argu', None),
        ("[" * 100_000, None),
        ("[]", None),
    ],
)
def test_a_call_that_was_left_in_the_text(content: str, arguments: str | None) -> None:
    call = written_call(content, frozenset({"weather"}))
    assert call == (None if arguments is None else PartialCall("", "weather", arguments))


def ids() -> CallIds:
    numbers = count(1)
    return CallIds(lambda: f"{next(numbers):08x}")


def test_a_servers_id_is_kept_where_it_is_new_and_else_made_so() -> None:
    own = ids().own
    assert own("s", "search:0", ()) == "search:0"
    assert own("s", "search:0", ()) == "search:0~00000001"
    assert own("other session", "search:0", ()) == "search:0"
    assert own("s", "b", {"b", "b~00000002"}) == "b~00000003"


def test_an_id_for_a_call_without_one_is_what_mistrals_template_takes() -> None:
    own = ids().own
    assert own("s", "", ()) == "c00000001"
    assert own("s", "", ()) == "c00000002"


@pytest.mark.parametrize("server_id", ["search:0", "call_a~b", "x~", "functions.search:1\n2"])
def test_the_servers_id_comes_back_out_of_ours(server_id: str) -> None:
    own = ids().own
    made = [own("s", server_id, ()) for _ in range(3)]
    assert len(set(made)) == 3
    assert {server_id_of(own_id) for own_id in made} == {server_id}
