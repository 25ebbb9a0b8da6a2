"""All that is on the wire, under one name: `from realtime.protocol import events as wire`.

client_events.py and server_events.py are OpenAI Realtime's, wire_objects.py is what lies in the latter;
parlour_events.py is Parlour's own, each way.
"""

from realtime.protocol import client_events as client
from realtime.protocol import parlour_events as parlour
from realtime.protocol.client_events import *  # noqa: F403
from realtime.protocol.parlour_events import *  # noqa: F403
from realtime.protocol.server_events import *  # noqa: F403
from realtime.protocol.wire_objects import *  # noqa: F403

ControlEvent = (
    client.SessionUpdate
    | client.InputAudioBufferCommit
    | client.InputAudioBufferClear
    | client.OutputAudioBufferClear
    | client.ItemCreate
    | client.ItemRetrieve
    | client.ItemTruncate
    | client.ItemDelete
    | client.ResponseCreate
    | client.ResponseCancel
    | parlour.PlaybackReport
    | parlour.Say
)
"""What the core decides on; audio is decoded first, and a session that is resumed is another one."""

AnyClientEvent = client.InputAudioBufferAppend | parlour.Resume | parlour.HandOver | ControlEvent
"""What codec.decode returns."""
