"""What bad input gets, over a real socket: the right answer, and no harm to anybody else."""

import asyncio
import base64
import json
import logging
import socket as sockets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime.audio.wire_format import InputDecoder
from realtime.protocol.config import PcmFormat, ServerVad
from realtime.protocol.inputs import SpeechStarted, SpeechStopped
from realtime.server.serve import uvicorn_config
from realtime.session import runner
from realtime.session.flood import EventBudget
from realtime.turns.choose import Detectors
from tests.bench.frames import client_frame, upgrade_request
from tests.bench.tracks import tracks
from tests.conftest import Server, running_server
from tests.peers.pace import Paced
from tests.speech import one_after_another, utterances
from tests.waiting import polled, unless_it_hangs

PATH = "/v1/realtime"
MIB = 1024 * 1024
PUSH_TO_TALK = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


@asynccontextmanager
async def opened(server: Server, **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect(server.ws + PATH, max_size=None, open_timeout=None, **options) as peer:
        assert (await take(peer))["type"] == "session.created"
        yield peer


async def take(peer: ClientConnection) -> dict[str, Any]:
    async with unless_it_hangs("another event"):
        event: dict[str, Any] = json.loads(await peer.recv())
    return event


async def ask(peer: ClientConnection, **event: Any) -> dict[str, Any]:
    """Send an event and return what comes next."""
    await peer.send(json.dumps(event))
    return await take(peer)


async def round_trip(peer: ClientConnection) -> None:
    answer = await ask(peer, type="conversation.item.retrieve", item_id="none", event_id="still here")
    assert answer["error"]["event_id"] == "still here"


async def close_code(peer: ClientConnection) -> int:
    """Read until the server closes, and return its code. It has to give a reason, too."""
    with pytest.raises(ConnectionClosed) as closed:
        await _read_on(peer)
    assert closed.value.rcvd is not None, "closed without a close frame"
    assert closed.value.rcvd.reason
    return closed.value.rcvd.code


async def _read_on(peer: ClientConnection) -> None:
    async with unless_it_hangs("the server's close"):
        while True:
            await peer.recv()


# An event that cannot be used ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "code", "param", "event_id"),
    [
        ("", "invalid_json", None, None),
        ("{", "invalid_json", None, None),
        ("[1, 2]", "invalid_json", None, None),
        ("null", "invalid_json", None, None),
        ("[" * 100_000, "invalid_json", None, None),
        ('{"a":' * 50_000, "invalid_json", None, None),
        ('{"event_id": "e1"}', "missing_required_parameter", "type", "e1"),
        ('{"type": "no.such.event", "event_id": "e1"}', "invalid_value", "type", "e1"),
        ('{"type": 7, "event_id": "e1"}', "invalid_value", "type", "e1"),
        (
            '{"type": "input_audio_buffer.append", "event_id": "e1"}',
            "missing_required_parameter",
            "audio",
            "e1",
        ),
        (
            '{"type": "conversation.item.retrieve", "item_id": 5, "event_id": "e1"}',
            "invalid_type",
            "item_id",
            "e1",
        ),
        (
            '{"type": "input_audio_buffer.append", "audio": "%%", "event_id": "e1"}',
            "invalid_value",
            "audio",
            "e1",
        ),
        (b'{"type": "response.cancel"}', "invalid_json", None, None),
        (b"\xff\xfe", "invalid_json", None, None),
        (
            '{"type": "response.create", "response": {"output_modalities": ["smell"]}, "event_id": "e1"}',
            "invalid_value",
            "response.output_modalities[0]",
            "e1",
        ),
        (
            '{"type": "input_audio_buffer.commit", "event_id": "e1"}',
            "input_audio_buffer_commit_empty",
            None,
            "e1",
        ),
        ('{"type": "response.cancel", "event_id": "e1"}', "response_cancel_not_active", None, "e1"),
        (
            '{"type": "conversation.item.retrieve", "item_id": "none", "event_id": "e1"}',
            "item_retrieve_invalid_item_id",
            "item_id",
            "e1",
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str | bytes) else None,
)
async def test_an_event_that_cannot_be_used_is_answered_and_the_session_goes_on(
    server: Server, message: str | bytes, code: str, param: str | None, event_id: str | None
) -> None:
    async with opened(server) as peer:
        await peer.send(message)
        answer = await take(peer)
        assert answer["type"] == "error"
        error = answer["error"]
        assert (error["code"], error["param"], error["event_id"]) == (code, param, event_id)
        assert error["type"] == "invalid_request_error"
        assert error["message"]
        await round_trip(peer)


async def test_deep_nesting_inside_an_event_is_refused(server: Server) -> None:
    deep = '{"type": "session.update", "session": ' + '{"a":' * 20_000 + "1" + "}" * 20_001
    async with opened(server) as peer:
        await peer.send(deep)
        assert (await take(peer))["type"] == "error"
        await round_trip(peer)


async def test_a_commit_of_less_than_100_ms_is_refused_and_keeps_the_audio(server: Server) -> None:
    sixty_ms = base64.b64encode(bytes(2880)).decode()
    async with opened(server) as peer:
        await ask(
            peer,
            type="session.update",
            session={"type": "realtime", "audio": {"input": {"turn_detection": None}}},
        )
        await peer.send(json.dumps({"type": "input_audio_buffer.append", "audio": sixty_ms}))
        refused = await ask(peer, type="input_audio_buffer.commit")
        assert refused["error"]["code"] == "input_audio_buffer_commit_empty"
        await peer.send(json.dumps({"type": "input_audio_buffer.append", "audio": sixty_ms}))
        assert (await ask(peer, type="input_audio_buffer.commit"))["type"] == "input_audio_buffer.committed"


async def test_a_second_active_response_is_refused_and_the_first_goes_on(server: Server) -> None:
    async with opened(server) as peer:
        await peer.send('{"type": "response.create"}')
        await peer.send('{"type": "response.create", "event_id": "second"}')
        events = [await take(peer)]
        while events[-1]["type"] != "error":
            events.append(await take(peer))
        assert events[-1]["error"]["code"] == "conversation_already_has_active_response"
        assert events[-1]["error"]["event_id"] == "second"
        await peer.send('{"type": "response.cancel"}')
        while events[-1]["type"] != "response.done":
            events.append(await take(peer))
        assert [event["type"] for event in events].count("response.created") == 1
        assert events[-1]["response"]["status"] == "cancelled"


# Too large, too many, too slow --------------------------------------------------------------


def big(event_type: str, n_bytes: int) -> str:
    return json.dumps({"event_id": "big", "type": event_type, "text": "x" * n_bytes})


@pytest.mark.parametrize("event_type", ["parlour.say", "session.update", "no.such"])
async def test_an_event_over_the_limit_is_refused_and_the_session_goes_on(
    server: Server, event_type: str
) -> None:
    async with opened(server) as peer:
        await peer.send(big(event_type, MIB))
        error = (await take(peer))["error"]
        assert (error["code"], error["event_id"]) == ("event_too_large", "big")
        await round_trip(peer)


async def test_an_append_of_16_mib_is_heard(server: Server) -> None:
    """As mu-law in push to talk: 26 minutes, of which the buffer takes five and tells of the rest."""
    async with opened(server) as peer:
        audio = {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": None}}
        updated = await ask(peer, type="session.update", session={"audio": audio})
        assert updated["type"] == "session.updated"
        head, tail = '{"type": "input_audio_buffer.append", "audio": "', '"}'
        room = 16 * MIB - len(head) - len(tail)
        await peer.send(f"{head}{'////' * (room // 4)}{tail}")
        assert (await take(peer))["error"]["code"] == "input_audio_buffer_overflow"
        assert (await ask(peer, type="input_audio_buffer.commit"))["type"] == "input_audio_buffer.committed"


async def test_an_item_of_30_s_of_audio_is_heard_with_its_question(server: Server) -> None:
    """More than 1 MiB: what a model hears at once, as PCM at 24 kHz."""
    async with opened(server) as peer:
        audio = base64.b64encode(bytes(30 * 48_000)).decode()
        parts = [{"type": "input_audio", "audio": audio}, {"type": "input_text", "text": "What? " * 600}]
        item = {"id": "clip", "type": "message", "role": "user", "content": parts}
        added = await ask(peer, type="conversation.item.create", item=item)
        assert (added["type"], added["item"]["id"]) == ("conversation.item.added", "clip")


@pytest.mark.parametrize("chars", [(2 * MIB,), (4, MIB)], ids=["longer", "in a second part"])
async def test_an_item_with_more_audio_than_that_is_refused(server: Server, chars: tuple[int, ...]) -> None:
    async with opened(server) as peer:
        parts = [{"type": "input_audio", "audio": "A" * count} for count in chars]
        item = {"type": "message", "role": "user", "content": parts}
        refused = await ask(peer, type="conversation.item.create", item=item)
        assert refused["error"]["code"] == "event_too_large"
        await round_trip(peer)


@pytest.mark.parametrize("event_type", ["input_audio_buffer.append", "conversation.item.create"])
async def test_json_that_hides_behind_audio_is_not_read(server: Server, event_type: str) -> None:
    """An event that has audio in it, and megabytes of objects beside."""
    async with opened(server) as peer:
        objects = "[" + "{}," * 700_000 + "{}]"
        await peer.send(f'{{"type": "{event_type}", "audio": "AAAA", "item": {objects}}}')
        assert (await take(peer))["error"]["code"] == "event_too_large"
        await round_trip(peer)


@pytest.mark.parametrize("in_pieces", [False, True])
async def test_a_message_over_16_mib_is_told_1009(server: Server, in_pieces: bool) -> None:
    """And nobody is reset before that is read, though the message was not."""

    def pieces() -> Iterator[str]:
        for _ in range(20 * 32):
            yield "x" * 32_768

    async with opened(server) as peer, opened(server) as other:
        with suppress(ConnectionClosed):  # the server may be quicker
            await peer.send(pieces() if in_pieces else "x" * (20 * MIB))
        assert await close_code(peer) == 1009
        await round_trip(other)


async def test_who_reads_only_after_sending_is_told_1009_too(server: Server) -> None:
    """As a client of blocking sockets does: a reset would throw away what it has not read yet."""

    def send_all_then_read() -> bytes:
        with sockets.create_connection(("127.0.0.1", server.port)) as peer:
            peer.sendall(upgrade_request("127.0.0.1", PATH))
            came = b""
            while b"session.created" not in came:
                came += peer.recv(65_536)
            peer.sendall(client_frame(b"x" * (20 * MIB)))
            came = b""
            while piece := peer.recv(65_536):
                came += piece
            return came

    # A close frame (RFC 6455 5.5.1): its opcode, its length, the code.
    assert b"\x03\xf1frame with" in await asyncio.to_thread(send_all_then_read)


async def test_too_many_large_messages_at_a_time_are_told_1009(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.server.handshake.LARGE_BYTES_MAX", 3 * MIB)
    async with opened(server) as peer, opened(server) as other:
        for one in (peer, other):  # what was dealt with is not counted any more
            await one.send(big("parlour.say", 3 * MIB))
            assert (await take(one))["error"]["code"] == "event_too_large"
        with suppress(ConnectionClosed):
            await peer.send(big("parlour.say", 8 * MIB))
        assert await close_code(peer) == 1009
        await other.send(big("parlour.say", 2 * MIB))
        assert (await take(other))["error"]["code"] == "event_too_large"


@pytest.mark.parametrize(
    "event",
    [
        '{"type": "conversation.item.retrieve", "item_id": "none"}',
        '{"type": "input_audio_buffer.append", "audio": "AAA="}',
        "{",
    ],
    ids=["events", "tiny appends", "not JSON"],
)
async def test_a_flood_of_events_is_closed_with_1008(
    server: Server, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So many at once are a flood, also on a machine that takes no hundred a second.
    monkeypatch.setattr(runner, "EventBudget", partial(EventBudget, per_s=1.0))
    async with opened(server) as peer, opened(server) as other, asyncio.TaskGroup() as tasks:
        closed = tasks.create_task(close_code(peer))
        with suppress(ConnectionClosed):  # the server may be quicker
            for _ in range(5_000):
                await peer.send(event)
        assert await closed == 1008
        await round_trip(other)


async def test_a_peer_that_does_not_read_is_closed_and_others_feel_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    big = json.dumps(
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "x" * 190_000}],
            },
        }
    ).encode()
    caplog.set_level(logging.INFO, "parlour.session")
    async with running_server(slow_peer_s=0.3) as server, opened(server) as other:
        deaf = sockets.socket()
        deaf.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, ("127.0.0.1", server.port))
        with deaf:
            await loop.sock_sendall(deaf, upgrade_request(f"127.0.0.1:{server.port}", PATH))
            assert b" 101 " in await loop.sock_recv(deaf, 64)
            async with asyncio.TaskGroup() as tasks:
                shouting = tasks.create_task(_send_until_gone(deaf, client_frame(big), 60))
                await _until(lambda: _ends(caplog), other)
                shouting.cancel()
            [ended] = _ends(caplog)
            assert ended.__dict__["why"] == "slow_peer"
            # Its socket is not kept for a peer that may never read again.
            await _until(lambda: _connections_to(server.port) == 1, other)


