"""Structured logs: one JSON object a line. Never a person's words or audio."""

import json
import logging
import sys
import time
import traceback
from typing import Any

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """time (UTC, ISO 8601), level, logger, message, and the record's own extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        line.pop("color_message", None)
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = _places(record.exc_info[1])
        return json.dumps(line, default=str)


def _places(error: BaseException) -> str:
    """Its type and where it came from, without its message: that may quote what a person said."""
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    frames = traceback.extract_tb(error.__traceback__)
    way = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return " | ".join([f"{type(error).__name__} at {way}", *(_places(one) for one in inner)])


_PEERS_FAULT = frozenset(
    {
        "Invalid UTF-8 sequence received from client.",
        "ASGI callable returned without completing handshake.",  # a peer that left before it was refused
    }
)
"""What uvicorn logs as an error of the server, the first with a traceback; the peer gets its close code."""


def quiet_libraries() -> None:
    """Nobody fills the log by sending what is no WebSocket."""
    for chatty in ("uvicorn", "websockets", "httpx", "httpcore", "aiortc", "aioice"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_of_this_server)


def _is_of_this_server(record: logging.LogRecord) -> bool:
    return record.msg not in _PEERS_FAULT


def set_up_logging(level: str) -> None:
    """Log to stderr; stdout stays free for what a command prints."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    quiet_libraries()
