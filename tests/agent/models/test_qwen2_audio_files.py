"""Where a checkpoint is looked for, and what is found out about it before anything is loaded."""

import errno
import json
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from agent.api import AgentError
from agent.models.qwen2_audio_files import Checkpoint, find, on_disk, read

huggingface_hub = pytest.importorskip("huggingface_hub")
constants = pytest.importorskip("huggingface_hub.constants")

NAME = "Someone/Qwen2-Audio"
COMMIT = "c0ffee" + 34 * "0"
SHAPES = {"language_model.lm_head.weight": (5, 4), "audio_tower.conv1.bias": (3,)}
CONFIG = {
    "model_type": "qwen2_audio",
    "text_config": {
        "num_hidden_layers": 2,
        "hidden_size": 16,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
}
INDEX = "model.safetensors.index.json"
Harm = Callable[[Path], object]
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def safetensors(*names: str) -> bytes:
    """8 bytes of length, a header in JSON, the numbers."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in names:
        start, end = end, end + 4 * _count(SHAPES[name])
        header[name] = {"dtype": "F32", "shape": SHAPES[name], "data_offsets": [start, end]}
    coded = json.dumps(header).encode()
    return struct.pack("<Q", len(coded)) + coded + bytes(end)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def files(is_sharded: bool) -> dict[str, bytes]:
    """A checkpoint's, as far as they are looked at."""
    if not is_sharded:
        return {"config.json": json.dumps(CONFIG).encode(), "model.safetensors": safetensors(*SHAPES)}
    places = dict(zip(SHAPES, SHARDS, strict=True))
    return {
        "config.json": json.dumps(CONFIG).encode(),
        INDEX: json.dumps({"metadata": {"total_size": 92}, "weight_map": places}).encode(),
        **{shard: safetensors(name) for name, shard in places.items()},
    }


def write(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def unread(line: str) -> None:
    """For reports that a test does not look at."""


def refused(ask: Callable[[], Checkpoint]) -> str:
    """The sentence."""
    with pytest.raises(AgentError) as error:
        ask()
    assert error.value.code == "agent_unavailable"
    assert "\n" not in error.value.message
    assert error.value.message.endswith(".")
    return error.value.message


# Folders ---------------------------------------------------------------------------------


@pytest.mark.parametrize("is_sharded", [False, True])
def test_a_folder_says_how_large_the_model_is(tmp_path: Path, is_sharded: bool) -> None:
    write(tmp_path, files(is_sharded))
    found = find(str(tmp_path), "huggingface", unread)
    assert (found.folder, found.name, found.config) == (tmp_path, tmp_path.name, CONFIG)
    assert (found.n_weights, found.weights_bytes) == (23, 92)
    assert found.kv_bytes_per_token == 2 * 2 * 2 * 2 * 4


def test_what_the_hubs_configuration_leaves_out_is_known() -> None:
    config = {"model_type": "qwen2_audio", "text_config": {"model_type": "qwen2"}}
    # From the sizes of Qwen2-Audio-7B: keys and values, 32 layers, 32 heads of 128 numbers, two bytes each.
    assert Checkpoint(Path(), NAME, 0, 0, config).kv_bytes_per_token == 2 * 32 * 32 * 128 * 2


@pytest.mark.parametrize(
    ("name", "is_base"),
    [
        ("Qwen/Qwen2-Audio-7B", True),
        ("qwen/qwen2-audio-7b", True),
        ("Qwen2-Audio-Base", True),
        ("Qwen/Qwen2-Audio-7B-Instruct", False),
        ("Qwen2-Audio-7B/instruct", False),
    ],
)
def test_the_base_model_is_known_by_its_name(name: str, is_base: bool) -> None:
    assert Checkpoint(Path(), name, 0, 0, {}).is_base is is_base


@pytest.mark.parametrize("written", ["{}", "{}/", "{}/.", "{}/more/.."])
def test_a_folder_gives_the_model_its_name(tmp_path: Path, written: str) -> None:
    folder = write(tmp_path / "Qwen2-Audio-7B", files(is_sharded=False))
    (folder / "more").mkdir()
    found = find(written.format(folder), "huggingface", unread)
    assert (found.name, found.is_base) == ("Qwen2-Audio-7B", True)


def _without(name: str) -> Harm:
    return lambda folder: (folder / name).unlink()


def _holding(name: str, content: bytes | object) -> Harm:
    written = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda folder: (folder / name).write_bytes(written)


def _cut(name: str, n_bytes: int) -> Harm:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:n_bytes])


