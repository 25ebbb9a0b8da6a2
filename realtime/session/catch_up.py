"""What a client is sent first that comes back to its session, or takes it over.

ReplayBuffer: the events and the audio that it missed, where all of them are still there. Else resync: the
conversation as it stands, and the audio that nobody has heard yet.
"""

from realtime.protocol.effects import Effect, Play, Send
from realtime.protocol.events import OutputAudioDone, Playing, Resumed
from realtime.protocol.resync import resync, resync_alignment, unheard_answers
from realtime.protocol.state import SessionState
from realtime.session.connection import Connection, ServedSession
from realtime.session.replay import ReplayEntry


def catch_up(
    served: ServedSession,
    state: SessionState,
    connection: Connection,
    now: float,
    token: str,
    grace_s: float,
    server_paces: bool,
) -> None:
    """Send it all at once, by the connection that is to serve the session from now on.

    token, grace_s: as in Resumed. server_paces: the transport before or this one gives its peer the audio in
    its time, so that audio is sent again from where it was heard, and not from the last event that came.
    """
    replay = served.replay
    last = replay.number_of(connection.last_event_id or "")
    missed = None if last is None else replay.since(last)
    playing = unheard_answers(state, now)
    resumed = Resumed(
        session=state.config.shown,
        replayed=missed is not None,
        last_client_event_id=served.last_client_event,
        input_silent_ms=connection.input_silent_ms,
        playing=playing,
        token=token,
        grace_s=grace_s,
    )
    replay.give_id(resumed)
    connection.transport.send(resumed)
    if missed is None:
        effects = resync(state, connection.history) + resync_alignment(state, playing)
        effects += _unheard_audio(served, playing)
        replay.clear()  # its numbers are of what another client was sent
        served.perform(effects, is_repeated=True)
    elif server_paces:
        _replay_from_heard(served, connection, missed, playing)
    else:
        for entry in missed:
            if isinstance(entry.event, Play):
                connection.transport.play(entry.event)
            else:
                connection.transport.send(entry.event)


def _replay_from_heard(
    served: ServedSession, connection: Connection, missed: list[ReplayEntry], playing: list[Playing]
) -> None:
    """Of audio, the client had what it heard, whichever event it had last."""
    unheard = _unheard_audio(served, playing)
    again = {play.item_id for play in unheard if isinstance(play, Play)}
    served.replay.clear_audio()
    for entry in missed:
        match entry.event:
            case Play():
                pass
            case OutputAudioDone(item_id=item_id) if item_id in again:
                pass  # sent after the audio
            case event:
                connection.transport.send(event)
    served.perform(unheard, is_repeated=True)


def _unheard_audio(served: ServedSession, playing: list[Playing]) -> list[Effect]:
    """The audio of these answers that was not heard, and its end where no more of it comes."""
    effects: list[Effect] = []
    for one in playing:
        plays = served.replay.unheard_audio(one.item_id, one.heard_ms)
        effects += plays
        if plays and not served.is_generating(one.response_id):
            done = OutputAudioDone(
                response_id=one.response_id,
                item_id=one.item_id,
                output_index=plays[0].output_index,
                content_index=plays[0].content_index,
            )
            effects.append(Send(done))
    return effects
