"""Where a Qwen2-Audio checkpoint is, and whether it can be used here: asked before anything is loaded."""

import errno
import json
import math
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.api import AgentError

DEFAULT_MODEL = "Qwen/Qwen2-Audio-7B-Instruct"
PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.jinja")
"""Of a hub's files, those that are used."""
_MODELSCOPE_OWNERS = {"Qwen": "qwen"}
"""Where ModelScope writes an owner otherwise than the Hugging Face hub."""
HEADER_BYTES_MOST = 100_000_000
"""Of a safetensors file, as its own library takes it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """folder: in the hub's format. weights_bytes: as they lie on the disk; n_weights: how many numbers."""

    folder: Path
    name: str
    weights_bytes: int
    n_weights: int
    config: Mapping[str, Any]

    @property
    def is_base(self) -> bool:
        """The model that was only pretrained: it knows the tasks of audio analysis, and no turns."""
        return self.name.split("/")[-1].lower() in ("qwen2-audio-7b", "qwen2-audio-base")

    @property
    def kv_bytes_per_token(self) -> int:
        """At two bytes a number."""
        text = self.config.get("text_config", {})
        heads = text.get("num_key_value_heads", text.get("num_attention_heads", 32))
        width = text.get("head_dim") or text.get("hidden_size", 4096) // text.get("num_attention_heads", 32)
        return 2 * 2 * int(text.get("num_hidden_layers", 32)) * int(heads) * int(width)


def find(name: str, hub: str, report: Callable[[str], None]) -> Checkpoint:
    """The checkpoint of a folder or of a hub's model, downloaded if it is not on the disk.

    A folder's checkpoint has the folder's name: where it lies on this machine is no client's business.
    hub: "huggingface" or "modelscope". Blocks for as long as the download takes. Raises AgentError.
    """
    folder = _folder(name)
    if folder is not None:
        return read(folder, os.path.basename(os.path.abspath(folder)))
    if not _is_hub_name(name):
        raise AgentError(
            "agent_unavailable",
            f"The model {name!r} is neither a folder nor a hub's OWNER/NAME: expected for example "
            f"{DEFAULT_MODEL}.",
        )
    download = _from_modelscope if hub == "modelscope" else _from_hugging_face
    return read(download(name, report), name)


def _folder(name: str) -> Path | None:
    try:
        folder = Path(name).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, RuntimeError):  # longer than a path can be, or in the home of nobody
        return None


def on_disk(name: str) -> Checkpoint | None:
    """The Hugging Face hub's model, where all of it was downloaded earlier."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(PATTERNS), local_files_only=True))
        return read(folder, name)
    except (AgentError, OSError, ValueError):  # the hub's LocalEntryNotFoundError is an OSError
        return None


def read(folder: Path, name: str) -> Checkpoint:
    """Look at what the folder says of itself, without loading it. Raises AgentError."""
    config = _json(folder / "config.json")
    kind = config.get("model_type")
    if kind != "qwen2_audio":
        raise AgentError(
            "agent_unavailable",
            f"{folder / 'config.json'} is of a model of type {kind!r}: expected 'qwen2_audio'.",
        )
    if not isinstance(config.get("text_config", {}), dict):
        raise _damaged(folder / "config.json")
    n_bytes = n_weights = 0
    for file in _weight_files(folder):
        for_file = _weights(file)
        n_bytes += for_file[0]
        n_weights += for_file[1]
    return Checkpoint(folder, name, n_bytes, n_weights, config)


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [folder / "model.safetensors"]
    places = _json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise _damaged(index)
    return [folder / name for name in sorted({str(name) for name in places.values()})]


def _weights(file: Path) -> tuple[int, int]:
    """Bytes and numbers in a safetensors file, by its header. Raises AgentError for one that is cut short.

    Format: 8 bytes of length, a JSON header, the tensors (safetensors' README, "Format").
    """
    if not file.is_file():
        raise AgentError("agent_unavailable", f"The checkpoint lacks {file}: download it again.")
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            header = json.loads(opened.read(min(length, HEADER_BYTES_MOST)))
        entries = [entry for key, entry in header.items() if key != "__metadata__"]
        end = max((int(entry["data_offsets"][1]) for entry in entries), default=0)
        n_weights = sum(math.prod(map(int, entry["shape"])) for entry in entries)
        if file.stat().st_size != 8 + length + end:
            raise _damaged(file)
    except (struct.error, ValueError, TypeError, LookupError, AttributeError):
        raise _damaged(file) from None
    except OSError as error:
        raise AgentError("agent_unavailable", f"{file} cannot be read ({error.strerror}).") from None
    return end, n_weights


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise AgentError("agent_unavailable", f"The checkpoint lacks {file}: download it again.") from None
    except OSError as error:
        raise AgentError("agent_unavailable", f"{file} cannot be read ({error.strerror}).") from None
    except ValueError:
        raise _damaged(file) from None
    if not isinstance(found, dict):
        raise _damaged(file)
    return found


def _damaged(file: Path) -> AgentError:
    return AgentError("agent_unavailable", f"{file} is damaged: download it again.")


# Hubs ----------------------------------------------------------------------------------------


def _is_hub_name(name: str) -> bool:
    owner, _, model = name.partition("/")
    return bool(owner and model) and "/" not in model and not name.startswith((".", "~"))


def _from_hugging_face(name: str, report: Callable[[str], None]) -> Path:
    from huggingface_hub import snapshot_download

    report(f"getting {name} from the Hugging Face hub (17 GB the first time) ...")
    try:
        return Path(snapshot_download(name, allow_patterns=list(PATTERNS)))
    except Exception as error:  # noqa: BLE001 - the library lets its HTTP client's errors through
        raise _unreachable(name, "the Hugging Face hub", error) from None


def _from_modelscope(name: str, report: Callable[[str], None]) -> Path:
    try:
        import modelscope
    except ModuleNotFoundError:
        raise AgentError(
            "agent_unavailable", "ModelScope's package is missing: install it with pip install modelscope."
        ) from None
    owner, _, model = name.partition("/")
    report(f"getting {name} from ModelScope (17 GB the first time) ...")
    try:
        return Path(modelscope.snapshot_download(f"{_MODELSCOPE_OWNERS.get(owner, owner)}/{model}"))
    except Exception as error:  # noqa: BLE001 - the library raises errors of many kinds for want of a network
        raise _unreachable(name, "ModelScope", error) from None


def _unreachable(name: str, where: str, error: Exception) -> AgentError:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return AgentError("agent_unavailable", f"The disk is full: {name} takes 17 GB of it, once.")
    return AgentError(
        "agent_unavailable",
        f"{name} is not on the disk and cannot be got from {where} ({type(error).__name__}): check the "
        "name and the network, or give the folder of a copy.",
    )
