"""Opus packets in a row: each is decoded to its length or refused, and what was lost is guessed."""

from realtime.audio.opus import FRAME_BYTES, OpusDecoder, OpusEncoder, samples_of
from tests.fuzz.mutate import bytes_changed, in_parts
from tests.fuzz.target import Pure, Unkept, packed, parts_of

LOST = (1, 119, 120, 480, 960, 5_760, 96_000)


def run(data: bytes) -> None:
    decoder = OpusDecoder()
    for number, payload in enumerate(parts_of(data)[:30]):
        try:
            expected = samples_of(payload)
            pcm = decoder.decode(payload)
        except ValueError:
            continue
        if len(pcm) % 2 or len(pcm) > 2 * max(expected, 5_760):
            raise Unkept("a packet is no longer than it says")
        lost = LOST[number % len(LOST)]
        if len(decoder.conceal(lost)) != 2 * lost:
            raise Unkept("what was lost is filled to the sample")


def seeds() -> list[bytes]:
    encoder = OpusEncoder()
    tone = bytes(FRAME_BYTES), (b"\x00\x10" + b"\x00\xf0") * (FRAME_BYTES // 4)
    packets = [encoder.encode(tone[number % 2]) for number in range(6)]
    silk = [bytes([configuration << 3]) + bytes(20) for configuration in (0, 3, 12, 16, 19, 28, 31)]
    return [packed(*packets), packed(*silk), packed(b"\x03\x81" + bytes(9), b"\x0b\x42\x02" + bytes(30))]


TARGET = Pure(run, seeds, is_guided=False, mutate=in_parts(bytes_changed))
