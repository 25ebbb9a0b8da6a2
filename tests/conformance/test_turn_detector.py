"""What every turn detector promises, on recorded speech with known truth."""

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.endpointer import Endpointing
from realtime.protocol.inputs import SpeechPaused, SpeechStarted, SpeechStopped, TurnSignal
from realtime.turns.base import TurnDetector
from realtime.turns.noise_gate import NoiseGate
from realtime.turns.semantic_vad import semantic_endpointing
from realtime.turns.server_vad import ServerVad
from realtime.turns.silero import SileroModel
from realtime.turns.steady_sound import WithoutSteadySound
from realtime.turns.webrtc_vad import WebRtcVad
from tests import speech

silero_model = cache(SileroModel)
New = Callable[[], TurnDetector]
Heard = list[tuple[float, TurnSignal]]


def silero(times: Endpointing, gate: NoiseGate | None) -> ServerVad:
    return ServerVad(silero_model().new_session(), times, gate)


GOOD_IN_NOISE: dict[str, New] = {
    "server_vad": lambda: silero(Endpointing(), NoiseGate()),
    "server_vad without a gate": lambda: silero(Endpointing(), None),
    "semantic_vad low": lambda: silero(semantic_endpointing("low"), NoiseGate()),
    "semantic_vad medium": lambda: silero(semantic_endpointing("medium"), NoiseGate()),
}
# WebRTC's detector takes noise for speech at first, and 400 ms of silence (semantic_vad "high") splits a
# slow Russian sentence in noise: both are held to the quiet.
EVERY: dict[str, New] = GOOD_IN_NOISE | {
    "semantic_vad high": lambda: silero(semantic_endpointing("high"), NoiseGate()),
    "webrtc": lambda: ServerVad(WithoutSteadySound(WebRtcVad(3)), Endpointing(), NoiseGate()),
}
FRAME_BYTES = 640  # 20 ms


@pytest.fixture(params=EVERY)
def new(request: pytest.FixtureRequest) -> New:
    return EVERY[request.param]


@pytest.fixture(params=GOOD_IN_NOISE)
def good_in_noise(request: pytest.FixtureRequest) -> New:
    return GOOD_IN_NOISE[request.param]


def heard(detector: TurnDetector, pcm: bytes, chunk_bytes: int = FRAME_BYTES) -> Heard:
    """Each signal with the ms of audio that had been pushed when it came."""
    got: Heard = []
    for at in range(0, len(pcm), chunk_bytes):
        chunk = pcm[at : at + chunk_bytes]
        got += [((at + len(chunk)) / 32, signal) for signal in detector.push(chunk)]
    return got


def check_whole_turns(got: Heard) -> None:
    """Started, any pauses, stopped, and so on; places go forwards and were heard."""
    in_utterance, paused_ms, last_ms = False, None, 0
    for pushed_ms, signal in got:
        assert last_ms <= signal.audio_ms <= pushed_ms
        last_ms = signal.audio_ms
        match signal:
            case SpeechStarted():
                assert not in_utterance
                in_utterance, paused_ms = True, None
            case SpeechPaused(audio_ms):
                assert in_utterance
                assert paused_ms is None or paused_ms < audio_ms
                paused_ms = audio_ms
            case SpeechStopped(audio_ms):
                assert in_utterance
                assert paused_ms is None or paused_ms <= audio_ms
                in_utterance = False


def check_one_turn_each(got: Heard, places: list[speech.Spoken]) -> None:
    check_whole_turns(got)
    turns = [signal for _, signal in got if not isinstance(signal, SpeechPaused)]
    assert len(turns) == 2 * len(places)
    for place, started, stopped in zip(places, turns[::2], turns[1::2], strict=True):
        assert isinstance(started, SpeechStarted)
        assert isinstance(stopped, SpeechStopped)
        # The first "a" of russian_01 is so soft that half a second of it is heard as nothing.
        assert place.speech_start_ms - 150 <= started.audio_ms <= place.voiced_start_ms + 450
        assert place.speech_end_ms - 300 <= stopped.audio_ms <= place.speech_end_ms + 500


@cache
def spoken() -> tuple[bytes, list[speech.Spoken]]:
    return speech.one_after_another(gap_s=2)


@cache
def spoken_in_a_room() -> bytes:
    return speech.in_a_room(spoken()[0])


@cache
def spoken_in_noise(noise: Callable[[float, float], bytes]) -> bytes:
    pcm, _ = spoken()
    return speech.with_noise(pcm, noise(len(pcm) / 32_000 + 1, 100), 10, speech.speech_rms())


def test_every_utterance_in_a_quiet_room_is_one_turn(good_in_noise: New) -> None:
    check_one_turn_each(heard(good_in_noise(), spoken_in_a_room()), spoken()[1])


