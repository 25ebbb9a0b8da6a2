"""s16le mono PCM: the one check that all who take it need."""

BYTES_PER_SAMPLE = 2


def whole_samples(pcm: bytes) -> int:
    """How many samples `pcm` holds. Raises ValueError when the last one is cut in half."""
    samples, rest = divmod(len(pcm), BYTES_PER_SAMPLE)
    if rest:
        raise ValueError(f"expected whole 16-bit samples, got {len(pcm)} bytes")
    return samples
