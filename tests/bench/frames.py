"""WebSocket frames (RFC 6455) for a load generator: made once, parsed with as little work as can be.

A client must mask what it sends, by any key; with a key of zeros the payload stays as it is, so one
frame can be made once and sent by all sessions.
"""

import base64
import os
import struct

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_FINAL, _MASKED = 0x80, 0x80
_NO_MASK = bytes(4)


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One whole message, masked with zeros (RFC 6455 5.2)."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", _FINAL | opcode, _MASKED | size)
    elif size < 65_536:
        head = struct.pack("!BBH", _FINAL | opcode, _MASKED | 126, size)
    else:
        head = struct.pack("!BBQ", _FINAL | opcode, _MASKED | 127, size)
    return head + _NO_MASK + payload


def upgrade_request(host: str, path: str) -> bytes:
    """The client's half of the handshake (RFC 6455 4.1)."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


class FrameReader:
    """Bytes of a server in, messages out. Servers send unmasked and, here, unfragmented frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> list[tuple[int, bytes]]:
        """Returns (opcode, payload) of each frame that is complete."""
        held = self._rest + received if self._rest else received
        at, frames = 0, list[tuple[int, bytes]]()
        while len(held) - at >= 2:
            size, body = held[at + 1] & 0x7F, at + 2
            if size == 126:
                body += 2
                size = int.from_bytes(held[at + 2 : body], "big")
            elif size == 127:
                body += 8
                size = int.from_bytes(held[at + 2 : body], "big")
            if len(held) < body + size:
                break
            frames.append((held[at] & 0x0F, held[body : body + size]))
            at = body + size
        self._rest = held[at:]
        return frames
