"""RTP packets in the order they came -> audio in the order it was spoken, its gaps known (RFC 3550).

Speech is not played here but listened to, and audio is the clock of speech: so nothing is held back
to hide jitter. A packet waits only for one that is missing before it, and not for long.
"""

from dataclasses import dataclass

WAIT_PACKETS = 4
"""That many later packets (80 ms) and the missing one is given up; a reordered one has come by then."""
GAP_MS_MAX = 2_000
"""A longer gap is shortened to this: a peer that was muted for minutes did not speak minutes of silence."""
RTP_HZ = 48_000  # of Opus, whatever it carries (RFC 7587 4.1)
_RESTART_PACKETS = 500  # further off than this, it is another stream: ten seconds


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet. sequence: 16 bits; timestamp: 32 bits, in samples at 48 kHz."""

    sequence: int
    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Audio that did not come. lost: it was sent; otherwise the peer sent nothing, as in silence."""

    samples: int
    lost: bool


class Reorder:
    """One stream. Bounded: it never holds more than WAIT_PACKETS packets."""

    def __init__(self) -> None:
        self._next_sequence: int | None = None
        self._ends_at = 0  # timestamp that follows what was given out last
        self._held: dict[int, Packet] = {}

    def push(self, packet: Packet, samples: int) -> list[Packet | Gap]:
        """samples: the audio in the packet, at 48 kHz. Returns what is next, in order.

        A packet that came twice or too late is dropped.
        """
        if self._next_sequence is None:
            self._begin(packet)
        assert self._next_sequence is not None
        ahead = _signed(packet.sequence - self._next_sequence, 16)
        if abs(ahead) > _RESTART_PACKETS:
            self._begin(packet)
        elif ahead < 0:
            return []
        self._held[packet.sequence] = packet
        self._samples = samples
        ready: list[Packet | Gap] = []
        while self._held:
            if self._next_sequence in self._held:
                ready += self._give(self._held.pop(self._next_sequence), False)
            elif len(self._held) >= WAIT_PACKETS:
                nearest = min(self._held, key=self._distance)
                ready += self._give(self._held.pop(nearest), True)
            else:
                break
        return ready

    def _begin(self, packet: Packet) -> None:
        self._held.clear()
        self._next_sequence = packet.sequence
        self._ends_at = packet.timestamp

    def _give(self, packet: Packet, lost: bool) -> list[Packet | Gap]:
        missing = _signed(packet.timestamp - self._ends_at, 32)
        self._next_sequence = (packet.sequence + 1) & 0xFFFF
        self._ends_at = (packet.timestamp + self._samples) & 0xFFFFFFFF
        if missing <= 0:
            return [packet]
        return [Gap(min(missing, GAP_MS_MAX * RTP_HZ // 1000), lost), packet]

    def _distance(self, sequence: int) -> int:
        assert self._next_sequence is not None
        return (sequence - self._next_sequence) & 0xFFFF


def _signed(difference: int, bits: int) -> int:
    """The shorter way round a counter of that many bits."""
    half = 1 << (bits - 1)
    return ((difference + half) & ((1 << bits) - 1)) - half
