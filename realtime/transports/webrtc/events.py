"""What a server that plays tells besides the events of the core (OpenAI, "WebRTC and SIP")."""

from realtime.protocol.events import ServerEvent


class OutputBufferStarted(ServerEvent, kw_only=True, tag="output_audio_buffer.started"):
    """The first audio of this response leaves."""

    response_id: str


class OutputBufferStopped(ServerEvent, kw_only=True, tag="output_audio_buffer.stopped"):
    """The last audio of this response has left."""

    response_id: str


class OutputBufferCleared(ServerEvent, kw_only=True, tag="output_audio_buffer.cleared"):
    """This response's audio was cut off; what had not left never will."""

    response_id: str
