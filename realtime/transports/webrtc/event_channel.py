"""Which data channel carries the events (RFC 8831, RFC 8832).

"oai-events" is the name that OpenAI's documentation gives it; peers that give it another, or none, mean
the same. A channel that the peer has negotiated by itself is not announced: it is known once the peer has
spoken on it, and before that only a guess leads to it.
"""

import asyncio
from collections.abc import Callable
from enum import IntEnum
from functools import partial

from aiortc import RTCDataChannel, RTCDataChannelParameters

from realtime.transports.webrtc.checked_transports import CheckedSctp

CHANNEL_LABEL = "oai-events"
OPEN_WITHIN_S = 1.0
"""Of the association. A peer that has a channel has opened it by then, or waits on a negotiated one."""
_USUAL_STREAMS = (0, 1)  # of a negotiated channel, whose number its maker has to choose
_SENT_BYTES_MAX = 64 * 1024
"""Kept to be sent again."""


class _Claim(IntEnum):
    """How sure it is that a channel is the events'."""

    NONE = 0
    GUESSED = 1
    OPENED = 2  # by the peer, or it has spoken on it
    NAMED = 3


class EventChannel:
    """The surest channel so far, or all that may be it; with a surer one, what was sent before is sent again.

    opened: there is one. on_message: what comes over it. on_gone: it was closed. complaint: makes the event
    which says that the peer has opened none.
    """

    def __init__(
        self,
        sctp: CheckedSctp,
        on_message: Callable[[str | bytes], None],
        on_gone: Callable[[], None],
        complaint: Callable[[], str],
    ) -> None:
        self.opened = asyncio.Event()
        self._sctp = sctp
        self._on_message = on_message
        self._on_gone = on_gone
        self._complaint = complaint
        self._claim = _Claim.NONE
        self._channels: list[RTCDataChannel] = []  # more than one only where they are guessed
        self._sent: list[str] | None = []  # None: too much to be sent again
        self._sent_bytes = 0
        self._guess_at: asyncio.TimerHandle | None = None
        sctp.expects_negotiated = True
        sctp.on("datachannel", self._came)

    @property
    def is_open(self) -> bool:
        return any(channel.readyState == "open" for channel in self._channels)

    @property
    def buffered_bytes(self) -> int:
        """Handed over and not sent."""
        return max((channel.bufferedAmount for channel in self._channels), default=0)

    def begin(self) -> None:
        """The peer can open channels from now on."""
        self._guess_at = asyncio.get_running_loop().call_later(OPEN_WITHIN_S, self.guess)

    def stop(self) -> None:
        if self._guess_at is not None:
            self._guess_at.cancel()

    def send(self, text: str) -> None:
        """Only while it is open."""
        for channel in self._channels:
            if channel.readyState == "open":
                channel.send(text)
        if self._claim is not _Claim.NAMED and self._sent is not None:
            self._sent.append(text)
            self._sent_bytes += len(text)
            if self._sent_bytes > _SENT_BYTES_MAX:
                self._sent = None

    async def has_sent_up_to(self, limit_bytes: int) -> None:
        """Wait for a channel that has no more than this buffered."""
        await self.opened.wait()
        for channel in self._channels:
            if channel.bufferedAmount > limit_bytes:
                is_low = asyncio.Event()
                channel.bufferedAmountLowThreshold = limit_bytes
                channel.once("bufferedamountlow", is_low.set)
                channel.once("close", is_low.set)
                await is_low.wait()

    def guess(self) -> None:
        """Where the peer has opened none: take the streams that are usual for one that it has negotiated, and
        open one ourselves that says why."""
        self.stop()
        if self._claim is not _Claim.NONE:
            return
        if not self._sctp.is_established:
            self.begin()
            return
        own = RTCDataChannel(
            self._sctp, RTCDataChannelParameters(label=CHANNEL_LABEL, id=self._sctp.last_stream)
        )
        own.once("open", lambda: own.send(self._complaint()))
        own.once("message", partial(self._answered, own))
        negotiated = (RTCDataChannelParameters(negotiated=True, id=stream) for stream in _USUAL_STREAMS)
        self._take([RTCDataChannel(self._sctp, one) for one in negotiated], _Claim.GUESSED)

    def _came(self, channel: RTCDataChannel) -> None:
        is_known = any(one.id == channel.id for one in self._channels)
        claim = _Claim.NAMED if channel.label == CHANNEL_LABEL else _Claim.OPENED
        if claim > self._claim or is_known:
            self._take([channel], claim)
        else:
            channel.close()

    def _answered(self, own: RTCDataChannel, message: str | bytes) -> None:
        """On the channel that we have opened."""
        if self._claim <= _Claim.GUESSED:
            own._setReadyState("open")  # its acknowledgement may be behind (RFC 8832 6)
            self._take([own], _Claim.OPENED)
            self._on_message(message)

    def _take(self, channels: list[RTCDataChannel], claim: _Claim) -> None:
        for before in self._channels:
            before.remove_all_listeners()
            if self._claim is _Claim.OPENED and before.id != channels[0].id:
                before.close()
        self._channels, self._claim = channels, claim
        self._sctp.expects_negotiated = claim is _Claim.GUESSED
        for channel in channels:
            channel.on("message", partial(self._heard, channel))
            channel.on("close", partial(self._closed, channel))
            for text in self._sent or ():
                channel.send(text)
        self.opened.set()

    def _heard(self, channel: RTCDataChannel, message: str | bytes) -> None:
        if self._claim is _Claim.GUESSED:
            for other in self._channels:
                if other is not channel:
                    other.remove_all_listeners()
            self._channels, self._claim = [channel], _Claim.OPENED
            self._sctp.expects_negotiated = False
        self._on_message(message)

    def _closed(self, channel: RTCDataChannel) -> None:
        if self._claim is not _Claim.GUESSED:
            self._on_gone()
            return
        self._channels.remove(channel)  # the guess was wrong
        if not self._channels:
            self._claim = _Claim.NONE
            self.opened.clear()
