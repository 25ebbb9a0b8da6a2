"""Where somebody is heard on a track: spans of time, in order, without overlap. Times in seconds."""

from collections.abc import Iterable, Sequence

import msgspec


class Segment(msgspec.Struct, frozen=True, order=True, array_like=True):
    """[start_s, end_s] in JSON: from start_s up to and without end_s. Raises ValueError where it ends before
    it starts."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not self.start_s <= self.end_s:
            raise ValueError(f"expected an end at or after {self.start_s:g} s, got {self.end_s:g} s")

    @property
    def seconds(self) -> float:
        return apart_s(self.start_s, self.end_s)

    def holds(self, at_s: float) -> bool:
        return self.start_s <= at_s < self.end_s


def apart_s(from_s: float, to_s: float) -> float:
    """Without what binary fractions leave over: 2.8 - 1.8 is 1, and meets a limit of 1 s."""
    return round(to_s - from_s, 6)


def merged(segments: Iterable[Segment], gap_s: float) -> tuple[Segment, ...]:
    """In order, with those joined that lie at most gap_s apart."""
    joined: list[Segment] = []
    for one in sorted(segments):
        if joined and apart_s(joined[-1].end_s, one.start_s) <= gap_s:
            joined[-1] = Segment(joined[-1].start_s, max(joined[-1].end_s, one.end_s))
        else:
            joined.append(one)
    return tuple(joined)


def at(segments: Sequence[Segment], at_s: float) -> Segment | None:
    """The one that holds this moment."""
    return next((one for one in segments if one.holds(at_s)), None)


def first_from(segments: Sequence[Segment], at_s: float) -> Segment | None:
    """The first that starts at this moment or later."""
    return next((one for one in segments if one.start_s >= at_s), None)


def within(segments: Sequence[Segment], span: Segment) -> tuple[Segment, ...]:
    """What of them lies in a span, cut to it."""
    overlapping = (one for one in segments if one.start_s < span.end_s and one.end_s > span.start_s)
    return tuple(Segment(max(one.start_s, span.start_s), min(one.end_s, span.end_s)) for one in overlapping)