async def test_a_peer_that_is_dead_is_noticed_by_its_silence_and_leaves_no_session(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its socket stays open, as when a cable was pulled: only an unanswered ping tells."""

    def impatient(*arguments: Any) -> uvicorn.Config:
        config = uvicorn_config(*arguments)
        assert config.ws_ping_interval, "dead peers are not looked for"
        assert config.ws_ping_timeout, "dead peers are not given up"
        config.ws_ping_interval, config.ws_ping_timeout = 0.1, 0.5
        return config

    monkeypatch.setattr("tests.conftest.uvicorn_config", impatient)
    caplog.set_level(logging.INFO, "parlour.session")
    async with running_server() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(upgrade_request(f"127.0.0.1:{server.port}", PATH))
        [ended] = await polled(lambda: _ends(caplog), "the end of the session")
        assert ended.__dict__["why"] == "connection_lost"
        writer.close()


def _ends(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.message == "session ended"]


async def _until(condition: Callable[[], Any], other: ClientConnection) -> None:
    """Wait for what nothing tells of; meanwhile another session is answered all the time."""
    below_a_flood = Paced()
    while not condition():
        await round_trip(other)
        await below_a_flood.after(0.02)


async def _send_until_gone(peer: sockets.socket, frame: bytes, times: int) -> None:
    loop = asyncio.get_running_loop()
    try:
        for _ in range(times):
            await loop.sock_sendall(peer, frame)
    except (ConnectionError, BrokenPipeError):
        return


def _connections_to(port: int) -> int:
    """How many connections the server holds at this port (proc(5), /proc/net/tcp)."""
    wanted, established = f":{port:04X}", ("01", "04", "05", "08")  # ESTABLISHED, FIN_WAIT1/2, CLOSE_WAIT
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[1].endswith(wanted) and row[3] in established for row in rows)


# Faster than real time ----------------------------------------------------------------------

SECONDS = 120


@pytest.mark.parametrize("piece_ms", [20, 1000, 10_000])
async def test_audio_faster_than_real_time_is_slowed_and_never_dropped(server: Server, piece_ms: int) -> None:
    """Two minutes at once: the same signals at the same places, and others are answered meanwhile."""
    [track] = tracks(1, SECONDS)
    async with opened(server) as hasty, opened(server) as other, asyncio.TaskGroup() as tasks:
        await ask(
            hasty,
            type="session.update",
            session={
                "type": "realtime",
                "audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}},
            },
        )
        signals = tasks.create_task(_signals_until_answered(hasty))
        sending = tasks.create_task(_send_all(hasty, b"".join(track.frames), piece_ms))
        trips = 0
        while not signals.done():
            await round_trip(other)
            trips += 1
        await sending
        assert await signals == _known_signals(track.frames)
        assert trips > 10


async def test_a_hasty_push_to_talk_turn_keeps_its_whole_length(server: Server) -> None:
    pcm, _ = one_after_another(1.0, utterances()[:8])
    seconds = len(pcm) // 32_000
    async with opened(server) as peer:
        await ask(
            peer,
            type="session.update",
            session={
                "type": "realtime",
                "audio": {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}},
            },
        )
        await _send_all(peer, bytes(seconds * 48_000), 1000)
        await peer.send('{"type": "input_audio_buffer.commit"}')
        event = await take(peer)
        while event["type"] != "conversation.item.input_audio_transcription.completed":
            event = await take(peer)
        # The scripted agent tells how long the audio was; a resampler may keep a few milliseconds.
        assert event["usage"]["seconds"] == pytest.approx(seconds, abs=0.01)


async def _send_all(peer: ClientConnection, pcm24k: bytes, piece_ms: int) -> None:
    step = 48 * piece_ms
    for at in range(0, len(pcm24k), step):
        audio = base64.b64encode(pcm24k[at : at + step]).decode()
        await peer.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
    await peer.send('{"type": "conversation.item.retrieve", "item_id": "none"}')


async def _signals_until_answered(peer: ClientConnection) -> list[tuple[str, int]]:
    signals: list[tuple[str, int]] = []
    while (event := await take(peer))["type"] != "error":
        match event["type"]:
            case "input_audio_buffer.speech_started":
                signals.append(("started", event["audio_start_ms"]))
            case "input_audio_buffer.speech_stopped":
                signals.append(("stopped", event["audio_end_ms"]))
    return signals


def _known_signals(frames: tuple[bytes, ...]) -> list[tuple[str, int]]:
    """What the turn detector hears when the audio comes as in real time, 20 ms by 20 ms."""
    detection, decoder = ServerVad(), InputDecoder(PcmFormat())
    detector = Detectors("silero", 60.0).make(detection, 0)
    known: list[tuple[str, int]] = []
    for frame in frames:
        for signal in detector.push(decoder.push(frame)):
            match signal:
                case SpeechStarted(audio_ms=at):
                    known.append(("started", max(0, at - detection.prefix_padding_ms)))
                case SpeechStopped(audio_ms=at):
                    known.append(("stopped", at))
    return known


# Who may not come in ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"additional_headers": {"Authorization": "Bearer wrong"}},
        {"additional_headers": {"Authorization": "secret"}},
        {"additional_headers": {"Authorization": "Bearer "}},
        {"subprotocols": ["realtime"]},
        {"subprotocols": ["realtime", "openai-insecure-api-key.wrong"]},
        {"subprotocols": ["realtime", "openai-insecure-api-key."]},
    ],
)
async def test_without_the_right_key_401_comes_before_the_socket_is_accepted(options: dict[str, Any]) -> None:
    async with running_server(keys="secret,other") as server:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(server.ws + PATH, open_timeout=None, **options):
                pass
        assert refused.value.response.status_code == 401
        assert json.loads(refused.value.response.body or b"{}")["error"]["code"] == "invalid_api_key"
        assert server.sessions.open_count == 0


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": {"Authorization": "Bearer secret"}},
        {"subprotocols": ["realtime", "openai-insecure-api-key.secret"]},
    ],
)
async def test_with_a_key_from_header_or_subprotocol_one_comes_in(options: dict[str, Any]) -> None:
    async with running_server(keys="secret,other") as server, opened(server, **options) as peer:
        await round_trip(peer)


async def test_without_keys_another_sites_page_gets_403(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(
            server.ws + PATH, additional_headers={"Origin": "https://evil.example"}, open_timeout=None
        ):
            pass
    assert refused.value.response.status_code == 403


async def test_an_opening_that_is_no_text_gets_400(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    host = f"127.0.0.1:{server.port}"
    writer.write(upgrade_request(host, PATH).replace(b"Version: 13", b"Version: 1\x9b"))
    async with unless_it_hangs("the server's refusal"):
        assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert [record for record in caplog.records if record.exc_info] == []
    async with opened(server) as peer:
        await round_trip(peer)


@pytest.mark.parametrize("in_pieces", [False, True], ids=["whole", "in pieces"])
async def test_text_that_is_no_text_is_told_1007_and_leaves_no_traceback(
    server: Server, in_pieces: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server) as peer:
        await peer.send([b'{"type": "\xc3', b'\x28"}'] if in_pieces else b'{"type": "\xc3\x28"}', text=True)
        async with unless_it_hangs("the close"):
            await peer.wait_closed()
    assert peer.close_code == 1007
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []


async def test_without_keys_a_name_that_was_made_to_point_here_gets_403(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(upgrade_request("evil.example", PATH))
    async with unless_it_hangs("the server's refusal"):
        assert b" 403 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_full_server_answers_503_with_a_reason_and_a_time() -> None:
    async with running_server(sessions_max=1) as server, opened(server) as first:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(server.ws + PATH, open_timeout=None):
                pass
        response = refused.value.response
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert json.loads(response.body or b"{}")["error"]["code"] == "server_full"
        await round_trip(first)
