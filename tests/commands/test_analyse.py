"""`parlour analyse` against the real server, with an agent that tells what came to it."""

import argparse
import asyncio
import io
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import realtime.commands.analyse
from agent.api import (
    AgentEvent,
    AgentRequest,
    AudioPart,
    GenerationDone,
    GenerationFailed,
    TextDelta,
    TextPart,
)
from agent.scripted.agent import ScriptedAgent
from realtime.audio.wav import write_wav
from realtime.commands.analyse import AnalyseOptions, add_arguments, analyse, files_and_question
from realtime.errors import SettingsError
from tests.conftest import running_server
from tests.recordings import recording

HZ = 16_000


class Teller(ScriptedAgent):
    """Answers with the seconds of each clip and the question, in three pieces, or fails."""

    def __init__(self, failure: GenerationFailed | None = None, fails_late: bool = False) -> None:
        super().__init__()
        self.requests: list[AgentRequest] = []
        self._failure = failure
        self._fails_late = fails_late

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        self.requests.append(request)
        if self._failure and not self._fails_late:
            yield self._failure
            return
        parts = request.messages[-1].parts  # type: ignore[union-attr]
        texts = [part.text for part in parts if isinstance(part, TextPart)]
        if texts:
            clips = [f"{len(part.pcm) / 2 / HZ:.1f} s, " for part in parts if isinstance(part, AudioPart)]
            for piece in (*clips, *texts):
                yield TextDelta(piece)
        yield self._failure or GenerationDone()


def tone(path: Path, seconds: float, container: str = "wav", hz: int = HZ) -> Path:
    samples = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * hz)) / hz)[:, None]
    path.write_bytes(recording(samples, hz, container))
    return path


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server of connections; its address. Ends when each of them has."""
    connections: set[asyncio.Task[None]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.current_task())  # type: ignore[arg-type]
        await serve(reader, writer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(connection, "127.0.0.1", 0) as listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        await asyncio.gather(*connections)


@asynccontextmanager
async def answered(body: bytes, status: str = "200 OK") -> AsyncIterator[str]:
    """A server that gives one answer to everything."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length:")[1].split()[0]))
        writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()

    async with listening(serve) as url:
        yield url


async def test_a_question_about_a_file_is_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_server(Teller()) as server:
        options = AnalyseOptions((tone(tmp_path / "a.wav", 1.5),), "How long?", url=server.http)
        assert await analyse(options) == 0
    assert capsys.readouterr().out == "1.5 s, How long?\n"


@pytest.mark.parametrize("container", ["mp3", "flac", "ogg", "webm", "mp4", "adts"])
async def test_a_file_of_any_kind_and_name_is_the_same_sound(tmp_path: Path, container: str) -> None:
    agent = Teller()
    async with running_server(agent) as server:
        file = tone(tmp_path / "message", 2.0, container, 48_000)
        assert await analyse(AnalyseOptions((file,), "?", url=server.http)) == 0
    clip, _ = agent.requests[0].messages[0].parts  # type: ignore[union-attr]
    assert isinstance(clip, AudioPart)
    second = np.frombuffer(clip.pcm, "<i2")[HZ // 2 : HZ // 2 + HZ].astype(float)
    assert np.abs(np.fft.rfft(second)).argmax() == 440


async def test_several_files_are_in_one_question_in_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = Teller()
    async with running_server(agent) as server:
        files = tuple(
            tone(tmp_path / f"{name}.wav", seconds) for name, seconds in (("a", 1), ("b", 3), ("c", 2))
        )
        assert await analyse(AnalyseOptions(files, "Which?", url=server.http)) == 0
    assert capsys.readouterr().out == "1.0 s, 3.0 s, 2.0 s, Which?\n"
    assert len(agent.requests) == 1


async def test_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tone(tmp_path / "a.wav", 1.5)
    async with running_server(Teller()) as server:
        assert await analyse(AnalyseOptions((file,), "Why?", url=server.http, as_json=True)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == [{"file": str(file), "seconds": 1.5}]
    assert (told["question"], told["answer"], told["finish_reason"]) == ("Why?", "1.5 s, Why?", "stop")
    assert {"model", "usage"} < told.keys()


async def test_standard_input_is_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tone(tmp_path / "a.wav", 1.5).read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(file)))
    async with running_server(Teller()) as server:
        assert await analyse(AnalyseOptions((Path("-"),), "How long?", url=server.http)) == 0
    assert capsys.readouterr().out == "1.5 s, How long?\n"


