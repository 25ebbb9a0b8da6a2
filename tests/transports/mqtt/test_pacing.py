"""Sound on its way to a loudspeaker, over time that is an argument."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.transports.mqtt.codec import DOWN_HZ, Frame
from realtime.transports.mqtt.pacing import PacedAudio

LEAD_S = 0.5
FRAME_S = 0.04
PCM = bytes(round(2 * DOWN_HZ * FRAME_S))


def paced(n_frames: int, answer: int = 1) -> PacedAudio:
    audio = PacedAudio(LEAD_S)
    for at in range(n_frames):
        audio.put(Frame(answer, at * len(PCM) // 2, PCM))
    return audio


def taken_by(audio: PacedAudio, now: float) -> int:
    """How many frames are due at `now`."""
    n = 0
    while audio.due_at is not None and audio.due_at <= now:
        audio.take(now)
        n += 1
    return n


def test_the_players_buffer_is_filled_at_once_and_then_kept_full() -> None:
    audio = paced(100)
    assert taken_by(audio, 10.0) == 13  # the one that goes beyond half a second is the last
    assert taken_by(audio, 10.0 + FRAME_S) == 1
    assert taken_by(audio, 10.0 + 11 * FRAME_S) == 10


def test_nothing_is_due_when_nothing_waits() -> None:
    audio = paced(1)
    audio.take(0.0)
    assert audio.due_at is None
    assert audio.bytes == 0


def test_a_player_that_stalled_is_waited_for() -> None:
    audio = paced(100)
    taken_by(audio, 10.0)
    audio.played(1, 0.0, 11.0)  # after a second it has still not begun
    assert taken_by(audio, 11.0) == 0
    assert taken_by(audio, 11.0 + FRAME_S) == 1


def test_a_player_that_is_further_than_thought_is_given_more() -> None:
    audio = paced(100)
    taken_by(audio, 10.0)
    audio.played(1, 0.52, 10.0)
    assert taken_by(audio, 10.0) == 13


def test_what_is_cleared_is_gone_and_the_next_answer_starts_at_once() -> None:
    audio = paced(100)
    taken_by(audio, 10.0)
    audio.clear()
    assert audio.due_at is None
    audio.put(Frame(2, 0, PCM))
    assert taken_by(audio, 10.0) == 1


def test_a_word_on_an_answer_that_was_cleared_says_nothing_of_the_next() -> None:
    audio = paced(20)
    taken_by(audio, 10.0)
    audio.clear()
    for at in range(20):
        audio.put(Frame(2, at, PCM))
    taken_by(audio, 10.0)
    audio.played(1, 0.1, 20.0)
    assert audio.due_at is not None
    assert audio.due_at < 11.0


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("frames"), st.integers(1, 40)),
            st.tuples(st.just("wait"), st.floats(0.0, 1.0)),
            st.tuples(st.just("acknowledge"), st.just(0)),
            st.tuples(st.just("clear"), st.just(0)),
        ),
        max_size=40,
    )
)
def test_no_honest_player_is_ever_given_more_than_it_holds(steps: list[tuple[str, float]]) -> None:
    audio, now, answer, offset = PacedAudio(LEAD_S), 0.0, 1, 0
    held_s = played_s = 0.0  # the player: plays what it holds, in real time
    frames: list[tuple[int, int]] = []
    for kind, value in [*steps, ("wait", 5.0)]:
        match kind:
            case "frames":
                for _ in range(int(value)):
                    audio.put(Frame(answer, offset, PCM))
                    offset += len(PCM) // 2
            case "wait":
                end = now + value
                while now < end:
                    step = min(0.01, end - now)
                    now += step
                    played_s += min(step, held_s)
                    held_s -= min(step, held_s)
                    while audio.due_at is not None and audio.due_at <= now:
                        frame = audio.take(now)
                        frames.append((frame.answer, frame.offset))
                        held_s += FRAME_S
                    assert held_s <= LEAD_S + FRAME_S + 0.011
            case "acknowledge":
                audio.played(answer, played_s, now)
            case "clear":
                audio.clear()
                answer, offset, held_s, played_s = answer + 1, 0, 0.0, 0.0
    assert frames == sorted(set(frames))
