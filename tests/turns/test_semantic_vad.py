from realtime.turns.semantic_vad import semantic_endpointing


def test_the_more_eager_the_less_silence_ends_the_turn() -> None:
    low, medium, high = (
        semantic_endpointing(eagerness).silence_ms for eagerness in ("low", "medium", "high")
    )
    assert low > medium > high


def test_auto_is_medium_and_the_default() -> None:
    assert semantic_endpointing() == semantic_endpointing("auto") == semantic_endpointing("medium")
