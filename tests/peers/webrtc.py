"""A caller over WebRTC: what its loudspeaker heard is what arrived and was decoded."""

import json
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from tests.conftest import Server
from tests.e2e.webrtc_client import Caller, post, voiced_ms
from tests.peers.base import SILENCE_S, Event, Peer, Refused
from tests.peers.unconfirmed import Unconfirmed
from tests.peers.websocket import PUSH_TO_TALK
from tests.speech import HZ, Utterance

SILENT_PACKETS = 3
"""So many come after an answer, and never within one."""


class WebRtcPeer(Peer):
    is_played_for = True

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._caller: Caller | None = None
        self._said = Unconfirmed()
        self._unsaid = b""
        self._last_id: str | None = None
        self._has_session = False  # whether what comes is of the conversation
        self._items: dict[str, str] = {}  # the spoken item of each response
        self._response_id: str | None = None  # whose sound comes
        self._nobodys: list[npt.NDArray[np.int16]] = []  # came before it was told whose it is
        self._unclaimed: list[npt.NDArray[np.int16]] = []  # so, of connections that were lost
        self._n_silent = 0  # packets since the last sound

    async def begin(self, **session: Any) -> None:
        await self._call(has_session=True)
        self._said.connected(self._send)
        extensions = {"resume": True, "alignment": True}
        await self.send("session.update", session={"type": "realtime", "parlour": extensions, **session})
        await self.until("parlour.resume_token")

    async def send(self, kind: str, **rest: Any) -> str:
        return await self._said.say(kind, **rest)

    async def speak(self, utterance: Utterance) -> None:
        pcm = utterance.pcm16k + bytes(int(2 * HZ * SILENCE_S))
        if self._caller is None:
            self._unsaid += pcm
        else:
            self._caller.microphone.say(pcm)
        await self._spoken()

    async def press(self) -> None:
        await self.send("session.update", session=PUSH_TO_TALK)
        await self.send("input_audio_buffer.clear")

    async def release(self) -> None:
        await self.send("input_audio_buffer.commit")
        await self.send("response.create")

    async def hush(self) -> None:
        n_cleared = len(self.of("output_audio_buffer.cleared"))
        await self.send("response.cancel")
        await self.send("output_audio_buffer.clear")
        await self.until("output_audio_buffer.cleared", n_cleared + 1)

    async def falls_silent(self) -> None:
        await self.wait(lambda: self._n_silent >= SILENT_PACKETS, "silence")

    async def kill(self) -> None:
        assert self._caller is not None
        self._said.lost()
        self._unsaid = self._caller.microphone.unsaid()
        self._caller.vanish()
        caller, self._caller = self._caller, None
        await caller.close()

    async def resume(self) -> Event:
        start = len(self.events)
        await self._ask_back(self.token, self._last_id)
        first = await self._answer_to_that(start)
        if first["type"] == "parlour.resumed":
            await self._said.resumed(first["last_client_event_id"], self._send)
        assert self._caller is not None
        self._caller.microphone.say(self._unsaid)
        self._unsaid = b""
        self._news()
        return first

    async def knock(self) -> None:
        await self._ask_back(self.token, self._last_id)
        unsaid = self._unsaid
        await self.kill()
        self._unsaid = unsaid

    async def take_over(self, token: str) -> Event:
        start = len(self.events)
        await self._ask_back(token, None)
        first = await self._answer_to_that(start)
        self._said.connected(self._send)
        return first

    async def close(self) -> None:
        if self._caller is None:
            return
        caller, self._caller = self._caller, None
        async with httpx.AsyncClient(timeout=None) as http:
            await http.post(f"{self._server.http}{caller.location}/hangup")
        await caller.close()

    async def _call(self, has_session: bool) -> None:
        self._has_session, self._response_id = has_session, None
        self._unclaimed += self._nobodys
        self._nobodys = []
        caller = Caller()
        caller.on_event, caller.on_sound = self._came, self._heard
        response = await post(self._server, await caller.offer())
        if response.status_code == 503:
            await caller.close()
            assert int(response.headers["retry-after"]) > 0
            raise Refused(response.json()["error"]["code"])
        assert response.status_code == 201, response.text
        caller.location = response.headers["location"]
        await caller.take(response.text)
        caller.hear_at_once()
        await caller.until("session.created")
        self._caller = caller

    async def _ask_back(self, token: str, last_id: str | None) -> None:
        await self._call(has_session=False)
        known = {} if last_id is None else {"last_event_id": last_id}
        await self._send(json.dumps({"type": "parlour.resume", "token": token, **known}))

    async def _answer_to_that(self, start: int) -> Event:
        def found() -> list[Event]:
            return [one for one in self.events[start:] if one["type"] in ("parlour.resumed", "error")]

        await self.wait(found, "answer to parlour.resume")
        return found()[0]

    async def _send(self, text: str) -> None:
        assert self._caller is not None
        self._caller.channel.send(text)

    async def _spoken(self) -> None:
        """Wait until all is said, on whichever connection."""
        while True:
            await self.wait(lambda: self._caller is not None and not self._unsaid, "connection")
            caller = self._caller
            assert caller is not None
            await caller.microphone.said()
            if caller is self._caller:
                return

    def _came(self, event: Event) -> None:
        if not self._has_session and event["type"] not in ("parlour.resumed", "error"):
            return  # of a session that ends with the resume
        self._has_session = True
        match event:
            case {"type": "parlour.resumed", "playing": playing}:
                self._items |= {one["response_id"]: one["item_id"] for one in playing}
                # What the last connection had no time to say whose it was. This one's may have come already,
                # for sound overtakes events, and is none of it.
                unclaimed, self._unclaimed = self._unclaimed, []
                if playing:
                    self._count(unclaimed, playing[0]["response_id"])
            case {"type": "response.output_item.added", "response_id": response_id, "item": item}:
                if item["type"] == "message":
                    self._items[response_id] = item["id"]
            case {"type": "output_audio_buffer.started", "response_id": response_id}:
                self._attribute(response_id)
        if event["type"] != "parlour.resumed":
            self._last_id = event["event_id"]
        self._took(event)

    def _attribute(self, response_id: str) -> None:
        """What is heard is of that response, and so is what was heard before that was told."""
        self._response_id = response_id
        waiting, self._nobodys = self._nobodys, []
        self._count(waiting, response_id)

    def _heard(self, pcm: npt.NDArray[np.int16]) -> None:
        if self._response_id is not None:
            self._count([pcm], self._response_id)
        elif voiced_ms(pcm):
            self._nobodys.append(pcm)
        self._n_silent = 0 if voiced_ms(pcm) else self._n_silent + 1
        self._news()

    def _count(self, pieces: list[npt.NDArray[np.int16]], response_id: str) -> None:
        ms = sum(map(voiced_ms, pieces))
        if ms:
            self.heard_ms[self._items[response_id]] += ms
            self._news()
