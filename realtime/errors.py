"""The errors that Parlour itself raises, by whose fault they are."""


class ParlourError(Exception):
    """Root of the tree. The message is one sentence for a person."""


class SettingsError(ParlourError):
    """A setting that cannot be used. Says which, what was expected, and what came."""


class ClientError(ParlourError):
    """The client's fault, answered with an `error` event; the session goes on.

    code, param: as on the wire (OpenAI Realtime `error.code`, `error.param`).
    """

    def __init__(
        self, code: str, message: str, param: str | None = None, event_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.event_id = event_id


class InvalidEvent(ClientError):
    """A client event that cannot be read."""


class AdmissionRefused(ParlourError):
    """No place for another session. reason: for the client; retry_after_s: when to ask again."""

    def __init__(self, reason: str, retry_after_s: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