async def test_without_a_question_what_is_said_is_answered_and_silence_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = Teller()
    async with running_server(agent) as server:
        assert await analyse(AnalyseOptions((tone(tmp_path / "a.wav", 1.0),), url=server.http)) == 1
    assert [type(part) for part in agent.requests[0].messages[0].parts] == [AudioPart]  # type: ignore[union-attr]
    assert "no words were heard in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("what", "files", "question"),
    [
        (["a.wav", "How long is it?"], ["a.wav"], "How long is it?"),
        (["a.wav", "b.mp3", "Transcribe."], ["a.wav", "b.mp3"], "Transcribe."),
        (["a.wav", "duration"], ["a.wav"], "duration"),
        (["a.wav"], ["a.wav"], ""),
        (["How long is it?"], ["How long is it?"], ""),
        (["a.wav", "missing.mp3"], ["a.wav", "missing.mp3"], ""),
        (["a.wav", "voices/missing"], ["a.wav", "voices/missing"], ""),
        (["a.wav", "Is it loud and/or noisy?"], ["a.wav"], "Is it loud and/or noisy?"),
        (["a.wav", "-"], ["a.wav", "-"], ""),
        (["-", "x" * 5000], ["-"], "x" * 5000),
    ],
)
def test_the_last_argument_is_the_question_unless_it_names_a_file(
    what: list[str], files: list[str], question: str
) -> None:
    assert files_and_question(what, None) == (files, question)


def test_what_is_a_file_is_no_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes of today").write_bytes(b"")
    assert files_and_question(["a.wav", "notes of today"], None) == (["a.wav", "notes of today"], "")
    assert files_and_question(["a.wav", "b"], "Why?") == (["a.wav", "b"], "Why?")


@pytest.mark.parametrize(
    ("what", "text"), [(["a.wav", " "], None), (["a.wav"], ""), (["-", "-", "Why?"], None)]
)
def test_what_asks_for_nothing_is_told(what: list[str], text: str | None) -> None:
    with pytest.raises(SettingsError):
        files_and_question(what, text)


def test_the_options_come_from_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLOUR_KEYS", "one, two")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = AnalyseOptions.from_arguments(parser.parse_args(["a.wav", "Why?", "--json", "--model", "m"]))
    assert options == AnalyseOptions((Path("a.wav"),), "Why?", key="one", model="m", as_json=True)


# What cannot be used -----------------------------------------------------------------------------


def damaged(path: Path) -> Path:
    path.write_bytes(tone(path, 1.0, "mp4").read_bytes()[:500])
    return path


UNUSABLE = {
    "missing": (lambda path: path, "cannot be read: No such file"),
    "folder": (lambda path: path.parent, "cannot be read"),
    "empty": (lambda path: path.write_bytes(b"") or path, "it is empty"),
    "no recording": (lambda path: path.write_bytes(b"Dear John,") and path, "it is no recording"),
    "damaged": (damaged, "damaged"),
    "too short": (lambda path: tone(path, 0.05), "too short: it holds 50 ms"),
    "too long": (lambda path: write_wav(path, bytes(601 * 2000), 1000) or path, "longer than 600 seconds"),
}


@pytest.mark.parametrize(("made", "why"), UNUSABLE.values(), ids=UNUSABLE)
async def test_a_file_that_cannot_be_used_is_told_by_name_before_anything_is_sent(
    tmp_path: Path, made: object, why: str
) -> None:
    agent = Teller()
    assert callable(made)
    path = made(tmp_path / "the file.wav")
    async with running_server(agent) as server:
        with pytest.raises(SettingsError, match=why) as told:
            await analyse(AnalyseOptions((tone(tmp_path / "a.wav", 1.0), path), "Why?", url=server.http))
    assert str(path) in str(told.value)
    assert not agent.requests


