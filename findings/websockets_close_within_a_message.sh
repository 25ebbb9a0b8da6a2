#!/usr/bin/env bash
# A polite close in the middle of a fragmented message is answered as a protocol error by websockets.
#
# Expected: the peer's code comes back. By RFC 6455, 5.4, control frames, of which Close is one, may stand between the
#           fragments of a message, and by 5.5.1 an endpoint answers a Close, typically with the code it got. A peer
#           that gives up a long upload and says 1000 does just that (the Autobahn suite's case 7.1.5 wants 1000).
# Happens:  websockets fails the connection: it answers 1002, "incomplete fragmented message", and its own side ends
#           with a ProtocolError, so a log shows an error of the peer where there was none. A Ping in the same place
#           is answered as it should be, and so is the same Close once the message is whole.
# Package:  websockets 16.1.1, Python 3.11. Seen on 2026-11-30.
# Fails (exit 1) once that is different.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check websockets==16.1.1 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

print("websockets", version("websockets"))


def answer(*frames: Frame) -> str:
    """What a server sends back to these frames of a client."""
    server = ServerProtocol(state=OPEN)
    for frame in frames:
        server.receive_data(frame.serialize(mask=True, extensions=[]))
    server.data_to_send()
    if server.close_sent is not None:
        return f"close {server.close_sent.code} {server.close_sent.reason}".strip()
    return "no close"


begins, ends = Frame(Opcode.TEXT, b"half", fin=False), Frame(Opcode.CONT, b" whole")
close, ping = Frame(Opcode.CLOSE, Close(1000, "").serialize()), Frame(Opcode.PING, b"?")
seen = {
    "ping within a message, then its end": answer(begins, ping, ends),
    "close after a whole message": answer(begins, ends, close),
    "close within a message": answer(begins, close),
}
for what, sent in seen.items():
    print(f"{what}: {sent}")
as_found = ["no close", "close 1000", "close 1002 incomplete fragmented message"]
raise SystemExit(0 if list(seen.values()) == as_found else "this has changed")
PYTHON
