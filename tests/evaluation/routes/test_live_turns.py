"""What a realtime server tells of a clip, folded: no socket, no clock."""

from typing import Any

import pytest

from evaluation.routes.live_turns import LiveTurns
from evaluation.routes.route import Failure

TRANSCRIPTION = "conversation.item.input_audio_transcription"


def told(turns: LiveTurns, *events: dict[str, Any], now: float = 0.0) -> LiveTurns:
    """Each event a second after the one before."""
    for second, event in enumerate(events):
        turns.take(event, now + second)
    return turns


def spoken(item_id: str) -> list[dict[str, Any]]:
    return [
        {"type": "input_audio_buffer.speech_started", "item_id": item_id},
        {"type": "input_audio_buffer.speech_stopped", "item_id": item_id},
        {"type": "input_audio_buffer.committed", "item_id": item_id},
    ]


def answered(response_id: str, text: str, **done: Any) -> list[dict[str, Any]]:
    response = {"id": response_id, "status": "completed", **done}
    return [
        {"type": "response.created", "response": {"id": response_id}},
        {"type": "response.output_audio_transcript.delta", "response_id": response_id, "delta": text},
        {"type": "response.output_audio.delta", "response_id": response_id, "delta": ""},
        {"type": "response.done", "response": response},
    ]


def completed(item_id: str, text: str) -> dict[str, Any]:
    return {"type": f"{TRANSCRIPTION}.completed", "item_id": item_id, "transcript": text}


def test_the_words_of_turns_are_in_the_order_of_the_turns() -> None:
    turns = told(LiveTurns(False, True), *spoken("a"), *spoken("b"), completed("b", "two"))
    assert not turns.is_settled
    told(turns, completed("a", "one"), now=10)
    assert turns.is_settled
    assert (turns.n_turns, turns.text, turns.transcribed_at) == (2, "one two", 10.0)


def test_a_turn_without_words_adds_none() -> None:
    turns = told(LiveTurns(False, True), *spoken("a"), *spoken("b"), completed("a", ""), completed("b", "x"))
    assert (turns.n_turns, turns.text) == (2, "x")


def test_a_turn_is_over_when_it_was_answered() -> None:
    turns = LiveTurns(True, False)
    *said, committed = spoken("a")
    assert not told(turns, *said).is_settled, "it is being spoken"
    assert not told(turns, committed, now=5).is_settled, "its response is due"
    *begun, done = answered("r", "Hi.", usage={"output_tokens": 3})
    assert not told(turns, *begun, now=10).is_settled
    assert told(turns, done, now=20).is_settled
    assert turns.text == "Hi."
    response = turns.last_response
    assert response is not None
    assert (response.first_text_at, response.first_audio_at, response.done_at) == (11.0, 12.0, 20.0)
    assert (response.output_tokens, response.finish_reason) == (3, "stop")
    assert (turns.stopped_at, turns.committed_at) == (1.0, 5.0)


def test_an_answer_that_the_speaker_cut_off_keeps_what_it_said() -> None:
    first = answered("r", "Once", status="cancelled", status_details={"reason": "turn_detected"})
    turns = told(LiveTurns(True, False), *spoken("a"), *first, *spoken("b"), *answered("s", "Yes."))
    assert turns.is_settled
    assert turns.text == "Once Yes."
    assert [response.finish_reason for response in turns.responses.values()] == ["cancelled", "stop"]


def test_an_answer_that_is_asked_for_is_waited_for() -> None:
    turns = told(LiveTurns(False, False), *spoken("a"))
    assert turns.is_settled
    turns.expect_response()
    assert not turns.is_settled
    assert told(turns, *answered("r", "Hi.")).is_settled


@pytest.mark.parametrize(
    ("told_of_it", "reason"),
    [
        ({"status": "incomplete", "status_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "status_details": {"reason": "content_filter"}}, "incomplete"),
        ({"status": "completed"}, "stop"),
    ],
)
def test_why_an_answer_ended_is_told(told_of_it: dict[str, Any], reason: str) -> None:
    response = told(LiveTurns(True, False), *answered("r", "Hi.", **told_of_it)).last_response
    assert response is not None
    assert response.finish_reason == reason


@pytest.mark.parametrize(
    ("event", "failure"),
    [
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}},
            Failure("No.", is_transient=False),
        ),
        (
            {"type": "error", "error": {"type": "server_error", "message": "Busy."}},
            Failure("Busy.", is_transient=True),
        ),
        (
            answered("r", "", status="failed", status_details={"error": {"type": "x", "message": "Away."}})[
                -1
            ],
            Failure("Away.", is_transient=True),
        ),
        (
            {"type": f"{TRANSCRIPTION}.failed", "item_id": "a", "error": {"message": "secret"}},
            Failure("the server could not recognise a turn", is_transient=True),
        ),
    ],
)
def test_what_went_wrong_is_kept_and_whether_to_ask_again(event: dict[str, Any], failure: Failure) -> None:
    turns = told(LiveTurns(True, True), event, {"type": "error", "error": {"message": "And more."}})
    assert turns.failure == failure
