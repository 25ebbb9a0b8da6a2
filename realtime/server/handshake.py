"""uvicorn's end of a WebSocket, which also survives an opening that is no text."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

_NOT_READ = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_ITS_OWN = ("connection", "host", "origin", "upgrade", "sec-websocket-")


class Handshake(WebSocketsSansIOProtocol):
    """websockets quotes a header that it cannot use, and fails to write the quotation where that is not
    ASCII: a stranger's bytes would be a traceback in the log."""

    def handle_connect(self, event: Request) -> None:
        told = (value for name, value in event.headers.raw_items() if name.lower().startswith(_ITS_OWN))
        if all(value.isascii() for value in told):
            super().handle_connect(event)
            return
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.transport.write(_NOT_READ)
        self.transport.close()
