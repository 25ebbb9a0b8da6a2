"""The command line: `parlour serve`, `parlour talk`, `parlour doctor`."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from realtime.errors import ParlourError, SettingsError
from realtime.logs import set_up_logging
from realtime.settings import Settings, load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 fine, 1 failed, 2 wrong usage."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        return int(options.run(options))
    except ParlourError as error:
        print(f"parlour: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parlour", description="A self-hosted real-time voice assistant.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the server", allow_abbrev=False)
    _add_settings(serve)
    serve.set_defaults(run=_serve)
    from realtime.talk import add_arguments

    talk = commands.add_parser("talk", help="talk to a server from the terminal", allow_abbrev=False)
    add_arguments(talk)
    talk.set_defaults(run=_talk)
    from realtime.doctor import add_arguments as add_doctor_arguments

    doctor = commands.add_parser(
        "doctor", help="find out why a server cannot be talked to", allow_abbrev=False
    )
    add_doctor_arguments(doctor)
    doctor.set_defaults(run=_doctor)
    return parser


_HELP = {
    "host": "address to listen on (default 127.0.0.1; others need keys)",
    "port": "port to listen on (default 8080; 0 takes a free one)",
    "model": "embedded, scripted, auto, Qwen/Qwen2-Audio-7B-Instruct or a folder of it, or with --llm-url "
    "the name of a model there (default auto)",
    "llm_url": "base URL of an OpenAI-compatible chat server, e.g. http://localhost:8000/v1",
    "llm_key": "key for that server",
    "voice": "piper, or kokoro where there are cores for it",
    "recogniser": "Whisper model that hears: tiny.en or base",
    "language": "ISO 639-1 code of what is spoken, for the base recogniser",
    "hub": "where a model's OWNER/NAME is looked up: huggingface (default) or modelscope",
    "dtype": "of Qwen2-Audio's weights: bfloat16 or float32 (default: bfloat16 on a GPU, float32 without)",
    "threads": "CPU threads for the models (default: all cores)",
    "keys": "secrets of which clients must present one, comma-separated",
    "allowed_origins": "origins of other sites' pages that may connect, comma-separated",
    "store": "where conversations are that can be resumed: auto, memory, sqlite:PATH or redis://HOST:PORT "
    "(default auto: a file in ~/.local/state/parlour)",
    "resume_grace_s": "seconds for which a conversation waits for its client (default 60)",
    "drain_s": "seconds in which answers may be heard to their end when the server is stopped (default 15)",
    "in_process": "run the agent inside the server instead of in a process of its own",
}


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Every setting is a flag."""
    kinds = {"int": int, "float": float, "str": str}
    defaults = Settings()
    for name, kind in Settings.__annotations__.items():
        flag = "--" + name.replace("_", "-")
        kind_name = getattr(kind, "__name__", str(kind))
        text = _HELP.get(name, f"(default {getattr(defaults, name)!r})")
        if kind_name == "bool":
            parser.add_argument(flag, action="store_true", default=None, help=text)
        else:
            parser.add_argument(flag, type=kinds[kind_name], default=None, help=text)


def _serve(options: argparse.Namespace) -> int:
    flags = {name: getattr(options, name) for name in Settings.__annotations__}
    settings = load_settings(flags, os.environ)
    set_up_logging(settings.log_level)
    from realtime.app import serve  # late: `parlour --help` needs no server

    runner = asyncio.run
    try:
        import uvloop

        runner = uvloop.run
    except ImportError:
        pass  # Windows: the standard loop, slower
    runner(serve(settings, _report))
    return 0


def _talk(options: argparse.Namespace) -> int:
    from realtime.talk import TalkOptions, talk

    return asyncio.run(talk(TalkOptions.from_arguments(options)))


def _doctor(options: argparse.Namespace) -> int:
    from realtime.doctor import DoctorOptions, diagnose

    return asyncio.run(diagnose(DoctorOptions.from_arguments(options), _report))


def _report(line: str) -> None:
    print(line, flush=True)


def _version() -> str:
    try:
        return f"parlour {version('parlour')}"
    except PackageNotFoundError:
        return "parlour (from a checkout)"


if __name__ == "__main__":
    sys.exit(main())
