"""Packets come in any order, twice or never: what goes on is in order, and as long as what was said."""

import random

from hypothesis import given
from hypothesis import strategies as st

from realtime.transports.webrtc.reorder import GAP_MS_MAX, RTP_HZ, WAIT_PACKETS, Gap, Packet, Reorder

FRAME = 960


def stream(n: int, sequence: int = 65_530, timestamp: int = 2**32 - 3_000) -> list[Packet]:
    """Both counters go round within it."""
    return [
        Packet((sequence + at) & 0xFFFF, (timestamp + at * FRAME) & 0xFFFFFFFF, bytes([at & 0xFF]))
        for at in range(n)
    ]


def given_out(reorder: Reorder, packets: list[Packet]) -> list[Packet | Gap]:
    return [ready for packet in packets for ready in reorder.push(packet, FRAME)]


def test_packets_in_order_go_on_at_once() -> None:
    reorder = Reorder()
    for packet in stream(50):
        assert reorder.push(packet, FRAME) == [packet]


def test_a_lost_packet_becomes_a_hole_after_a_short_wait() -> None:
    packets = stream(10)
    reorder = Reorder()
    assert given_out(reorder, packets[:3]) == packets[:3]
    assert given_out(reorder, packets[4 : 3 + WAIT_PACKETS]) == []
    assert given_out(reorder, packets[3 + WAIT_PACKETS : 4 + WAIT_PACKETS]) == [
        Gap(FRAME, lost=True),
        *packets[4 : 4 + WAIT_PACKETS],
    ]


def test_silence_that_was_not_sent_is_a_hole_that_was_not_lost() -> None:
    first, _, second = stream(3)
    second = Packet((first.sequence + 1) & 0xFFFF, second.timestamp, second.payload)
    assert given_out(Reorder(), [first, second]) == [first, Gap(FRAME, lost=False), second]


def test_minutes_without_a_packet_are_not_minutes_of_silence() -> None:
    [first] = stream(1)
    later = Packet((first.sequence + 1) & 0xFFFF, (first.timestamp + 300 * RTP_HZ) & 0xFFFFFFFF, b"")
    assert given_out(Reorder(), [first, later])[1] == Gap(GAP_MS_MAX * RTP_HZ // 1000, lost=False)


def test_another_stream_is_taken_up_where_it_begins() -> None:
    reorder = Reorder()
    given_out(reorder, stream(5))
    other = stream(5, sequence=20_000, timestamp=77)
    assert given_out(reorder, other) == other


@given(st.integers(0, 2**32), st.floats(0, 0.3), st.floats(0, 0.06), st.floats(0, 0.1))
def test_whatever_the_network_does_order_and_length_are_kept(
    seed: int, loss: float, jitter_s: float, twice: float
) -> None:
    draw = random.Random(seed)
    packets = stream(200)
    arrivals: list[tuple[float, int]] = []
    for at in range(1, len(packets) - 1):
        if draw.random() >= loss:
            copies = 2 if draw.random() < twice else 1
            arrivals += [(at * 0.02 + draw.uniform(0, jitter_s), at) for _ in range(copies)]
    # The ends are there, so that the whole length is known.
    arrivals = [(0.0, 0), *sorted(arrivals)]
    tail = [
        Packet((p.sequence + 199) & 0xFFFF, (p.timestamp + 199 * FRAME) & 0xFFFFFFFF, b"") for p in stream(9)
    ]
    out = given_out(Reorder(), [packets[at] for _, at in arrivals] + tail)
    came = [one for one in out if isinstance(one, Packet)]
    order = [(packet.sequence - packets[0].sequence) & 0xFFFF for packet in came]
    assert order == sorted(set(order))
    length = sum(one.samples if isinstance(one, Gap) else FRAME for one in out)
    assert length == (order[-1] + 1) * FRAME


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1)), max_size=200))
def test_no_packet_can_break_it(packets: list[tuple[int, int]]) -> None:
    reorder = Reorder()
    for sequence, timestamp in packets:
        for ready in reorder.push(Packet(sequence, timestamp, b""), FRAME):
            if isinstance(ready, Gap):
                assert 0 < ready.samples <= GAP_MS_MAX * RTP_HZ // 1000
        assert len(reorder._held) <= WAIT_PACKETS
