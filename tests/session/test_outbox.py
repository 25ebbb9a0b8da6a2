"""The outgoing queue: in order, bounded, its audio droppable."""

import asyncio

from realtime.session.outbox import Outbox, Outgoing


async def test_messages_leave_in_their_order() -> None:
    outbox = Outbox()
    for text in "abc":
        outbox.put(Outgoing(text))
    assert [(await outbox.take()).text for _ in range(3)] == ["a", "b", "c"]
    assert outbox.is_empty


async def test_dropping_an_answers_audio_leaves_everything_else_in_order() -> None:
    outbox = Outbox()
    for text, response_id in [("a", None), ("b", "r1"), ("c", "r2"), ("d", "r1"), ("e", None)]:
        outbox.put(Outgoing(text, response_id))
    outbox.drop_audio("r1")
    assert [(await outbox.take()).text for _ in range(3)] == ["a", "c", "e"]


async def test_a_full_outbox_has_no_room_until_something_has_left() -> None:
    outbox = Outbox(bytes_max=4)
    outbox.put(Outgoing("abcd"))
    room = asyncio.create_task(outbox.drain())
    await asyncio.sleep(0)
    assert not room.done()
    await outbox.take()
    await room


async def test_dropping_audio_makes_room() -> None:
    outbox = Outbox(bytes_max=4)
    outbox.put(Outgoing("abcd", "r1"))
    outbox.drop_audio("r1")
    await outbox.drain()
    assert outbox.is_empty


async def test_whoever_waits_to_send_is_woken_by_the_next_message() -> None:
    outbox = Outbox()
    taking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.put(Outgoing("a"))
    assert (await taking).text == "a"
