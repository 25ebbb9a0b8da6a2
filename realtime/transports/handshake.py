"""uvicorn's end of a WebSocket, which also survives an opening that is no text."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_NOT_READ = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Handshake(WebSocketsSansIOProtocol):
    """websockets quotes a header that it cannot use, and fails to write the quotation where that is not
    ASCII: a stranger's bytes would be a traceback in the log."""

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except UnicodeEncodeError:
            self.transport.write(_NOT_READ)
            self.transport.close()
