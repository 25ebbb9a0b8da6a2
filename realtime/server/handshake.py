"""uvicorn's end of a WebSocket, which also survives an opening that is no text, and messages of any size."""

from typing import Any

from uvicorn._types import ASGIReceiveEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.http11 import Request

_NOT_READ = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_ITS_OWN = ("connection", "host", "origin", "upgrade", "sec-websocket-")

MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""OpenAI takes appends of 15 MiB, and its clients send them."""
USUAL_BYTES = 1024 * 1024
"""Of one connection. What is more, all connections share."""
LARGE_BYTES_MAX = 256 * 1024 * 1024
"""Of all messages together that are larger than usual, until they are dealt with."""
LINGER_S = 10.0
LINGER_BYTES_MAX = 64 * 1024 * 1024
"""How long, and how much, a peer is listened to whose message was refused, that it may read why."""
QUIET_S = 0.5
"""Without anything from it: it has sent all that it would."""


class _LargeMessages:
    """Bytes beyond USUAL_BYTES that all connections of this process hold."""

    def __init__(self) -> None:
        self.held_bytes = 0


_large = _LargeMessages()


class Handshake(WebSocketsSansIOProtocol):
    """websockets quotes a header that it cannot use, and fails to write the quotation where that is not
    ASCII: a stranger's bytes would be a traceback in the log.

    A message beyond the limit is refused with 1009, and uvicorn would close at once: the system then answers
    the rest of the message with a reset, which overtakes the 1009. So the rest is read, and dropped.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._large_bytes = 0
        self._dropped_bytes = 0
        self._lingers_until = 0.0

    def handle_connect(self, event: Request) -> None:
        told = (value for name, value in event.headers.raw_items() if name.lower().startswith(_ITS_OWN))
        if all(value.isascii() for value in told):
            super().handle_connect(event)
            return
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.transport.write(_NOT_READ)
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self.conn.parser_exc is not None:
            self._dropped_bytes += len(data)
            self._linger()
            return
        unread = len(self.conn.reader.buffer) + len(data)
        if unread > USUAL_BYTES or self.frames:
            self._hold(unread + sum(map(len, self.frames)))
            if _large.held_bytes > LARGE_BYTES_MAX:
                self._refuse_large()
                return
        super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        """uvicorn logs a traceback for text that is no UTF-8, with which a stranger could fill the log."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(self.frames):
            self.conn.send_close(CloseCode.INVALID_DATA, "text that is no UTF-8")
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        closing = self.conn.close_sent
        assert closing is not None
        self._end_with(closing.code, closing.reason)

    def connection_lost(self, exc: Exception | None) -> None:
        self._hold(0)
        super().connection_lost(exc)

    async def receive(self) -> ASGIReceiveEvent:
        self._hold(0)  # the message before is dealt with
        return await super().receive()

    def _hold(self, n_bytes: int) -> None:
        large = max(0, n_bytes - USUAL_BYTES)
        _large.held_bytes += large - self._large_bytes
        self._large_bytes = large

    def _refuse_large(self) -> None:
        self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many large messages at a time: try again later")
        self.conn.parser_exc = BufferError()  # what else comes is dropped
        self.handle_parser_exception()

    def _end_with(self, code: int, reason: str) -> None:
        self._hold(0)
        self.frames = []
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._lingers_until = self.loop.time() + LINGER_S
        self._linger()

    def _linger(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        is_enough = self._dropped_bytes > LINGER_BYTES_MAX or self.loop.time() > self._lingers_until
        self.close_timer = self.loop.call_later(0.0 if is_enough else QUIET_S, self.transport.close)


def _is_text(frames: list[bytes]) -> bool:
    if all(frame.isascii() for frame in frames):
        return True
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True