@pytest.mark.parametrize("noise", [speech.white_noise, speech.pink_noise])
def test_every_utterance_in_noise_at_10_db_is_one_turn(
    good_in_noise: New, noise: Callable[[float, float], bytes]
) -> None:
    got = heard(good_in_noise(), spoken_in_noise(noise))
    check_whole_turns(got)
    starts = [signal.audio_ms for _, signal in got if isinstance(signal, SpeechStarted)]
    places = spoken()[1]
    for place in places:
        inside = [at for at in starts if place.speech_start_ms - 150 <= at < place.speech_end_ms + 200]
        assert len(inside) == 1, place.utterance.name
    assert len(starts) == len(places)


def test_every_utterance_is_heard_and_ended_in_silence(new: New) -> None:
    pcm, places = spoken()
    got = heard(new(), pcm)
    check_whole_turns(got)
    for place in places:
        file_end_ms = place.offset_ms + 1000 * place.utterance.seconds
        inside = [s for _, s in got if place.offset_ms - 50 <= s.audio_ms <= file_end_ms + 500]
        assert isinstance(inside[0], SpeechStarted)
        assert isinstance(inside[-1], SpeechStopped)


def test_every_utterance_over_a_telephone_is_heard_and_ended(good_in_noise: New) -> None:
    unheard = []
    for utterance in speech.utterances():
        told = speech.over_a_telephone(bytes(32_000) + utterance.pcm16k + bytes(96_000))
        got = heard(good_in_noise(), speech.in_a_room(told))
        check_whole_turns(got)
        if not (got and isinstance(got[-1][1], SpeechStopped)):
            unheard.append(utterance.name)
    assert unheard == []


def test_a_lecture_is_whole_turns(new: New) -> None:
    got = heard(new(), speech.lecture().pcm16k)
    assert len(got) > 6
    check_whole_turns(got)


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(lambda: bytes(32_000 * 30), id="digital silence"),
        pytest.param(lambda: speech.in_a_room(bytes(32_000 * 30)), id="a room"),
        pytest.param(lambda: speech.white_noise(30, 300), id="white noise"),
        pytest.param(lambda: speech.pink_noise(30, 300), id="pink noise"),
        pytest.param(lambda: speech.pink_noise(30, 3_000), id="loud pink noise"),
        pytest.param(lambda: speech.clicks(30), id="clicks"),
        pytest.param(lambda: speech.hum(30), id="hum"),
    ],
)
def test_what_is_not_speech_starts_nothing(good_in_noise: New, sound: Callable[[], bytes]) -> None:
    assert heard(good_in_noise(), sound()) == []


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(lambda: speech.tone(20, 2_000), id="a tone"),
        pytest.param(lambda: speech.hum(20), id="hum"),
        pytest.param(lambda: speech.white_noise(20, 2_000), id="white noise"),
        pytest.param(lambda: speech.pink_noise(20, 2_000), id="pink noise"),
    ],
)
def test_a_turn_that_a_steady_sound_began_ends_while_it_goes_on(new: New, sound: Callable[[], bytes]) -> None:
    """At most one: what it is like is known from then on."""
    got = [(ms, s) for ms, s in heard(new(), bytes(32_000) + sound()) if not isinstance(s, SpeechPaused)]
    assert len(got) in (0, 2)
    if got:
        assert got[1][0] - got[0][0] <= 2_000


def test_digital_silence_starts_nothing(new: New) -> None:
    assert heard(new(), bytes(32_000 * 30)) == []


def test_any_cut_of_the_stream_gives_the_same_signals(new: New) -> None:
    pcm = speech.in_a_room(speech.one_after_another(1, speech.utterances()[:6])[0])
    wanted = [signal for _, signal in heard(new(), pcm)]
    assert len(wanted) >= 12

    @settings(max_examples=8)
    @given(st.integers(1, 3_000))
    def holds(samples: int) -> None:
        assert [signal for _, signal in heard(new(), pcm, chunk_bytes=2 * samples)] == wanted

    holds()


def test_signals_come_as_soon_as_their_frame_is_whole(new: New) -> None:
    """Frames that wait to be looked at together make nothing late."""
    pcm = speech.in_a_room(speech.one_after_another(1, speech.utterances()[:6])[0])
    times = Endpointing()
    for pushed_ms, signal in heard(new(), pcm, chunk_bytes=32):
        if isinstance(signal, SpeechPaused):
            assert pushed_ms - (signal.audio_ms - times.pad_ms) <= times.pause_ms + 32


def test_hush_ends_an_open_turn_once(new: New) -> None:
    one = speech.utterance("librivox_0920")
    detector = new()
    spoken = one.pcm16k[: 32 * (one.voiced_start_ms + 3_000)]
    got = heard(detector, bytes(32_000) + spoken)
    assert [type(signal) for _, signal in got] == [SpeechStarted]
    [stopped] = detector.flush()
    assert isinstance(stopped, SpeechStopped)
    assert 3_500 < stopped.audio_ms <= 1_000 + len(spoken) / 32
    assert detector.flush() == []


def test_half_a_sample_is_refused(new: New) -> None:
    with pytest.raises(ValueError, match="whole 16-bit samples"):
        new().push(b"abc")