def _header(header: object) -> bytes:
    coded = json.dumps(header).encode()
    return struct.pack("<Q", len(coded)) + coded


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (_without("config.json"), "lacks {}/config.json: download it again"),
        (_holding("config.json", b'{"model_type": "qwe'), "{}/config.json is damaged"),
        (_holding("config.json", b"\xff\xfe"), "{}/config.json is damaged"),
        (_holding("config.json", ["qwen2_audio"]), "{}/config.json is damaged"),
        (_holding("config.json", {**CONFIG, "text_config": None}), "{}/config.json is damaged"),
        (_holding("config.json", {"model_type": "whisper"}), "of type 'whisper': expected 'qwen2_audio'"),
        (_holding("config.json", {}), "of type None: expected 'qwen2_audio'"),
        (_without("model.safetensors"), "lacks {}/model.safetensors: download it again"),
        (_holding("model.safetensors", b""), "{}/model.safetensors is damaged"),
        (_holding("model.safetensors", b"<html>no such file</html>"), "{}/model.safetensors is damaged"),
        (_holding("model.safetensors", _header([])), "{}/model.safetensors is damaged"),
        (_holding("model.safetensors", _header({"a": {"shape": [1]}})), "{}/model.safetensors is damaged"),
        (
            _holding("model.safetensors", _header({"a": {"shape": ["x"], "data_offsets": [0, 0]}})),
            "{}/model.safetensors is damaged",
        ),
        (_cut("model.safetensors", 6), "{}/model.safetensors is damaged"),
        (_cut("model.safetensors", 60), "{}/model.safetensors is damaged"),
        (_cut("model.safetensors", -1), "{}/model.safetensors is damaged"),
        (
            _holding("model.safetensors", safetensors(*SHAPES) + b"more"),
            "{}/model.safetensors is damaged: download it again",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, harm: Harm, sentence: str) -> None:
    harm(write(tmp_path, files(is_sharded=False)))
    assert sentence.format(tmp_path) in refused(lambda: read(tmp_path, NAME))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (_without(SHARDS[1]), f"lacks {{}}/{SHARDS[1]}: download it again"),
        (_cut(SHARDS[1], -4), f"{{}}/{SHARDS[1]} is damaged"),
        (_cut(SHARDS[0], 0), f"{{}}/{SHARDS[0]} is damaged"),
        (_holding(INDEX, b"{"), f"{{}}/{INDEX} is damaged"),
        (_holding(INDEX, {"weight_map": {}}), f"{{}}/{INDEX} is damaged"),
        (_holding(INDEX, {"weight_map": list(SHARDS)}), f"{{}}/{INDEX} is damaged"),
    ],
)
def test_a_part_that_cannot_be_used_is_told(tmp_path: Path, harm: Harm, sentence: str) -> None:
    harm(write(tmp_path, files(is_sharded=True)))
    assert sentence.format(tmp_path) in refused(lambda: read(tmp_path, NAME))


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, files(is_sharded=False))
    monkeypatch.setattr(Path, "open", _refusing(PermissionError(errno.EACCES, "Permission denied")))
    sentence = refused(lambda: read(tmp_path, NAME))
    assert sentence == f"{tmp_path / 'config.json'} cannot be read (Permission denied)."


@pytest.mark.parametrize(
    "name", ["./missing", "/models/missing", "~/missing", "~nobody-at-all/x", "missing", "a/b/c", "x" * 5000]
)
def test_what_is_neither_a_folder_nor_a_hubs_name_is_told(name: str) -> None:
    sentence = refused(lambda: find(name, "huggingface", unread))
    assert "is neither a folder nor a hub's OWNER/NAME: expected for example Qwen/" in sentence


# The Hugging Face hub --------------------------------------------------------------------