async def test_files_that_are_too_long_together_are_told(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write_wav(tmp_path / name, bytes(301 * 2000), 1000)
    with pytest.raises(SettingsError, match=r"a\.wav and .*b\.wav are together longer than 600 seconds"):
        await analyse(AnalyseOptions((tmp_path / "a.wav", tmp_path / "b.wav"), "Why?"))


# What servers do ---------------------------------------------------------------------------------


async def test_no_server_is_exit_code_3_and_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with answered(b"") as url:
        pass
    assert await analyse(AnalyseOptions((tone(tmp_path / "a.wav", 1.0),), "Why?", url=url)) == 3
    assert "parlour serve" in capsys.readouterr().err


async def test_a_wrong_key_is_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent, file = Teller(), tone(tmp_path / "a.wav", 1.0)
    async with running_server(agent, keys="right") as server:
        assert await analyse(AnalyseOptions((file,), "Why?", url=server.http, key="wrong")) == 3
        assert "--key" in capsys.readouterr().err
        assert (
            await analyse(AnalyseOptions((file,), "Why?", url=server.ws + "/v1/realtime", key="right")) == 0
        )
    assert len(agent.requests) == 1


ERROR = b'{"error": {"message": "All are busy.", "code": "too_many_requests", "param": null}}'
OTHER = b'{"error": {"message": "It is odd.", "param": "messages[0].content[0].input_audio.data"}}'


@pytest.mark.parametrize(
    ("status", "body", "code", "hint"),
    [
        ("429 Too Many Requests", ERROR, 3, "try again in a moment"),
        ("503 Service Unavailable", b"busy", 3, "try again in a moment"),
        (
            "503 Service Unavailable",
            ERROR.replace(b"too_many_requests", b"agent_unavailable"),
            3,
            "All are busy.",
        ),
        ("404 Not Found", b"<html>", 3, "HTTP status 404"),
        ("413 Request Entity Too Large", ERROR, 1, "a.wav is more than the server takes at once"),
        ("400 Bad Request", OTHER, 1, "a.wav cannot be used: It is odd."),
        ("500 Internal Server Error", ERROR, 1, "All are busy."),
        ("200 OK", b"<html>Hello</html>", 3, "something else"),
        ("200 OK", b"data: {\n\n", 1, "cannot be read"),
        ("200 OK", b'data: {"choices": []}\n\n', 1, "before its answer was complete"),
        ("200 OK", b"data: " + ERROR + b"\n\n", 1, "All are busy."),
    ],
)
async def test_what_a_server_says_instead_of_an_answer_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: str, body: bytes, code: int, hint: str
) -> None:
    async with answered(body, status) as url:
        assert await analyse(AnalyseOptions((tone(tmp_path / "a.wav", 1.0),), "Why?", url=url)) == code
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith("parlour: ")
    assert hint in sentence


@pytest.mark.parametrize("fails_late", [True, False])
async def test_an_answer_that_fails_is_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fails_late: bool
) -> None:
    agent = Teller(GenerationFailed("agent_error", "It is a bad day."), fails_late)
    async with running_server(agent) as server:
        assert await analyse(AnalyseOptions((tone(tmp_path / "a.wav", 1.0),), "Why?", url=server.http)) == 1
    out, err = capsys.readouterr()
    assert err == "parlour: It is a bad day.\n"
    assert out == ("1.0 s, Why?\n" if fails_late else "")


async def test_a_server_that_falls_silent_is_given_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime.commands.analyse, "SILENT_SERVER_S", 0.1)

    async def hush(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(hush) as url:
        assert await analyse(AnalyseOptions((tone(tmp_path / "a.wav", 1.0),), "Why?", url=url)) == 1
    assert "said nothing for 0.1 s" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["ftp://127.0.0.1:1", "http://", "http://[1"])
async def test_what_is_no_address_is_a_settings_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="no server's address"):
        await analyse(AnalyseOptions((tone(tmp_path / "a.wav", 1.0),), "Why?", url=url))


async def test_the_command_takes_a_file_and_a_question(tmp_path: Path) -> None:
    async with running_server(Teller()) as server:
        arguments = ("analyse", str(tone(tmp_path / "a.wav", 1.5)), "How long?", "--url", server.http)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "realtime.cli", *arguments),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(realtime.commands.analyse.__file__).parents[2],
        )
        out, _ = await process.communicate()
    assert (out, process.returncode) == (b"1.5 s, How long?\n", 0)
