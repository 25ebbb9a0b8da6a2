"""`parlour talk` against a small server that speaks sequences (b) and (c) of the protocol."""

import argparse
import asyncio
import base64
import json
import sys
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

import realtime.commands.talk
from realtime.audio.wav import write_wav
from realtime.commands.sound_devices import Devices, Playback
from realtime.commands.talk import TalkOptions, add_arguments, talk
from realtime.errors import SettingsError
from tests.recordings import recording

ANSWER = b"\1\0" * 2400  # 100 ms
VOICE = b"\0\x40" * 12_000  # half a second of what the server below takes for speech


class Server:
    """Hears speech in any sample that is not 0, and the end of a turn in half a second of silence."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.status = "completed"
        self.speaks_over = False
        self.truncated = asyncio.Event()
        self._n = 0

    async def serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.requests.append(socket.request)
        await self._send(socket, type="session.created", session={"type": "realtime"})
        in_speech, silent_bytes, modalities = False, 0, ["audio"]
        async for frame in socket:
            event = json.loads(frame)
            self.heard.append(event)
            match event:
                case {"type": "session.update", "session": session}:
                    modalities = session["output_modalities"]
                    await self._send(socket, type="session.updated", session=session)
                case {"type": "input_audio_buffer.append", "audio": audio}:
                    pcm = base64.b64decode(audio)
                    if pcm.strip(b"\0"):
                        silent_bytes = 0
                        if not in_speech:
                            await self._send(socket, type="input_audio_buffer.speech_started", item_id="u")
                        in_speech = True
                    silent_bytes += len(pcm) - len(pcm.rstrip(b"\0"))
                    if in_speech and silent_bytes >= 24_000:
                        in_speech = False
                        await self._end_turn(socket)
                        await self._answer(socket, modalities)
                case {"type": "conversation.item.truncate"}:
                    self.truncated.set()
                case {"type": "response.create"}:
                    await self._answer(socket, modalities)

    async def _end_turn(self, socket: ServerConnection) -> None:
        await self._send(socket, type="input_audio_buffer.speech_stopped", item_id="u")
        await self._send(socket, type="input_audio_buffer.committed", item_id="u")
        kind = "conversation.item.input_audio_transcription.completed"
        await self._send(socket, type=kind, item_id="u", transcript="What is the time?")

    async def _answer(self, socket: ServerConnection, modalities: list[str]) -> None:
        self._n += 1
        ids = {"response_id": f"r{self._n}", "item_id": f"a{self._n}"}
        audio = modalities == ["audio"]
        words = "response.output_audio_transcript.delta" if audio else "response.output_text.delta"
        await self._send(socket, type="response.created", response={"id": ids["response_id"]})
        for word in ("It is", " noon."):
            await self._send(socket, type=words, delta=word, **ids)
            if audio:
                delta = base64.b64encode(ANSWER).decode()
                await self._send(socket, type="response.output_audio.delta", delta=delta, **ids)
        if self.speaks_over:
            await self._send(socket, type="input_audio_buffer.speech_started", item_id="u2")
        details = {"error": {"code": "agent_unavailable", "message": "The agent is away."}}
        response = {"id": ids["response_id"], "status": self.status, "status_details": details}
        await self._send(socket, type="response.done", response=response)

    async def _send(self, socket: ServerConnection, **event: Any) -> None:
        await socket.send(json.dumps({"event_id": "e", **event}))

    def sent(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.heard if event["type"] == kind]


@asynccontextmanager
async def running(behave: Callable[[ServerConnection], Any], refuse: int | None = None) -> AsyncIterator[str]:
    def process(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(refuse, "") if refuse else None  # type: ignore[arg-type]

    async with serve(behave, "127.0.0.1", 0, process_request=process) as listener:
        port = next(iter(listener.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def question(tmp_path: Path) -> Path:
    write_wav(tmp_path / "question.wav", VOICE, 24_000)
    return tmp_path / "question.wav"


async def test_a_file_is_answered(question: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Server()
    async with running(server.serve) as url:
        options = TalkOptions(url=url, files=(question,), out=tmp_path / "answer.wav", fast=True)
        assert await talk(options) == 0
    assert capsys.readouterr().out == "you: What is the time?\nparlour: It is noon.\n"
    with wave.open(str(tmp_path / "answer.wav")) as answer:
        assert (answer.getframerate(), answer.getnchannels(), answer.getsampwidth()) == (24_000, 1, 2)
        assert answer.readframes(10**6) == 2 * ANSWER
    said = b"".join(base64.b64decode(event["audio"]) for event in server.sent("input_audio_buffer.append"))
    assert said.startswith(VOICE)


@pytest.mark.parametrize("container", ["mp3", "flac", "ogg", "webm", "mp4"])
async def test_a_file_of_any_kind_is_said(tmp_path: Path, container: str) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)[:, None]
    (tmp_path / "question").write_bytes(recording(tone, 48_000, container))
    server = Server()
    async with running(server.serve) as url:
        assert await talk(TalkOptions(url=url, files=(tmp_path / "question",), fast=True)) == 0
    said = b"".join(base64.b64decode(event["audio"]) for event in server.sent("input_audio_buffer.append"))
    second = np.frombuffer(said[:48_000], "<i2").astype(float)
    assert np.abs(np.fft.rfft(second)).argmax() == 440


async def test_several_files_are_several_turns(question: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Server()
    async with running(server.serve) as url:
        assert await talk(TalkOptions(url=url, files=(question, question), fast=True)) == 0
    assert capsys.readouterr().out.count("parlour: It is noon.\n") == 2


async def test_a_file_is_sent_at_the_pace_of_speech(tmp_path: Path) -> None:
    write_wav(tmp_path / "q.wav", VOICE, 24_000)
    server = Server()
    loop = asyncio.get_running_loop()
    async with running(server.serve) as url:
        began = loop.time()
        assert await talk(TalkOptions(url=url, files=(tmp_path / "q.wav",))) == 0
    # Half a second of voice and half a second of silence cannot have gone out sooner.
    assert loop.time() - began >= 0.9
    assert len(base64.b64decode(server.sent("input_audio_buffer.append")[0]["audio"])) == 960


async def test_a_text_is_answered_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server()
    async with running(server.serve) as url:
        assert await talk(TalkOptions(url=url, texts=("What is the time?",))) == 0
    assert capsys.readouterr().out == "parlour: It is noon.\n"
    (item,) = server.sent("conversation.item.create")
    assert item["item"]["content"] == [{"type": "input_text", "text": "What is the time?"}]
    assert server.sent("session.update")[0]["session"]["output_modalities"] == ["text"]


async def test_a_text_is_answered_in_sound_where_a_file_is_wanted(tmp_path: Path) -> None:
    async with running(Server().serve) as url:
        assert await talk(TalkOptions(url=url, texts=("hello",), out=tmp_path / "a.wav")) == 0
    with wave.open(str(tmp_path / "a.wav")) as answer:
        assert answer.getnframes() == 4800


async def test_json_prints_every_event_with_the_length_of_its_audio(
    question: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(Server().serve) as url:
        assert await talk(TalkOptions(url=url, files=(question,), fast=True, as_json=True)) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "session.created"
    assert "response.done" in kinds
    audio = [event for event in events if event["type"] == "response.output_audio.delta"]
    assert [(event["delta"], event["audio_bytes"]) for event in audio] == 2 * [("", len(ANSWER))]


async def test_json_audio_prints_the_audio_too(question: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(Server().serve) as url:
        options = TalkOptions(url=url, files=(question,), fast=True, as_json=True, json_audio=True)
        assert await talk(options) == 0
    assert base64.b64encode(ANSWER).decode() in capsys.readouterr().out


async def test_output_that_nobody_reads_ends_the_conversation() -> None:
    root = Path(realtime.commands.talk.__file__).parents[2]
    async with running(Server().serve) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "realtime.cli", "talk", "--url", url, "--text", "hello", "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=root,
        )
        assert process.stdout is not None
        process.stdout._transport.close()  # type: ignore[attr-defined]
        _, errors = await process.communicate()
    assert errors == b"parlour: nobody reads the output any more.\n"
    assert process.returncode == 1


async def test_the_key_and_the_model_are_sent() -> None:
    server = Server()
    async with running(server.serve) as url:
        await talk(TalkOptions(url=url, key="k", model="a model", texts=("hello",)))
    assert server.requests[0].headers["Authorization"] == "Bearer k"
    assert server.requests[0].path == "/v1/realtime?model=a%20model"


async def test_a_failed_response_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server()
    server.status = "failed"
    async with running(server.serve) as url:
        assert await talk(TalkOptions(url=url, texts=("hello",))) == 1
    assert capsys.readouterr().err == "parlour: The agent is away.\n"


async def test_an_error_event_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    async def refuse(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "session.created"}))
        await socket.recv()
        await socket.send(json.dumps({"type": "error", "error": {"message": "No such thing."}}))
        await socket.wait_closed()

    async with running(refuse) as url:
        assert await talk(TalkOptions(url=url, texts=("hello",))) == 1
    assert capsys.readouterr().err == "parlour: No such thing.\n"


@pytest.mark.parametrize(
    "nonsense", ["{", "3", '{"type": "response.output_audio.delta", "delta": "a", "item_id": ""}']
)
async def test_a_server_that_talks_nonsense_is_exit_code_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, nonsense: str
) -> None:
    async def babble(socket: ServerConnection) -> None:
        await socket.send(nonsense)
        await socket.wait_closed()

    async with running(babble) as url:
        assert await talk(TalkOptions(url=url, texts=("hello",), out=tmp_path / "a.wav")) == 1
    assert "cannot be read" in capsys.readouterr().err


async def test_a_server_that_closes_is_exit_code_1_and_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def close(socket: ServerConnection) -> None:
        await socket.close(1013, "the server is full")

    async with running(close) as url:
        assert await talk(TalkOptions(url=url, texts=("hello",))) == 1
    assert "the server is full" in capsys.readouterr().err


async def test_a_file_in_which_no_speech_is_heard_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime.commands.talk, "SILENCE_S", 0.1)
    write_wav(tmp_path / "silence.wav", bytes(4800), 24_000)
    async with running(Server().serve) as url:
        assert await talk(TalkOptions(url=url, files=(tmp_path / "silence.wav",), fast=True)) == 1
    assert "heard no speech" in capsys.readouterr().err


async def test_a_server_that_falls_silent_is_given_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hush(socket: ServerConnection) -> None:
        await socket.wait_closed()

    monkeypatch.setattr(realtime.commands.talk, "SILENT_SERVER_S", 0.1)
    async with running(hush) as url:
        assert await talk(TalkOptions(url=url, texts=("hello",))) == 1
    assert "said nothing for 0.1 s" in capsys.readouterr().err


async def test_no_server_is_exit_code_3_and_says_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    async with running(Server().serve) as url:
        pass
    assert await talk(TalkOptions(url=url, texts=("hello",))) == 3
    assert "parlour serve" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "hint"), [(401, "--key"), (503, "full"), (404, "404")])
async def test_a_refusal_is_exit_code_3(capsys: pytest.CaptureFixture[str], status: int, hint: str) -> None:
    async with running(Server().serve, refuse=status) as url:
        assert await talk(TalkOptions(url=url, texts=("hello",))) == 3
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("url", ["ftp://127.0.0.1:1", "http://", "http://[1"])
async def test_what_is_no_address_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError, match="no server's address"):
        await talk(TalkOptions(url=url, texts=("hello",)))


async def test_a_file_that_cannot_be_used_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        await talk(TalkOptions(files=(tmp_path / "none.wav",)))
    (tmp_path / "a.mp3").write_bytes(b"ID3")
    with pytest.raises(SettingsError, match=r"a\.mp3 cannot be used: it holds no sound"):
        await talk(TalkOptions(files=(tmp_path / "a.mp3",)))


async def test_an_answer_that_cannot_be_written_is_a_settings_error(tmp_path: Path) -> None:
    async with running(Server().serve) as url:
        with pytest.raises(SettingsError, match="cannot be written"):
            await talk(TalkOptions(url=url, texts=("hello",), out=tmp_path / "none" / "a.wav"))


async def test_speaking_over_the_answer_stops_it_and_tells_what_was_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    server.speaks_over = True
    playback = Playback()
    devices = Devices(asyncio.Queue(100), playback, latency_ms=0)

    @contextmanager
    def at_hand() -> Iterator[Devices]:
        yield devices

    monkeypatch.setattr(realtime.commands.talk, "open_devices", at_hand)
    async with running(server.serve) as url:
        conversation = asyncio.create_task(talk(TalkOptions(url=url)))
        devices.captured.put_nowait(VOICE)
        devices.captured.put_nowait(bytes(24_000))
        await server.truncated.wait()
        conversation.cancel()
        with pytest.raises(asyncio.CancelledError):
            await conversation
    (cut,) = server.sent("conversation.item.truncate")
    assert (cut["item_id"], cut["content_index"], cut["audio_end_ms"]) == ("a1", 0, 0)
    assert playback.pull(2) == b"\0\0"


def test_the_options_come_from_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLOUR_KEYS", "one, two")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = parser.parse_args(["c.mp3", "--wav", "a.wav", "--wav", "b.wav", "--json-audio"])
    options = TalkOptions.from_arguments(given)
    assert options.files == (Path("c.mp3"), Path("a.wav"), Path("b.wav"))
    assert options.key == "one"
    assert options.as_json
    assert TalkOptions.from_arguments(parser.parse_args([])) == TalkOptions(key="one")


@pytest.mark.parametrize("fast", [True, False])
async def test_an_answer_that_is_cut_off_is_not_the_end_of_the_file(
    question: Path, capsys: pytest.CaptureFixture[str], fast: bool
) -> None:
    utterance = ["speech_started", "speech_stopped", "committed"]
    cut_off = [
        *utterance,
        "created a",
        "speech_started",
        "cancelled a",
        "speech_stopped",
        "pause",
        "committed",
    ]
    # Sent fast, all of the file is with the server before its first answer is.
    answered_before = [*utterance, "created 0", "completed 0", "pause"] if fast else []
    script = [*answered_before, *cut_off, "created b", "completed b"]

    async def interrupted(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "session.created"}))

        async def hear_silence(n_frames: int) -> None:
            while n_frames:
                event = json.loads(await socket.recv())
                if event["type"] == "session.update":
                    await socket.send(json.dumps({"type": "session.updated"}))
                elif not base64.b64decode(event["audio"]).strip(b"\0"):
                    n_frames -= 1

        await hear_silence(1)  # the file has ended
        for step in script:
            if step == "pause":
                if fast:  # the client waits for what comes of all that it has sent
                    await (await socket.ping())
                else:  # longer than the 100 ms of silence that it sends at a time
                    await hear_silence(10)
                continue
            status, _, response_id = step.partition(" ")
            response = {"id": response_id, "status": status}
            kind = "created" if status == "created" else "done"
            told = {"type": f"input_audio_buffer.{step}"}
            if response_id:
                told = {"type": f"response.{kind}", "response": response}
            await socket.send(json.dumps(told))
        with suppress(ConnectionClosed):
            await hear_silence(1_000)

    async with running(interrupted) as url:
        assert await talk(TalkOptions(url=url, files=(question,), fast=fast, as_json=True)) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["response"]["id"] for event in events if "response" in event][-1] == "b"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"texts": ("hello", " ")}, "--text is empty"),
        ({"texts": ("hello",), "out": Path("none") / "a.wav"}, "cannot be written"),
        ({"files": (Path("silent.wav"),)}, "holds no sound"),
    ],
)
async def test_what_cannot_be_used_is_told_before_the_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_wav(Path("silent.wav"), b"", 24_000)
    server = Server()
    async with running(server.serve) as url:
        with pytest.raises(SettingsError, match=sentence):
            await talk(TalkOptions(url=url, **wrong))
    assert server.requests == []


async def test_what_is_in_the_way_of_a_connection_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    async with running(Server().serve) as url:
        assert await talk(TalkOptions(url=url.replace("http", "https"), texts=("hello",))) == 3
    assert "http://" in capsys.readouterr().err
    assert await talk(TalkOptions(url="http://no-such-machine.invalid", texts=("hello",))) == 3
    assert "no machine of that name" in capsys.readouterr().err

    async def mumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(mumble, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        assert await talk(TalkOptions(url=f"http://127.0.0.1:{port}", texts=("hello",))) == 3
    assert "does not answer as a Parlour server" in capsys.readouterr().err