class Hub:
    """Has one model. breaks_off: hangs up in the middle of each answer."""

    def __init__(self) -> None:
        self.files = {**files(is_sharded=True), "README.md": b"Hello.", "pytorch_model.bin": b"\x80"}
        self.sent: list[str] = []
        self.breaks_off = False
        hub = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self, urlsplit(self.path).path)

            def do_HEAD(self) -> None:
                hub.answer(self, urlsplit(self.path).path)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, to: BaseHTTPRequestHandler, path: str) -> None:
        api, resolve = f"/api/models/{NAME}", f"/{NAME}/resolve/{COMMIT}/"
        if path.startswith(api + "/tree/"):
            entries = [
                {"type": "file", "path": name, "size": len(self.files[name]), "oid": name}
                for name in self.files
            ]
            self._send(to, json.dumps(entries).encode())
        elif path.startswith(api):
            self._send(to, json.dumps({"id": NAME, "sha": COMMIT}).encode())
        elif path.startswith(resolve) and path.removeprefix(resolve) in self.files:
            name = path.removeprefix(resolve)
            if to.command == "GET":
                self.sent.append(name)
            self._send(to, self.files[name], ("ETag", f'"{name}"'), ("X-Repo-Commit", COMMIT))
        else:
            self._send(to, b"", ("X-Error-Code", "RepoNotFound"), status=404)

    def _send(
        self, to: BaseHTTPRequestHandler, body: bytes, *headers: tuple[str, str], status: int = 200
    ) -> None:
        to.send_response(status)
        for name, value in (("Content-Length", str(len(body))), *headers):
            to.send_header(name, value)
        to.end_headers()
        if to.command == "GET":
            to.wfile.write(body[: len(body) // 2] if self.breaks_off else body)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the library keeps what it gets; its hub is a port where nobody listens."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    _point(monkeypatch, "http://127.0.0.1:1")
    return folder


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    serving = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    _point(monkeypatch, hub.url)
    try:
        yield hub
    finally:
        hub.server.shutdown()
        serving.join()
        hub.server.server_close()
        huggingface_hub.close_session()


def _point(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    huggingface_hub.close_session()
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def test_a_model_of_the_hub_is_downloaded_once_and_only_what_is_used(hub: Hub, cache: Path) -> None:
    lines: list[str] = []
    found = find(NAME, "huggingface", lines.append)
    assert (found.name, found.n_weights, found.weights_bytes) == (NAME, 23, 92)
    assert found.folder.is_relative_to(cache)
    assert sorted(hub.sent) == sorted(files(is_sharded=True))
    assert lines == [f"getting {NAME} from the Hugging Face hub (17 GB the first time) ..."]
    again = find(NAME, "huggingface", unread)
    assert again == found
    assert len(hub.sent) == len(files(is_sharded=True))


def test_what_was_downloaded_earlier_needs_no_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find(NAME, "huggingface", unread)
    _point(monkeypatch, "http://127.0.0.1:1")
    assert find(NAME, "huggingface", unread) == found


def test_a_hub_that_cannot_be_reached_is_told(cache: Path) -> None:
    sentence = refused(lambda: find(NAME, "huggingface", unread))
    assert f"{NAME} is not on the disk and cannot be got from the Hugging Face hub" in sentence
    assert "check the name and the network, or give the folder of a copy" in sentence


def test_a_hub_that_breaks_off_is_told(hub: Hub) -> None:
    hub.breaks_off = True
    assert "check the name and the network" in refused(lambda: find(NAME, "huggingface", unread))


@pytest.mark.parametrize("name", ["Someone/Else", "Some one/No name"])
def test_a_model_that_the_hub_does_not_have_is_told(hub: Hub, name: str) -> None:
    sentence = refused(lambda: find(name, "huggingface", unread))
    assert f"{name} is not on the disk and cannot be got from the Hugging Face hub" in sentence


def test_a_disk_that_is_full_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = _refusing(OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", full)
    assert refused(lambda: find(NAME, "huggingface", unread)).startswith("The disk is full")


def test_a_model_is_on_the_disk_only_when_all_of_it_is(cache: Path) -> None:
    assert on_disk(NAME) is None
    kept = cache / "models--Someone--Qwen2-Audio"
    snapshot = kept / "snapshots" / COMMIT
    contents = files(is_sharded=True)
    write(kept / "refs", {"main": COMMIT.encode()})
    write(kept / "blobs", contents)
    snapshot.mkdir(parents=True)
    for name in contents:
        (snapshot / name).symlink_to(Path("../../blobs", name))
    found = on_disk(NAME)
    assert found is not None
    assert (found.folder, found.name, found.n_weights) == (snapshot, NAME, 23)
    (snapshot / SHARDS[1]).unlink()
    assert on_disk(NAME) is None


def test_what_is_on_the_disk_is_known_without_asking_the_hub(hub: Hub) -> None:
    assert on_disk(NAME) is None
    find(NAME, "huggingface", unread)
    hub.server.shutdown()
    assert on_disk(NAME) is not None


# ModelScope ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked"),
    [("Qwen/Qwen2-Audio-7B-Instruct", "qwen/Qwen2-Audio-7B-Instruct"), (NAME, NAME)],
)
def test_modelscope_is_asked_by_the_names_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, asked: str
) -> None:
    got: list[str] = []

    def download(model: str) -> str:
        got.append(model)
        return str(write(tmp_path, files(is_sharded=False)))

    _modelscope(monkeypatch, download)
    lines: list[str] = []
    found = find(name, "modelscope", lines.append)
    assert (got, found.folder, found.name) == ([asked], tmp_path, name)
    assert lines == [f"getting {name} from ModelScope (17 GB the first time) ..."]


def test_a_modelscope_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _modelscope(monkeypatch, _refusing(RuntimeError("a page of text\nand another")))
    sentence = refused(lambda: find(NAME, "modelscope", unread))
    assert f"{NAME} is not on the disk and cannot be got from ModelScope (RuntimeError)" in sentence


def test_modelscopes_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modelscope", None)
    assert "pip install modelscope" in refused(lambda: find(NAME, "modelscope", unread))


def _modelscope(monkeypatch: pytest.MonkeyPatch, snapshot_download: Callable[[str], str]) -> None:
    monkeypatch.setitem(sys.modules, "modelscope", SimpleNamespace(snapshot_download=snapshot_download))


def _refusing(error: Exception) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise error

    return refuse
