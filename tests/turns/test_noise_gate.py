import numpy as np

from realtime.turns.noise_gate import NoiseGate
from tests import speech

FRAME_BYTES = 1024


def opened(gate: NoiseGate, pcm: bytes, model_says: float = 0.0) -> list[bool]:
    """Whether the gate opened for each frame; a model says `model_says` of each that it did."""
    got = []
    for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
        got.append(gate.opens_for(pcm[at : at + FRAME_BYTES]))
        if got[-1]:
            gate.learn(model_says)
    return got


def test_digital_silence_costs_nothing() -> None:
    assert not any(opened(NoiseGate(), bytes(32_000 * 5)))


def test_the_sound_of_a_room_is_learnt_within_a_second_and_then_closes_it() -> None:
    for noise in (speech.white_noise(20, 200), speech.pink_noise(20, 200), speech.hum(20)):
        got = opened(NoiseGate(), noise)
        assert got[0]
        assert np.mean(got[32:]) < 0.1


def test_a_ventilator_that_starts_up_opens_it_for_a_while_only() -> None:
    gate = NoiseGate()
    opened(gate, speech.pink_noise(10, 50))
    got = opened(gate, speech.pink_noise(10, 400, seed=2))
    assert got[0]
    assert np.mean(got[32:]) < 0.1


def test_a_room_that_grows_quiet_is_followed() -> None:
    gate = NoiseGate()
    opened(gate, speech.pink_noise(5, 2_000))
    opened(gate, speech.pink_noise(3, 20, seed=2))
    assert any(opened(gate, speech.pink_noise(0.1, 100, seed=3)))


def test_what_the_model_calls_speech_is_not_learnt_as_the_room() -> None:
    assert all(opened(NoiseGate(), speech.white_noise(20, 2_000), model_says=0.9))


def test_no_utterance_passes_a_closed_gate() -> None:
    for one in speech.utterances():
        pcm = speech.in_a_room(bytes(64_000) + one.pcm16k)
        got = opened(NoiseGate(), pcm, model_says=0.1)  # a model that is never sure: the hardest case
        voiced_at = (2_000 + one.voiced_start_ms) // 32
        assert any(got[voiced_at : voiced_at + 4]), one.name


def mixed(loud: bytes, soft: bytes) -> bytes:
    both = np.frombuffer(loud, "<i2").astype(np.int32)
    both[-len(soft) // 2 :] += np.frombuffer(soft, "<i2")
    return both.astype("<i2").tobytes()


def test_a_hiss_under_loud_hum_opens_it() -> None:
    got = opened(NoiseGate(), mixed(speech.hum(5, rms=3_000), speech.white_noise(0.5, 150)))
    assert not any(got[-32:-17])
    assert any(got[-16:])


def test_a_low_voice_in_hiss_opens_it() -> None:
    got = opened(NoiseGate(), mixed(speech.white_noise(5, rms=500), speech.hum(0.5, rms=800, mains_hz=90)))
    assert not any(got[-32:-17])
    assert any(got[-16:])


def test_soft_sounds_between_loud_ones_are_let_through() -> None:
    gate = NoiseGate()
    opened(gate, speech.pink_noise(3, 20))
    assert opened(gate, speech.white_noise(0.032, 2_000)) == [True]
    assert all(opened(gate, speech.pink_noise(0.2, 20, seed=2)))
