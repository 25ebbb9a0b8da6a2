#!/usr/bin/env bash
# A block of a server-sent event stream that holds no `data:` line becomes an event with empty data in httpx-sse.
#
# Expected: nothing. By WHATWG HTML 9.2.6 a block whose data buffer is empty is not dispatched; servers send such blocks
#           to set `retry:` or an `id:`, and browsers' EventSource stays silent on them.
# Happens:  iter_sse() yields one event for each such block, its data "", so that a client which parses the data of
#           each event as JSON fails on a stream that is valid.
# Package:  httpx-sse 0.4.3 with httpx 0.28.1, Python 3.11. Seen on 2026-11-30.
# Fails (exit 1) once that is different.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check httpx==0.28.1 httpx-sse==0.4.3 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import httpx
from httpx_sse import EventSource

BLOCKS = {
    "retry alone": b"retry: 3000\n\n",
    "id alone": b"id: 7\n\n",
    "event type alone": b"event: ping\n\n",
}
print("httpx-sse", version("httpx-sse"))
seen = {}
for name, block in BLOCKS.items():
    response = httpx.Response(
        200, headers={"content-type": "text/event-stream"}, content=block + b"data: last\n\n"
    )
    seen[name] = [(event.event, event.data) for event in EventSource(response).iter_sse()]
    print(f"{name}, then data: {seen[name]} (the standard: [('message', 'last')])")
as_found = {
    "retry alone": [("message", ""), ("message", "last")],
    "id alone": [("message", ""), ("message", "last")],
    "event type alone": [("ping", ""), ("message", "last")],
}
raise SystemExit(0 if seen == as_found else "this has changed")
PYTHON
