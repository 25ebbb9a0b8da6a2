"""Logs: one JSON object a line, and never what a person said."""

import json
import logging
import sys

import pytest

from realtime.logs import JsonFormatter, quiet_libraries


def formatted(message: str, exc_info: bool = False, **extra: object) -> dict[str, object]:
    record = logging.getLogger("parlour.test").makeRecord(
        "parlour.test",
        logging.INFO,
        __file__,
        1,
        message,
        (),
        sys.exc_info() if exc_info else None,
        extra=extra,
    )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    return dict(json.loads(line))


def test_a_line_holds_its_time_level_logger_and_fields() -> None:
    line = formatted("turn", session_id="sess_1", turn={"decision_ms": 500.0})
    assert (line["level"], line["logger"], line["message"]) == ("info", "parlour.test", "turn")
    assert (line["session_id"], line["turn"]) == ("sess_1", {"decision_ms": 500.0})
    assert str(line["time"]).endswith("Z")


def test_a_fault_tells_where_it_happened_and_not_what_was_said() -> None:
    try:
        raise ExceptionGroup("several", [ValueError("the user's secret words")])
    except ExceptionGroup:
        line = formatted("internal error", exc_info=True)
    assert "ValueError" in str(line["traceback"])
    assert "test_logs.py" in str(line["traceback"])
    assert "secret" not in json.dumps(line)


def test_what_is_no_websocket_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    quiet_libraries()
    log = logging.getLogger("uvicorn.error")
    log.error("Invalid UTF-8 sequence received from client.")
    log.error("something of this server's own")
    assert caplog.messages == ["something of this server's own"]
